package ended_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
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

func commit(t testing.TB, s store.Store, ops ...store.Op) {
	t.Helper()
	for len(ops) > 0 {
		n := min(len(ops), store.MaxOps)
		if _, err := s.Commit(t.Context(), ops[:n]...); err != nil {
			t.Fatal(err)
		}
		ops = ops[n:]
	}
}

// signIn begins a session of subject in s and returns its name.
func signIn(t testing.TB, s store.Store, subject string) (sid string) {
	t.Helper()
	p := session.Policy{Idle: time.Hour, Absolute: time.Hour}
	sess, _ := p.Begin(authn.New(subject, time.Now(), authn.AMRPassword), session.Origin{})
	op, err := p.Put(sess)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, op)
	return sess.ID
}

// begin begins n grants in the session.
func begin(t testing.TB, s store.Store, subject, sid string, refresh client.Refresh, n int) []grant.Ref {
	t.Helper()
	refs := make([]grant.Ref, n)
	ops := make([]store.Op, n)
	for i := range refs {
		refs[i] = grant.Ref{Subject: subject, SessionID: sid, ID: ident.New()}
		op, err := grant.Grant{Ref: refs[i], ClientID: "orders", Refresh: refresh}.Put(time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		ops[i] = op
	}
	commit(t, s, ops...)
	return refs
}

// wantAlive checks that exactly the keys given are, or are not, in the store.
func wantAlive(t *testing.T, s store.Store, alive bool, what string, keys ...string) {
	t.Helper()
	for _, key := range keys {
		recs, err := s.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if recs[0].Exists() != alive {
			t.Errorf("%s: %s is there %t, want %t", what, key, recs[0].Exists(), alive)
		}
	}
}

func keysOf(refs []grant.Ref) []string {
	keys := make([]string, len(refs))
	for i, r := range refs {
		keys[i] = r.Key()
	}
	return keys
}

func TestEndingAGrantEndsItAlone(t *testing.T) {
	s := newStore(t)
	alice := ident.New()
	sid := signIn(t, s, alice)
	refs := begin(t, s, alice, sid, client.RefreshSession, 2)
	e := ended.New(s)
	for range 2 { // ending what has ended is no error
		if err := e.Grant(t.Context(), refs[0]); err != nil {
			t.Errorf("Grant = %v", err)
		}
	}
	wantAlive(t, s, false, "the grant", refs[0].Key())
	wantAlive(t, s, true, "its neighbour", refs[1].Key())
	wantAlive(t, s, true, "the session", session.Key(alice, sid))
}

// OpenID Connect Core §11: offline access is access while the user is not there.
func TestSigningOutEndsTheSessionAndItsGrantsButForOfflineOnes(t *testing.T) {
	s := newStore(t)
	alice, bob := ident.New(), ident.New()
	here, elsewhere, bobs := signIn(t, s, alice), signIn(t, s, alice), signIn(t, s, bob)
	bound := begin(t, s, alice, here, client.RefreshSession, 2)
	bound = append(bound, begin(t, s, alice, here, client.RefreshNone, 1)...)
	offline := begin(t, s, alice, here, client.RefreshOffline, 2)
	others := append(begin(t, s, alice, elsewhere, client.RefreshSession, 1), begin(t, s, bob, bobs, client.RefreshSession, 1)...)
	if err := ended.New(s).Session(t.Context(), alice, here); err != nil {
		t.Fatal(err)
	}
	wantAlive(t, s, false, "the session", session.Key(alice, here))
	wantAlive(t, s, false, "a grant of the session", keysOf(bound)...)
	wantAlive(t, s, true, "an offline grant", keysOf(offline)...)
	wantAlive(t, s, true, "a grant of another session", keysOf(others)...)
	wantAlive(t, s, true, "another session", session.Key(alice, elsewhere), session.Key(bob, bobs))
	if err := ended.New(s).Session(t.Context(), alice, here); err != nil {
		t.Errorf("a second time: Session = %v", err)
	}
}

// Whoever is disabled is out everywhere, however many sessions that are.
func TestEndingAUserEndsEverythingOfTheirsAndNothingElse(t *testing.T) {
	s := newStore(t)
	alice, bob := ident.New(), ident.New()
	var keys []string
	for range 3 {
		sid := signIn(t, s, alice)
		keys = append(keys, session.Key(alice, sid))
		keys = append(keys, keysOf(begin(t, s, alice, sid, client.RefreshSession, 400))...) // more than one List gives
		keys = append(keys, keysOf(begin(t, s, alice, sid, client.RefreshOffline, 1))...)
	}
	sid := signIn(t, s, bob)
	bobs := append(keysOf(begin(t, s, bob, sid, client.RefreshOffline, 1)), session.Key(bob, sid))
	if err := ended.New(s).User(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	wantAlive(t, s, false, "what is Alice's", keys...)
	wantAlive(t, s, true, "what is Bob's", bobs...)
	if err := ended.New(s).User(t.Context(), alice); err != nil {
		t.Errorf("a second time: User = %v", err)
	}
}

func TestADamagedGrantKeepsNobodyFromSigningOut(t *testing.T) {
	s := newStore(t)
	alice := ident.New()
	sid := signIn(t, s, alice)
	ref := begin(t, s, alice, sid, client.RefreshSession, 1)[0]
	damaged := grant.Ref{Subject: alice, SessionID: sid, ID: ident.New()}
	commit(t, s, store.Put(damaged.Key(), []byte(`{"refresh":"offline"`)))
	if err := ended.New(s).Session(t.Context(), alice, sid); err != nil {
		t.Errorf("Session = %v", err)
	}
	wantAlive(t, s, false, "the session and its grants", session.Key(alice, sid), ref.Key(), damaged.Key())
}

// once lets one Commit through; then the engine is away.
type once struct {
	store.Store
	used bool
}

var errAway = errors.New("the engine is away")

func (o *once) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	if o.used {
		return 0, errAway
	}
	o.used = true
	return o.Store.Commit(ctx, ops...)
}

// Without its session a grant can't be refreshed, whatever else is left undone.
func TestTheSessionGoesBeforeItsMany(t *testing.T) {
	s := newStore(t)
	alice := ident.New()
	sid := signIn(t, s, alice)
	begin(t, s, alice, sid, client.RefreshSession, 2*store.MaxOps)
	if err := ended.New(&once{Store: s}).Session(t.Context(), alice, sid); !errors.Is(err, errAway) {
		t.Errorf("Session = %v, want the engine's error: it is not done", err)
	}
	wantAlive(t, s, false, "the session", session.Key(alice, sid))
	if err := ended.New(s).Session(t.Context(), alice, sid); err != nil {
		t.Fatal(err)
	}
	left, err := s.List(t.Context(), grant.UserPrefix(alice), "", 1)
	if err != nil || len(left) != 0 {
		t.Errorf("after trying again %d grants are left, %v", len(left), err)
	}
}

func TestAnEngineThatIsAwayIsToldOf(t *testing.T) {
	s := newStore(t)
	away := ended.New(&once{Store: s, used: true})
	for name, err := range map[string]error{
		"Grant":   away.Grant(t.Context(), grant.Ref{Subject: ident.New(), SessionID: ident.New(), ID: ident.New()}),
		"Session": away.Session(t.Context(), ident.New(), ident.New()),
	} {
		if !errors.Is(err, errAway) {
			t.Errorf("%s = %v, want the engine's error: nothing has ended", name, err)
		}
	}
}
