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
