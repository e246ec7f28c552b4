package admin_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/authn/password"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/keys"
)

// house is an operator and the store behind them.
type house struct {
	*admin.Operator
	t     *testing.T
	store *broken
}

// broken is a store whose List can be made to fail: it is what an ending begins
// with.
type broken struct {
	store.Store
	list error
}

func (b *broken) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	if b.list != nil {
		return nil, b.list
	}
	return b.Store.List(ctx, prefix, after, limit)
}

// keyring is a keys.Storage for one ring.
type keyring struct{ store.Store }

func (k keyring) Load(ctx context.Context) ([]byte, uint64, error) {
	recs, err := k.Get(ctx, "keys/ring")
	if err != nil {
		return nil, 0, err
	}
	return recs[0].Value, uint64(recs[0].Version), nil
}

func (k keyring) Save(ctx context.Context, doc []byte, version uint64) (uint64, error) {
	v, err := k.Commit(ctx, store.Put("keys/ring", doc).If(store.Version(version)))
	if errors.Is(err, store.ErrConflict) {
		return 0, keys.ErrConflict
	}
	return uint64(v), err
}

func (keyring) Changes(context.Context) (<-chan struct{}, error) { return nil, nil }

func newHouse(t *testing.T) *house {
	t.Helper()
	bolt, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bolt.Close() })
	s := &broken{Store: bolt}
	kek := make([]byte, seal.KeySize)
	_, _ = rand.Read(kek)
	box, err := seal.NewBox(kek)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(t.Context(), keyring{s}, box, keys.DefaultPolicy(), nil, keys.ES256)
	if err != nil {
		t.Fatal(err)
	}
	clients, err := client.Open(t.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(clients.Close)
	hasher, err := password.New(password.Options{Memory: 8, Time: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &house{&admin.Operator{
		Clients: clients, Users: user.NewDirectory(s), Passwords: hasher, Keys: ring, Box: box, Ended: ended.New(s),
	}, t, s}
}

// signIn leaves what a sign-in leaves: a session, and an offline grant.
func (h *house) signIn(subject string) {
	h.t.Helper()
	policy := session.Policy{Idle: time.Hour, Absolute: time.Hour}
	s, _ := policy.Begin(authn.Result{Subject: subject, Time: time.Now()}, session.Origin{})
	open, err := policy.Put(s)
	if err != nil {
		h.t.Fatal(err)
	}
	g := grant.Grant{Ref: grant.Ref{Subject: subject, SessionID: s.ID, ID: ident.New()}, ClientID: "shop", Refresh: client.RefreshOffline}
	kept, err := g.Put(time.Now().Add(time.Hour))
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.store.Commit(h.t.Context(), open, kept); err != nil {
		h.t.Fatal(err)
	}
}

// alive counts the sessions and grants of a user.
func (h *house) alive(subject string) int {
	h.t.Helper()
	n := 0
	for _, prefix := range []string{session.Prefix(subject), grant.UserPrefix(subject)} {
		recs, err := h.store.Store.List(h.t.Context(), prefix, "", store.MaxList)
		if err != nil {
			h.t.Fatal(err)
		}
		n += len(recs)
	}
	return n
}

func ptr[T any](v T) *T { return &v }

func wantKind(t *testing.T, err error, kind fault.Kind, field string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != kind || f.Field != field {
		t.Errorf("got %v, want %s on %q", err, kind, field)
	}
}
