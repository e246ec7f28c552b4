package ended_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

func disable(u *user.User) error { u.Disabled = true; return nil }
func noRoles(u *user.User) error { u.Roles = nil; return nil }

func (h *house) userOf(u user.User) user.User {
	h.t.Helper()
	stored, _, err := h.Users.Get(h.t.Context(), u.Subject)
	if err != nil {
		h.t.Fatal(err)
	}
	return stored
}

var errAway = errors.New("the engine is away")

// firstOnly lets one Commit through; then the engine is away.
func firstOnly(n int64) error {
	if n > 1 {
		return errAway
	}
	return nil
}

// crowd is more of Alice than one Commit removes: 100 sessions, 300 grants.
func (h *house) crowd() (keys []string, grants []grant.Grant) {
	h.t.Helper()
	for i := range 100 {
		sid := h.signIn(h.alice, "orders", "billing")
		keys = append(keys, session.Key(h.alice.Subject, sid))
		refresh := client.RefreshSession
		if i%2 == 0 {
			refresh = client.RefreshOffline
		}
		grants = append(grants, h.begin(h.alice, sid, "orders", refresh, 3)...)
	}
	return append(keys, keysOf(grants)...), grants
}

func TestAUserWithMoreThanACommitHoldsEndsInOneRecord(t *testing.T) {
	h := open(t)
	keys, grants := h.crowd()
	if _, err := h.User(t.Context(), h.alice.Subject, ended.ByOperator, disable); err != nil {
		t.Fatal(err)
	}
	h.wantAlive(false, "what is Alice's", keys...)
	h.wantOne(ended.Ending{Kind: ended.KindUser, Cause: ended.ByOperator, Subject: h.alice.Subject}, slotsOf(grants...))
	if n := len(h.calls()); n != 101 { // orders once, billing for each sid
		t.Errorf("%d calls wait, want 101", n)
	}
}

// The server dies between the Commit and the removal of what did not fit into it.
func TestWhatIsLeftAfterACrashIsOfAnotherEpochAndWorthNothing(t *testing.T) {
	h := open(t)
	keys, grants := h.crowd()
	h.store.before = firstOnly
	if _, err := h.User(t.Context(), h.alice.Subject, ended.ByOperator, nil); !errors.Is(err, errAway) {
		t.Fatalf("User = %v, want the engine's error: it is not all done", err)
	}
	h.store.before = nil
	epoch, left, ends := h.userOf(h.alice).Epoch, 0, marked(h.journal()...)
	for _, r := range append(h.list(session.Prefix(h.alice.Subject)), h.list(grant.UserPrefix(h.alice.Subject))...) {
		left++
		if s, err := session.Decode(r); err == nil && s.Epoch == epoch {
			t.Errorf("%s is of the user's epoch", r.Key)
		}
		if g, err := grant.Decode(r); err == nil && g.Epoch == epoch {
			t.Errorf("%s is of the user's epoch", r.Key)
		}
	}
	if left == 0 || left == len(keys) {
		t.Fatalf("%d records are left: there was no crash", left)
	}
	for _, s := range slotsOf(grants...) {
		if !ends[s] {
			t.Errorf("slot %d is not in the record", s)
		}
	}
	if _, err := h.User(t.Context(), h.alice.Subject, ended.ByOperator, nil); err != nil {
		t.Fatal(err)
	}
	h.wantAlive(false, "after trying again: what is Alice's", keys...)
}

// Without its session a grant can't be refreshed, whatever else is left undone.
func TestTheSessionGoesBeforeItsManyGrants(t *testing.T) {
	h := open(t)
	sid := h.signIn(h.alice)
	grants := h.begin(h.alice, sid, "orders", client.RefreshSession, 2*store.MaxOps)
	h.store.before = firstOnly
	if err := h.Session(t.Context(), h.alice.Subject, sid, ended.BySignOut); !errors.Is(err, errAway) {
		t.Errorf("Session = %v, want the engine's error: it is not done", err)
	}
	h.store.before = nil
	h.wantAlive(false, "the session", session.Key(h.alice.Subject, sid))
	if ends := marked(h.journal()...); len(ends) != len(slotsOf(grants...)) {
		t.Errorf("%d slots ended, want %d", len(ends), len(slotsOf(grants...)))
	}
	if err := h.Session(t.Context(), h.alice.Subject, sid, ended.BySignOut); err != nil {
		t.Fatal(err)
	}
	if left := h.list(grant.UserPrefix(h.alice.Subject)); len(left) != 0 {
		t.Errorf("after trying again %d grants are left", len(left))
	}
}

