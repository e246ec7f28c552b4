package seal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

const (
	day      = 24 * time.Hour
	ringKey  = "seal/ring" // where the ring is at rest
	publish  = time.Minute
	lifetime = 7 * day
)

// newStore is a real store, gone with the test.
func newStore(t testing.TB) store.Store {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}

// newBox makes a Box whose key-encryption key is filled with b.
func newBox(t testing.TB, b byte) *seal.Box {
	t.Helper()
	box, err := seal.NewBox(bytes.Repeat([]byte{b}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// openRing opens the ring in s as one node does, and closes it with the test.
func openRing(t testing.TB, s store.Store) *seal.Ring {
	t.Helper()
	r, err := seal.OpenRing(context.Background(), s, newBox(t, 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// runRing runs r until the test ends.
func runRing(t *testing.T, r *seal.Ring) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

func sealText(t testing.TB, r *seal.Ring, purpose, plain string, until time.Time) string {
	t.Helper()
	sealed, err := r.Seal(purpose, []byte(plain), until)
	if err != nil {
		t.Fatalf("Seal: %v", err)
	}
	return sealed
}

// atRest is the ring as the store has it.
type atRest struct {
	Keys []struct {
		ID      uint32    `json:"id"`
		Created time.Time `json:"created"`
		Sealed  []byte    `json:"sealed"`
	} `json:"keys"`
}

func readRing(t testing.TB, s store.Store) (atRest, store.Record) {
	t.Helper()
	recs, err := s.Get(t.Context(), ringKey)
	if err != nil {
		t.Fatal(err)
	}
	var doc atRest
	if err := json.Unmarshal(recs[0].Value, &doc); err != nil {
		t.Fatalf("the ring at rest: %v", err)
	}
	return doc, recs[0]
}
