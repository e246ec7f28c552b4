package grant_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

const (
	day    = 24 * time.Hour
	window = time.Minute
)

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

func newRing(t testing.TB, s store.Store) *seal.Ring {
	t.Helper()
	box, err := seal.NewBox(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.OpenRing(context.Background(), s, box, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ring.Close)
	return ring
}

// newGrant is a grant that was just begun, with refresh tokens under ring's key.
func newGrant(ring *seal.Ring) grant.Grant {
	return grant.Grant{
		Ref:      grant.Ref{Subject: ident.New(), SessionID: ident.New(), ID: ident.New()},
		ClientID: "orders", Scopes: []string{"openid", "offline_access"}, Audience: []string{"https://orders.example.com"},
		Authentication: grant.Authentication{Time: time.Now().UTC().Truncate(time.Second), ACR: "1", AMR: []string{"pwd"}},
		Created:        time.Now().UTC().Round(0), Refresh: client.RefreshOffline, MACKey: ring.MACKey(),
	}
}

func refreshToken(t testing.TB, ring *seal.Ring, g grant.Grant) string {
	t.Helper()
	token, err := g.RefreshToken(ring)
	if err != nil {
		t.Fatalf("RefreshToken: %v", err)
	}
	return token
}