// Were the consent gone first, and this process as well, nobody would see that
// there are grants to be ended. Their number is around what one Commit removes.
func TestTheConsentGoesAfterTheLastOfItsGrants(t *testing.T) {
	for _, n := range []int{1, 63, 64, 65, 200} {
		t.Run(fmt.Sprintf("%d grants", n), func(t *testing.T) {
			h := open(t)
			sid := h.signIn(h.alice)
			grants := h.begin(h.alice, sid, "orders", client.RefreshOffline, n)
			consent := h.agree(h.alice, "orders")
			for done := false; !done; { // a crash after each Commit
				h.store.n.Store(0)
				h.store.before = firstOnly
				err := h.Consent(t.Context(), h.alice.Subject, "orders", ended.ByAccountPage)
				if done = err == nil; !done && !errors.Is(err, errAway) {
					t.Fatal(err)
				}
				left := h.list(grant.UserPrefix(h.alice.Subject))
				if len(left) > 0 && !h.get(consent)[0].Exists() {
					t.Fatalf("the consent is gone, and %d grants are left", len(left))
				}
			}
			h.wantAlive(false, "the consent and its grants", append(keysOf(grants), consent)...)
			if ends := marked(h.journal()...); len(ends) != len(slotsOf(grants...)) {
				t.Errorf("%d slots ended, want %d", len(ends), len(slotsOf(grants...)))
			}
			if j, a := len(h.journal()), len(h.events()); j != a || j != len(h.known) {
				t.Errorf("%d records, %d audit events, waited %d times", j, a, len(h.known))
			}
		})
	}
}

func TestADamagedGrantKeepsNobodyFromSigningOut(t *testing.T) {
	h := open(t)
	sid := h.signIn(h.alice)
	g := h.begin(h.alice, sid, "orders", client.RefreshSession, 1)[0]
	damaged := grant.Ref{Subject: h.alice.Subject, SessionID: sid, ID: ident.New()}
	h.commit(store.Put(damaged.Key(), []byte(`{"refresh":"offline"`)))
	if err := h.Session(t.Context(), h.alice.Subject, sid, ended.BySignOut); err != nil {
		t.Errorf("Session = %v", err)
	}
	h.wantAlive(false, "the session and its grants", session.Key(h.alice.Subject, sid), g.Key(), damaged.Key())
}

func TestAnEngineThatIsAwayIsToldOfAndNothingHasEnded(t *testing.T) {
	h := open(t)
	sid := h.signIn(h.alice, "orders")
	g := h.begin(h.alice, sid, "orders", client.RefreshSession, 1)[0]
	h.store.before = func(int64) error { return errAway }
	ctx, alice := t.Context(), h.alice.Subject
	_, userErr := h.User(ctx, alice, ended.ByOperator, disable)
	_, rolesErr := h.Roles(ctx, alice, ended.ByRoleLoss, noRoles)
	for name, err := range map[string]error{
		"Grant":   h.Grant(ctx, g.Ref, ended.ByRevocation),
		"Session": h.Session(ctx, alice, sid, ended.BySignOut),
		"Consent": h.Consent(ctx, alice, "orders", ended.ByAccountPage),
		"Token":   h.Token(ctx, "robot", 7, ended.ByRevocation),
		"User":    userErr, "Roles": rolesErr,
	} {
		if !errors.Is(err, errAway) {
			t.Errorf("%s = %v, want the engine's error: nothing has ended", name, err)
		}
	}
	h.wantAlive(true, "everything", session.Key(alice, sid), g.Key())
	if u := h.userOf(h.alice); u.Epoch != 0 || u.TokenEpoch != 0 || u.Disabled || len(u.Roles) == 0 {
		t.Errorf("the user became %+v", u)
	}
	if n := len(h.journal()) + len(h.events()) + len(h.calls()); n != 0 {
		t.Errorf("%d records of what did not happen", n)
	}
}

// A change that is refused ends nothing, and whoever asked learns why.
func TestAChangeThatIsRefusedEndsNothing(t *testing.T) {
	h := open(t)
	sid := h.signIn(h.alice)
	refused := errors.New("no")
	ctx := t.Context()
	_, userErr := h.User(ctx, h.alice.Subject, ended.ByPasswordChange, func(*user.User) error { return refused })
	_, rolesErr := h.Roles(ctx, h.alice.Subject, ended.ByRoleLoss, func(*user.User) error { return refused })
	_, clientErr := h.Client(ctx, "orders", ended.ByOperator, func(*client.Client) error { return refused })
	for name, err := range map[string]error{
		"User": userErr, "Roles": rolesErr, "Client": clientErr,
		"Key": h.Key(ctx, "kid", ended.ByOperator, func(context.Context) error { return refused }),
	} {
		if !errors.Is(err, refused) {
			t.Errorf("%s = %v, want %v", name, err, refused)
		}
	}
	h.wantAlive(true, "the session", session.Key(h.alice.Subject, sid))
	if n := len(h.journal()) + len(h.events()); n != 0 {
		t.Errorf("%d records of what did not happen", n)
	}
}
