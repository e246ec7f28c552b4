package token

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-id/signet/internal/slot"
)

func written(a Access) []byte {
	a.IssuedAt, a.Expires = time.Unix(1772366400, 0), time.Unix(1772367000, 0)
	return a.payload("https://id.example.com")
}

func examples() map[string]Access {
	bare := Access{Subject: "robot", ClientID: "robot", Audience: []string{"https://a.example.com"}, ID: "j", Slot: slot.At(7, 1)}
	full := bare
	full.Audience = []string{"https://a.example.com", "https://b.example.com"}
	full.Scopes, full.AuthTime, full.ACR, full.AMR, full.SessionID = []string{"openid", "a:read"}, time.Unix(1772366000, 0), "1", []string{"pwd", "otp"}, "s"
	full.Roles, full.Groups = []string{"admin"}, []string{"staff", "berlin"}
	foreign := full
	foreign.Roles = []string{"Geschäftsführer", `"`, `\`}
	return map[string]Access{"bare": bare, "with everything": full, "with what needs escaping": foreign}
}

func TestBothReadersReadTheSame(t *testing.T) {
	for name, a := range examples() {
		payload := written(a)
		var want claims
		if err := json.Unmarshal(payload, &want); err != nil {
			t.Fatal(err)
		}
		got, err := readClaims(payload)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-encoding/json +ours):\n%s", name, err, diff)
		}
	}
}

func TestWhatSignetWritesIsReadTheShortWay(t *testing.T) {
	for _, name := range []string{"bare", "with everything"} {
		s := scanner{rest: string(written(examples()[name]))}
		if _, ok := s.access(); !ok {
			t.Errorf("%s: left to encoding/json at %q", name, s.rest)
		}
	}
}

// Whatever the bytes are: what is read the short way means what encoding/json
// says that it means.
func FuzzTheShortWayAgreesWithTheLongOne(f *testing.F) {
	for _, a := range examples() {
		f.Add(written(a))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		s := scanner{rest: string(payload)}
		got, ok := s.access()
		if !ok {
			return
		}
		var want claims
		if err := json.Unmarshal(payload, &want); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", payload, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-encoding/json +ours):\n%s", payload, diff)
		}
	})
}
