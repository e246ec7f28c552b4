package ended_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/outbox"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

// wantOne checks that the journal holds exactly the ending, with exactly the slots,
// that the audit log has the same story, and that the caller waited for it.
func (h *house) wantOne(want ended.Ending, slots []slot.Slot) {
	h.t.Helper()
	journal := h.journal()
	if len(journal) != 1 {
		h.t.Fatalf("the journal has %d records, want 1: %+v", len(journal), journal)
	}
	got := journal[0]
	if at := time.Since(got.Time); at < 0 || at > time.Minute {
		h.t.Errorf("it is dated %s", got.Time)
	}
	if keep := got.Expires.Sub(got.Time); keep != ended.Kept(lifetime) {
		h.t.Errorf("the record is kept for %s, want %s", keep, ended.Kept(lifetime))
	}
	marks := marked(got)
	for _, s := range slots {
		if !marks[s] {
			h.t.Errorf("slot %d is not in the record", s)
		}
	}
	if len(marks) != len(slots) {
		h.t.Errorf("%d slots ended, want %d", len(marks), len(slots))
	}
	if !slices.Equal(h.known, []store.Version{got.Position}) {
		h.t.Errorf("the caller waited for %v, want once for %d", h.known, got.Position)
	}
	story := h.events()
	if len(story) != 1 || story[0].What != string(got.Kind)+" ended" || story[0].Cause != string(got.Cause) ||
		story[0].Subject != got.Subject || story[0].SessionID != got.SessionID || story[0].GrantID != got.GrantID ||
		story[0].ClientID != got.ClientID || story[0].KeyID != got.KeyID || !story[0].Time.Equal(got.Time) {
		h.t.Errorf("the audit log says %+v of %+v", story, got)
	}
	got.Position, got.Expires, got.Time, got.Slots = 0, time.Time{}, time.Time{}, nil
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Errorf("the ending (-want +got):\n%s", diff)
	}
}

// wantCalls checks who is told.
func (h *house) wantCalls(want ...outbox.Call) {
	h.t.Helper()
	got := h.calls()
	for _, c := range want {
		at := slices.Index(got, c)
		if at < 0 {
			h.t.Errorf("nobody tells %+v", c)
			continue
		}
		got = slices.Delete(got, at, at+1)
	}
	for _, c := range got {
		h.t.Errorf("told as well: %+v", c)
	}
}

func TestEndingAGrantEndsItAlone(t *testing.T) {
	h := open(t)
	sid := h.signIn(h.alice, "orders")
	grants := h.begin(h.alice, sid, "orders", client.RefreshSession, 2)
	for range 2 { // ending what has ended is no error, and leaves no record
		if err := h.Grant(t.Context(), grants[0].Ref, ended.ByTokenReuse); err != nil {
			t.Errorf("Grant = %v", err)
		}
	}
	h.wantAlive(false, "the grant", grants[0].Key())
	h.wantAlive(true, "its neighbour and the session", grants[1].Key(), session.Key(h.alice.Subject, sid))
	h.wantOne(ended.Ending{
		Kind: ended.KindGrant, Cause: ended.ByTokenReuse, Subject: h.alice.Subject, SessionID: sid, GrantID: grants[0].ID, ClientID: "orders",
	}, slotsOf(grants[0]))
	h.wantCalls() // the person is still signed in
}

