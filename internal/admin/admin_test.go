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
	"github.com/signet-id/signet/internal/slot"
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
	// ofClients is what the tokens of any client may carry.
	ofClients []slot.Range
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
	v, err := k.Commit(ctx, append([]store.Op{store.Put("keys/ring", doc).If(store.Version(version))}, ended.Riding(ctx)...)...)
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
	users := user.NewDirectory(s)
	h := &house{t: t, store: s, Operator: &admin.Operator{
		Store: s, Clients: clients, Users: users, Passwords: hasher, Keys: ring, Box: box,
	}}
	h.Ended = &ended.Endings{
		Store: s, Users: users, Clients: clients, Lifetime: 10 * time.Minute, Audit: time.Hour,
		Blocks: func(context.Context, string) ([]slot.Range, error) { return h.ofClients, nil },
		Known:  func(context.Context, store.Version) error { return nil },
	}
	return h
}

// signIn leaves what a sign-in leaves: a session, and an offline grant. It returns
// the session's name.
func (h *house) signIn(subject string) string {
	h.t.Helper()
	policy := session.Policy{Idle: time.Hour, Absolute: time.Hour}
	s, _ := policy.Begin(authn.Result{Subject: subject, Time: time.Now()}, session.Origin{Address: "192.0.2.7", Agent: "Firefox/140.0"})
	s, _ = s.Join("shop")
	open, err := policy.Put(s)
	if err != nil {
		h.t.Fatal(err)
	}
	h.commit(open)
	h.begin(grant.Ref{Subject: subject, SessionID: s.ID}, client.RefreshOffline, 0, "openid")
	return s.ID
}

// begin leaves a grant whose access tokens carry a slot.
func (h *house) begin(ref grant.Ref, refresh client.Refresh, at slot.Slot, scopes ...string) grant.Grant {
	h.t.Helper()
	ref.ID = ident.New()
	g := grant.Grant{
		Ref: ref, ClientID: "shop", Refresh: refresh, Scopes: scopes,
		Hold: grant.Hold{Slot: at, Until: time.Now().Add(time.Hour)},
	}
	kept, err := g.Put(time.Now().Add(time.Hour))
	if err != nil {
		h.t.Fatal(err)
	}
	h.commit(kept)
	return g
}

func (h *house) commit(ops ...store.Op) {
	h.t.Helper()
	if _, err := h.store.Commit(h.t.Context(), ops...); err != nil {
		h.t.Fatal(err)
	}
}

// journal is every ending that was recorded, in order.
func (h *house) journal() []ended.Ending {
	h.t.Helper()
	var all []ended.Ending
	tail, err := ended.Follow(h.t.Context(), h.store, func(endings []ended.Ending) { all = append(all, endings...) }, slog.New(slog.DiscardHandler))
	if err != nil {
		h.t.Fatal(err)
	}
	tail.Close()
	return all
}

// lastEnding is the latest ending, which must be of kind and for cause.
func (h *house) lastEnding(kind ended.Kind, cause ended.Cause) ended.Ending {
	h.t.Helper()
	all := h.journal()
	if len(all) == 0 {
		h.t.Fatalf("nothing was recorded, want the ending of a %s", kind)
	}
	last := all[len(all)-1]
	if last.Kind != kind || last.Cause != cause {
		h.t.Errorf("the ending of a %s by %s was recorded, want %s by %s", last.Kind, last.Cause, kind, cause)
	}
	return last
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
