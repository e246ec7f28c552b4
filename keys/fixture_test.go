package keys_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/keys"
)

var errAway = errors.New("the storage is away")

// storage is memory that can be away, and that remembers what was saved.
type storage struct {
	memory
	away  atomic.Bool
	loads atomic.Int64
	saved func(doc []byte) // called after each Save, with the lock held
}

func (s *storage) Load(ctx context.Context) ([]byte, uint64, error) {
	s.loads.Add(1)
	if s.away.Load() {
		return nil, 0, errAway
	}
	return s.memory.Load(ctx)
}

func (s *storage) Save(ctx context.Context, doc []byte, version uint64) (uint64, error) {
	if s.away.Load() {
		return 0, errAway
	}
	v, err := s.memory.Save(ctx, doc, version)
	if err == nil && s.saved != nil {
		s.saved(doc)
	}
	return v, err
}

func (s *storage) Changes(ctx context.Context) (<-chan struct{}, error) {
	if s.away.Load() {
		return nil, errAway
	}
	return s.memory.Changes(ctx)
}

// cutOff ends all subscriptions.
func (s *storage) cutOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.listeners {
		close(c)
	}
	s.listeners = nil
}

// atRest is the stored document as an operator would find it.
type atRest struct {
	Format int            `json:"format"`
	Keys   []atRestRecord `json:"keys"`
}

type atRestRecord struct {
	ID        string         `json:"kid"`
	Algorithm keys.Algorithm `json:"alg"`
	Created   time.Time      `json:"created"`
	Activates time.Time      `json:"activates"`
	Activated time.Time      `json:"activated,omitzero"`
	Retired   time.Time      `json:"retired,omitzero"`
	Sealed    []byte         `json:"sealed"`
}

func (s *storage) read(t testing.TB) atRest {
	t.Helper()
	doc, _, err := s.memory.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return parseDoc(t, doc)
}

func parseDoc(t testing.TB, doc []byte) atRest {
	t.Helper()
	var d atRest
	if err := json.Unmarshal(doc, &d); err != nil {
		t.Fatalf("the stored document: %v", err)
	}
	return d
}

// write replaces the document behind everybody's back.
func (s *storage) write(t testing.TB, d atRest) {
	t.Helper()
	doc, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doc, s.version = doc, s.version+1
}

// sealerOf makes a sealer whose key-encryption key is filled with b.
func sealerOf(t testing.TB, b byte) aesSealer {
	t.Helper()
	s, err := newSealer(slices.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, s keys.Storage, p keys.Policy, algorithms ...keys.Algorithm) *keys.Ring {
	t.Helper()
	r, err := keys.Open(t.Context(), s, sealerOf(t, 1), p, nil, algorithms...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// run starts Run and stops it, and waits for it, when the test ends or stop is called.
func run(t testing.TB, r *keys.Ring) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func sign(t testing.TB, r *keys.Ring, alg keys.Algorithm) string {
	t.Helper()
	token, err := r.Sign(t.Context(), alg, "at+jwt", []byte(`{"sub":"alice"}`))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// privateKey digs a private key out of the storage, as only the owner of the
// key-encryption key can.
func privateKey(t testing.TB, s *storage, alg keys.Algorithm) (id string, key crypto.Signer) {
	t.Helper()
	for _, k := range s.read(t).Keys {
		if k.Algorithm != alg {
			continue
		}
		plain, err := sealerOf(t, 1).Open("key/"+k.ID, k.Sealed)
		if err != nil {
			t.Fatalf("opening %s: %v", k.ID, err)
		}
		parsed, err := x509.ParsePKCS8PrivateKey(plain)
		if err != nil {
			t.Fatal(err)
		}
		return k.ID, parsed.(crypto.Signer)
	}
	t.Fatalf("no key for %s", alg)
	return "", nil
}

// keysOf are the ring's keys of one algorithm and state.
func keysOf(r *keys.Ring, alg keys.Algorithm, state keys.State) []keys.Key {
	return slices.DeleteFunc(r.List(), func(k keys.Key) bool { return k.Algorithm != alg || k.State != state })
}