// OpenID Connect Core §11: offline access is access while the user is not there.
func TestSigningOutEndsTheSessionAndItsGrantsButForOfflineOnes(t *testing.T) {
	h := open(t)
	here, elsewhere, bobs := h.signIn(h.alice, "orders", "billing", "quiet", "removed"), h.signIn(h.alice, "orders"), h.signIn(h.bob, "orders")
	bound := h.begin(h.alice, here, "orders", client.RefreshSession, 2)
	bound = append(bound, h.begin(h.alice, here, "billing", client.RefreshNone, 1)...)
	offline := h.begin(h.alice, here, "orders", client.RefreshOffline, 2)
	others := append(h.begin(h.alice, elsewhere, "orders", client.RefreshSession, 1), h.begin(h.bob, bobs, "orders", client.RefreshSession, 1)...)
	for range 2 {
		if err := h.Session(t.Context(), h.alice.Subject, here, ended.BySignOut); err != nil {
			t.Fatal(err)
		}
	}
	h.wantAlive(false, "the session", session.Key(h.alice.Subject, here))
	h.wantAlive(false, "a grant of the session", keysOf(bound)...)
	h.wantAlive(true, "an offline grant", keysOf(offline)...)
	h.wantAlive(true, "a grant of another session", keysOf(others)...)
	h.wantAlive(true, "another session", session.Key(h.alice.Subject, elsewhere), session.Key(h.bob.Subject, bobs))
	h.wantOne(ended.Ending{Kind: ended.KindSession, Cause: ended.BySignOut, Subject: h.alice.Subject, SessionID: here}, slotsOf(bound...))
	h.wantCalls(
		outbox.Call{ClientID: "orders", Subject: h.alice.Subject, SessionID: here},
		outbox.Call{ClientID: "billing", Subject: h.alice.Subject, SessionID: here},
	)
}

// What a person allowed a client is over in every session and offline; what
// others allowed it, and what the person allowed others, is not.
func TestWithdrawingFromAClientEndsItsConsentAndGrantsOfThatPersonAlone(t *testing.T) {
	h := open(t)
	here, elsewhere, bobs := h.signIn(h.alice, "orders"), h.signIn(h.alice), h.signIn(h.bob)
	over := append(h.begin(h.alice, here, "orders", client.RefreshSession, 2), h.begin(h.alice, elsewhere, "orders", client.RefreshOffline, 2)...)
	consent := h.agree(h.alice, "orders")
	others := append(h.begin(h.bob, bobs, "orders", client.RefreshOffline, 1), h.begin(h.alice, here, "billing", client.RefreshOffline, 1)...)
	kept := append(keysOf(others), session.Key(h.alice.Subject, here), h.agree(h.bob, "orders"), h.agree(h.alice, "billing"))
	for range 2 {
		if err := h.Consent(t.Context(), h.alice.Subject, "orders", ended.ByAccountPage); err != nil {
			t.Errorf("Consent = %v", err)
		}
	}
	h.wantAlive(false, "what the client had", append(keysOf(over), consent)...)
	h.wantAlive(true, "what is not the client's, or not Alice's", kept...)
	h.wantOne(ended.Ending{
		Kind: ended.KindConsent, Cause: ended.ByAccountPage, Subject: h.alice.Subject, ClientID: "orders",
	}, slotsOf(over...))
	h.wantCalls()
}

// Whoever is disabled is out everywhere; a client that hears of the person hears
// once, and one that wants the sid hears of each.
func TestEndingAUserEndsEverythingOfTheirsAndNothingElse(t *testing.T) {
	h := open(t)
	first, second, bobs := h.signIn(h.alice, "orders", "billing"), h.signIn(h.alice, "quiet", "billing", "orders"), h.signIn(h.bob, "orders")
	grants := append(h.begin(h.alice, first, "orders", client.RefreshSession, 2), h.begin(h.alice, second, "orders", client.RefreshOffline, 2)...)
	grants = append(grants, h.begin(h.alice, second, "quiet", client.RefreshNone, 1)...)
	kept := append(keysOf(h.begin(h.bob, bobs, "orders", client.RefreshOffline, 1)), session.Key(h.bob.Subject, bobs))
	changed, err := h.User(t.Context(), h.alice.Subject, ended.ByOperator, disable)
	if err != nil {
		t.Fatal(err)
	}
	if !changed.Disabled || changed.Epoch != h.alice.Epoch+1 || changed.TokenEpoch != h.alice.TokenEpoch {
		t.Errorf("the user became %+v", changed)
	}
	if stored := h.userOf(h.alice); !stored.Disabled || stored.Epoch != changed.Epoch {
		t.Errorf("the store has %+v", stored)
	}
	h.wantAlive(false, "what is Alice's", append(keysOf(grants), session.Key(h.alice.Subject, first), session.Key(h.alice.Subject, second))...)
	h.wantAlive(true, "what is Bob's", kept...)
	h.wantOne(ended.Ending{Kind: ended.KindUser, Cause: ended.ByOperator, Subject: h.alice.Subject}, slotsOf(grants...))
	h.wantCalls(
		outbox.Call{ClientID: "orders", Subject: h.alice.Subject},
		outbox.Call{ClientID: "billing", Subject: h.alice.Subject, SessionID: first},
		outbox.Call{ClientID: "billing", Subject: h.alice.Subject, SessionID: second},
	)
}

