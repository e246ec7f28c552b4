package status_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/slot"
)

// Everybody may read both, so neither may say whose token it was (Token Status
// List §12.4).
func TestTheStreamAndTheListsNameNobody(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.run(t)
	n.register(t, "robot")
	at := n.take(t, "robot")
	e := n.listen(t, "")
	e.next(t)
	v := n.end(t, s, ended.Ending{
		Kind: ended.KindSession, Cause: ended.BySignOut, Subject: "alice-sub", SessionID: "alice-sid", GrantID: "alice-grant",
		ClientID: "robot", KeyID: "alice-kid", Slots: []slot.Range{slot.Only(at)},
	})
	said := []string{}
	for position := uint64(0); position < uint64(v); {
		m := e.next(t)
		position, said = m.Position, append(said, m.JWS)
	}
	list, _ := n.list(t, at.List())
	for _, jws := range append(said, string(list.JWT)) {
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(jws, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"alice", "robot", "sign-out", "session"} {
			if strings.Contains(string(payload), secret) {
				t.Errorf("%.300s speaks of %q", payload, secret)
			}
		}
	}
}

// A list that was asked for before is packed anew when a bit is set.
func TestAListThatWasServedHasTheNextBitToo(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.register(t, "robot")
	at := n.take(t, "robot")
	n.end(t, s, only(at))
	n.list(t, at.List())
	n.end(t, s, only(at+1))
	_, claims := n.list(t, at.List())
	raw := inflate(t, claims.List.Lst)
	for i, want := range []bool{true, true, false} {
		if s := at + slot.Slot(i); isSet(raw, s) != want {
			t.Errorf("slot %d is set %t, want %t", i, isSet(raw, s), want)
		}
	}
}

// Of messages that nobody has read yet, memory would run out.
func TestWhoIsTooFarBehindIsDropped(t *testing.T) {
	n := start(t, newStore(t))
	slow := newEar()
	slow.stuck = make(chan struct{})
	n.join(t, "").Detach(slow)
	for range 600 {
		if err := n.Hub.Say(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	close(slow.stuck)
	eventually(t, "it is dropped", slow.closed.Load)
}
