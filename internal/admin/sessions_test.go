package admin_test

import (
	"slices"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/keys"
)

func TestSessionsAreListedWithTheirOriginAndTheirClientsOfOneUserAlone(t *testing.T) {
	h := newHouse(t)
	alice, bob := h.add("alice"), h.add("bob")
	sid := h.signIn(alice.Subject)
	h.signIn(bob.Subject)
	list, err := h.ListSessions(t.Context(), "alice")
	if err != nil || len(list) != 1 {
		t.Fatalf("got %+v, %v, want her one session", list, err)
	}
	got := list[0]
	if got.ID != sid || got.Subject != alice.Subject || got.Address != "192.0.2.7" || got.Agent != "Firefox/140.0" || !slices.Equal(got.Clients, []string{"shop"}) {
		t.Errorf("got %+v", got)
	}
	if got.Since.IsZero() || !got.Expires.After(got.Seen) {
		t.Errorf("it began %v, was seen %v and is over %v", got.Since, got.Seen, got.Expires)
	}
	_, err = h.ListSessions(t.Context(), "nobody")
	wantKind(t, err, fault.NotFound, "user")
}

// An operator who mistypes a name must not believe that the session is over.
func TestEndingASessionThatIsNotThereIsNotFoundAndEndsNothing(t *testing.T) {
	h := newHouse(t)
	alice, bob := h.add("alice"), h.add("bob")
	h.signIn(alice.Subject)
	bobs := h.signIn(bob.Subject)
	for _, sid := range []string{"", "x", bobs, "../" + bob.Subject + "/" + bobs} {
		wantKind(t, h.EndSession(t.Context(), "alice", sid), fault.NotFound, "sid")
	}
	wantKind(t, h.EndSession(t.Context(), "nobody", bobs), fault.NotFound, "user")
	wantKind(t, h.EndSessions(t.Context(), "nobody"), fault.NotFound, "user")
	if n := h.alive(alice.Subject) + h.alive(bob.Subject); n != 4 {
		t.Errorf("%d sessions and grants are alive, want all 4", n)
	}
	if n := len(h.journal()); n != 0 {
		t.Errorf("%d endings were recorded, want none", n)
	}
}

func TestEndingASessionSparesWhatIsOfflineAndTheOtherSessions(t *testing.T) {
	h := newHouse(t)
	alice := h.add("alice")
	sid, elsewhere := h.signIn(alice.Subject), h.signIn(alice.Subject)
	h.begin(grant.Ref{Subject: alice.Subject, SessionID: sid}, client.RefreshSession, slot.At(1, 7), "openid")
	if err := h.EndSession(t.Context(), "alice", sid); err != nil {
		t.Fatal(err)
	}
	last := h.lastEnding(ended.KindSession, ended.ByOperator)
	if last.SessionID != sid || !slices.Equal(last.Slots, []slot.Range{slot.Only(slot.At(1, 7))}) {
		t.Errorf("recorded %+v, want the session with the slot of its grant", last)
	}
	list, err := h.ListSessions(t.Context(), "alice")
	if err != nil || len(list) != 1 || list[0].ID != elsewhere {
		t.Errorf("left %+v, %v, want the other session", list, err)
	}
	if n := h.alive(alice.Subject); n != 3 {
		t.Errorf("%d are alive, want the other session and both offline grants", n)
	}
	wantKind(t, h.EndSession(t.Context(), "alice", sid), fault.NotFound, "sid")
}

func TestEndingAllOfAUserEndsOfflineGrantsTooAndLeavesTheUserEnabled(t *testing.T) {
	h := newHouse(t)
	alice, bob := h.add("alice"), h.add("bob")
	h.signIn(alice.Subject)
	h.signIn(alice.Subject)
	h.signIn(bob.Subject)
	if err := h.EndSessions(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	if h.alive(alice.Subject) != 0 || h.alive(bob.Subject) != 2 {
		t.Errorf("%d of hers and %d of his are alive, want none and both", h.alive(alice.Subject), h.alive(bob.Subject))
	}
	if u := h.record("alice"); u.Disabled || u.Epoch != 1 {
		t.Errorf("disabled %v, epoch %d; want her enabled, in another epoch", u.Disabled, u.Epoch)
	}
	h.lastEnding(ended.KindUser, ended.ByOperator)
}

func TestWhatEndedIsReadUpTheNewestFirst(t *testing.T) {
	h := newHouse(t)
	alice := h.add("alice")
	sid := h.signIn(alice.Subject)
	h.signIn(alice.Subject)
	if err := h.EndSession(t.Context(), "alice", sid); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond) // events of one millisecond have no order
	if err := h.EndSessions(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	events, err := h.ListAudit(t.Context(), "", 10)
	if err != nil || len(events) != 2 {
		t.Fatalf("got %+v, %v, want two events", events, err)
	}
	if events[0].What != "user ended" || events[1].What != "session ended" || events[1].SessionID != sid {
		t.Errorf("got %+v, want the user's ending before that of the session", events)
	}
	for _, e := range events {
		if e.Subject != alice.Subject || e.Cause != string(ended.ByOperator) || e.Time.IsZero() {
			t.Errorf("got %+v", e)
		}
	}
	first, err := h.ListAudit(t.Context(), "", 1)
	if err != nil || len(first) != 1 || first[0].ID != events[0].ID {
		t.Fatalf("got %+v, %v, want the newest", first, err)
	}
	second, err := h.ListAudit(t.Context(), first[0].ID, 10)
	if err != nil || len(second) != 1 || second[0].ID != events[1].ID {
		t.Errorf("got %+v, %v, want the one before", second, err)
	}
	_, err = h.ListAudit(t.Context(), "", 0)
	wantKind(t, err, fault.Invalid, "limit")
	_, err = h.ListAudit(t.Context(), "yesterday", 1)
	wantKind(t, err, fault.Invalid, "after")
}

func TestACompromisedKeyIsGoneAnotherSignsAndItIsRecorded(t *testing.T) {
	h := newHouse(t)
	stolen := h.ListKeys()[0]
	gone, err := h.CompromiseKey(t.Context(), stolen.ID)
	if err != nil || gone != stolen {
		t.Fatalf("got %+v, %v, want the key as it was", gone, err)
	}
	left := h.ListKeys()
	if len(left) == 0 || slices.ContainsFunc(left, func(k admin.KeyView) bool { return k.ID == stolen.ID }) {
		t.Errorf("the ring has %+v", left)
	}
	if !slices.ContainsFunc(left, func(k admin.KeyView) bool { return k.State == keys.Active }) {
		t.Error("no key signs")
	}
	if last := h.lastEnding(ended.KindKey, ended.ByOperator); last.KeyID != stolen.ID {
		t.Errorf("recorded the key %q, want %q", last.KeyID, stolen.ID)
	}
}

func TestCompromisingAKeyThatIsNotThereIsNotFoundAndChangesNothing(t *testing.T) {
	h := newHouse(t)
	before := h.ListKeys()
	_, err := h.CompromiseKey(t.Context(), "nothing")
	wantKind(t, err, fault.NotFound, "kid")
	if after := h.ListKeys(); !slices.Equal(before, after) || len(h.journal()) != 0 {
		t.Errorf("the ring was %+v and is %+v, with %d endings", before, after, len(h.journal()))
	}
}