// Sessions and grants go on: the next token says what is true.
func TestTakingARoleEndsTheTokensThatSpeakOfRolesAndNothingElse(t *testing.T) {
	h := open(t)
	sid := h.signIn(h.alice, "orders")
	silent := h.begin(h.alice, sid, "orders", client.RefreshSession, 2)
	roles, groups := h.grant(h.alice, sid, "orders", client.RefreshSession), h.grant(h.alice, sid, "orders", client.RefreshOffline)
	roles.Scopes, groups.Scopes = []string{"openid", client.ScopeRoles}, []string{client.ScopeGroups}
	h.commit(h.put(roles), h.put(groups))
	changed, err := h.Roles(t.Context(), h.alice.Subject, ended.ByRoleLoss, noRoles)
	if err != nil {
		t.Fatal(err)
	}
	if len(changed.Roles) != 0 || changed.TokenEpoch != h.alice.TokenEpoch+1 || changed.Epoch != h.alice.Epoch {
		t.Errorf("the user became %+v", changed)
	}
	if stored := h.userOf(h.alice); len(stored.Roles) != 0 || stored.TokenEpoch != changed.TokenEpoch {
		t.Errorf("the store has %+v", stored)
	}
	h.wantAlive(true, "what goes on", append(keysOf(silent), roles.Key(), groups.Key(), session.Key(h.alice.Subject, sid))...)
	h.wantOne(ended.Ending{Kind: ended.KindRoles, Cause: ended.ByRoleLoss, Subject: h.alice.Subject}, slotsOf(roles, groups))
	h.wantCalls()
}

// blocks are what Blocks says of every client here.
func blocks() []slot.Slot {
	slots := []slot.Slot{slot.At(8, 1)}
	for i := range uint32(64) {
		slots = append(slots, slot.At(7, 64+i))
	}
	return slots
}

func TestEndingAClientEndsAllSlotsThatItMayHoldInTheCommitThatChangesIt(t *testing.T) {
	h := open(t)
	sid := h.signIn(h.alice, "orders")
	kept := append(keysOf(h.begin(h.alice, sid, "orders", client.RefreshSession, 1)), session.Key(h.alice.Subject, sid))
	changed, err := h.Client(t.Context(), "orders", ended.ByOperator, func(c *client.Client) error { c.Disabled = true; return nil })
	if err != nil {
		t.Fatal(err)
	}
	stored, known := h.Clients.Find("orders")
	if !changed.Disabled || changed.TokenEpoch != 1 || !known || !stored.Disabled || stored.TokenEpoch != 1 {
		t.Errorf("the client became %+v, and is known as %+v", changed, stored)
	}
	h.wantAlive(true, "its grants, for a client that is enabled again", kept...)
	h.wantOne(ended.Ending{Kind: ended.KindClient, Cause: ended.ByOperator, ClientID: "orders"}, blocks())
	h.wantCalls()
}

func TestRemovingAClientEndsItsTokens(t *testing.T) {
	h := open(t)
	if err := h.RemoveClient(t.Context(), "orders", ended.ByOperator); err != nil {
		t.Fatal(err)
	}
	if _, known := h.Clients.Find("orders"); known {
		t.Error("the client is still there")
	}
	h.wantOne(ended.Ending{Kind: ended.KindClient, Cause: ended.ByOperator, ClientID: "orders"}, blocks())
}

func TestEndingAMachinesTokenEndsItAlone(t *testing.T) {
	h := open(t)
	for range 2 {
		if err := h.Token(t.Context(), "robot", 77, ended.ByRevocation); err != nil {
			t.Fatal(err)
		}
	}
	h.wantOne(ended.Ending{Kind: ended.KindToken, Cause: ended.ByRevocation, ClientID: "robot"}, []slot.Slot{77})
	if err := h.Token(t.Context(), "robot", 78, ended.ByRevocation); err != nil {
		t.Fatal(err)
	}
	if n := len(h.journal()); n != 2 {
		t.Errorf("%d records of two tokens", n)
	}
}
