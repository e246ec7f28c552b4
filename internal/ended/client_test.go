package ended_test

import (
	"errors"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
)

// agree remembers a consent of subject to the client, and returns its key.
func agree(t testing.TB, s store.Store, subject, clientID string) string {
	t.Helper()
	op, err := grant.Consent{}.Widen([]string{"openid"}, time.Now()).Put(subject, clientID)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, op)
	return op.Key
}

// What a person allowed a client is over in every session and offline; what
// others allowed it, and what the person allowed others, is not.
func TestWithdrawingFromAClientEndsItsConsentAndGrantsOfThatPersonAlone(t *testing.T) {
	s := newStore(t)
	alice, bob := ident.New(), ident.New()
	here, elsewhere, bobs := signIn(t, s, alice), signIn(t, s, alice), signIn(t, s, bob)
	over := append(begin(t, s, alice, here, client.RefreshSession, 2), begin(t, s, alice, elsewhere, client.RefreshOffline, 2)...)
	keys := append(keysOf(over), agree(t, s, alice, "orders"))
	others := keysOf(begin(t, s, bob, bobs, client.RefreshOffline, 1))
	others = append(others, session.Key(alice, here), session.Key(alice, elsewhere), agree(t, s, bob, "orders"), agree(t, s, alice, "orders2"))
	another := grant.Grant{Ref: grant.Ref{Subject: alice, SessionID: here, ID: ident.New()}, ClientID: "orders2"}
	op, err := another.Put(time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, op)
	for range 2 { // ending what has ended is no error
		if err := ended.New(s).Client(t.Context(), alice, "orders"); err != nil {
			t.Errorf("Client = %v", err)
		}
	}
	wantAlive(t, s, false, "what the client had", keys...)
	wantAlive(t, s, true, "what is not the client's, or not Alice's", append(others, another.Key())...)
}

// Without the consent nothing new begins, whatever else is left undone, and
// trying again finishes.
func TestTheConsentGoesBeforeItsManyGrants(t *testing.T) {
	s := newStore(t)
	alice := ident.New()
	begin(t, s, alice, signIn(t, s, alice), client.RefreshSession, 2*store.MaxOps)
	consent := agree(t, s, alice, "orders")
	if err := ended.New(&once{Store: s}).Client(t.Context(), alice, "orders"); !errors.Is(err, errAway) {
		t.Errorf("Client = %v, want the engine's error: it is not done", err)
	}
	wantAlive(t, s, false, "the consent", consent)
	if err := ended.New(s).Client(t.Context(), alice, "orders"); err != nil {
		t.Fatal(err)
	}
	if left, err := s.List(t.Context(), grant.UserPrefix(alice), "", 1); err != nil || len(left) != 0 {
		t.Errorf("after trying again %d grants are left, %v", len(left), err)
	}
}
