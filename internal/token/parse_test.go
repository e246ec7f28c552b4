package token_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/keys"
)

// wantNotActive checks that the token is refused and that a stranger learns
// nothing of why.
func wantNotActive(t *testing.T, m *token.Mint, compact string, at time.Time) {
	t.Helper()
	got, err := m.ParseAccess(compact, at)
	if fault.KindOf(err) != fault.Unauthenticated || got.Subject != "" {
		t.Errorf("ParseAccess = %+v, %v, want fault.Unauthenticated", got, err)
	}
	if _, message := fault.Public(err); message != "the access token is not valid, or has expired" {
		t.Errorf("a stranger reads %q", message)
	}
}

func TestAnAccessTokenIsWorthNothingOnceExpired(t *testing.T) {
	m := newMint(t)
	compact := access(t, m, alice())
	if _, err := m.ParseAccess(compact, now().Add(10*time.Minute-time.Second)); err != nil {
		t.Errorf("a second before: %v", err)
	}
	wantNotActive(t, m, compact, now().Add(10*time.Minute))
	wantNotActive(t, m, compact, now().Add(time.Hour))
}

// RFC 8725 §3.11, RFC 9068 §4: an ID token is no access token, and nothing else
// that the same keys sign is one.
func TestOnlyWhatWasIssuedAsAnAccessTokenIsOne(t *testing.T) {
	ring := newRing(t)
	m := mintOf(ring)
	for _, typ := range []string{"", "JWT", "logout+jwt", "statuslist+jwt", "at", "jwt", "xat+jwt", "at+jwt "} {
		t.Run(typ, func(t *testing.T) { wantNotActive(t, m, signed(t, ring, typ, aliceClaims), now()) })
	}
	wantNotActive(t, m, idToken(t, m, keys.ES256, token.ID{Subject: "alice", ClientID: "orders"}), now())
	for _, typ := range []string{"at+jwt", "AT+JWT"} { // media types have no case (RFC 9068 §4)
		if _, err := m.ParseAccess(signed(t, ring, typ, aliceClaims), now()); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

func TestATokenOfAnotherIssuerIsRefusedThoughOurKeySignedIt(t *testing.T) {
	ring := newRing(t)
	m := mintOf(ring)
	for _, iss := range []string{"", "https://id.example.com/", "https://ID.example.com", "https://id.example.com.evil", "http://id.example.com"} {
		claims := strings.Replace(aliceClaims, issuer, iss, 1)
		wantNotActive(t, m, signed(t, ring, token.TypeAccess, claims), now())
	}
	wantNotActive(t, m, signed(t, ring, token.TypeAccess, strings.Replace(aliceClaims, `"iss":"https://id.example.com",`, "", 1)), now())
}

func TestATokenThatSaysNoExpiryHasExpired(t *testing.T) {
	ring := newRing(t)
	claims := strings.Replace(aliceClaims, `"exp":1772367000,`, "", 1)
	wantNotActive(t, mintOf(ring), signed(t, ring, token.TypeAccess, claims), now())
}

// Whoever asks about such a token could only guess whether it has ended.
func TestATokenThatNamesNoSlotOfOursIsRefused(t *testing.T) {
	ring := newRing(t)
	m := mintOf(ring)
	const status = `,"status":{"status_list":{"idx":12345,"uri":"https://id.example.com/status/29396000"}}`
	if !strings.Contains(aliceClaims, status) {
		t.Fatal("the pattern itself")
	}
	for _, other := range []string{
		"", `,"status":{}`, `,"status":{"status_list":{}}`, `,"status":{"status_list":{"idx":12345}}`,
		`,"status":{"status_list":{"idx":0,"uri":"https://id.example.com/status/0"}}`,
		`,"status":{"status_list":{"idx":1048576,"uri":"https://id.example.com/status/29396000"}}`,
		`,"status":{"status_list":{"idx":-1,"uri":"https://id.example.com/status/29396000"}}`,
		`,"status":{"status_list":{"idx":12345,"uri":"https://else.example.com/status/29396000"}}`,
		`,"status":{"status_list":{"idx":12345,"uri":"/status/29396000"}}`,
		`,"status":{"status_list":{"idx":12345,"uri":"https://id.example.com/status/29396000/"}}`,
		`,"status":{"status_list":{"idx":12345,"uri":"https://id.example.com/status/029396000"}}`,
	} {
		t.Run(other, func(t *testing.T) {
			wantNotActive(t, m, signed(t, ring, token.TypeAccess, strings.Replace(aliceClaims, status, other, 1)), now())
		})
	}
}

func TestWhatNoKeyOfOursSignedIsRefused(t *testing.T) {
	m := newMint(t)
	compact := access(t, m, alice())
	parts := strings.Split(compact, ".")
	other := access(t, newMint(t), alice())
	for name, text := range map[string]string{
		"nothing": "", "no token": "x.y.z", "no signature": parts[0] + "." + parts[1] + ".",
		"other claims":      parts[0] + "." + strings.Split(access(t, m, token.Access{Subject: "root", Audience: []string{"a"}, Slot: 1}), ".")[1] + "." + parts[2],
		"another key ring":  other,
		"with a line break": compact + "\n",
	} {
		t.Run(name, func(t *testing.T) { wantNotActive(t, m, text, now()) })
	}
}

func TestClaimsThatAreNoJSONAreRefused(t *testing.T) {
	ring := newRing(t)
	for _, claims := range []string{"", "null", "[]", "{", `{"iss":1}`, `{"iss":"https://id.example.com","exp":"later"}`, `{"iss":"https://id.example.com","aud":{}}`} {
		wantNotActive(t, mintOf(ring), signed(t, ring, token.TypeAccess, claims), now())
	}
}

// RP-Initiated Logout §2: an expired hint is accepted, and still says who.
func TestAHintIsAnIDTokenOfOursExpiredOrNot(t *testing.T) {
	m := newMint(t)
	long, err := m.ID(t.Context(), keys.EdDSA, token.ID{Subject: "alice", ClientID: "orders", SessionID: "s1"}, now().Add(-1000*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, compact := range []string{idToken(t, m, keys.ES256, token.ID{Subject: "alice", ClientID: "orders", SessionID: "s1"}), long} {
		got, err := m.ParseHint(compact)
		if want := (token.Hint{Subject: "alice", ClientID: "orders", SessionID: "s1"}); err != nil || got != want {
			t.Errorf("ParseHint = %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestWhatIsNoIDTokenOfOursIsNoHint(t *testing.T) {
	ring := newRing(t)
	m := mintOf(ring)
	claims := func(iss, sub, aud string) string {
		return fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":%s,"exp":1772367000}`, iss, sub, aud)
	}
	good := claims(issuer, "alice", `"orders"`)
	if _, err := m.ParseHint(signed(t, ring, token.TypeID, good)); err != nil {
		t.Fatalf("the pattern itself: %v", err)
	}
	for name, text := range map[string]string{
		"nothing":            "",
		"alg none":           "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.",
		"an access token":    access(t, m, alice()),
		"a logout token":     signed(t, ring, "logout+jwt", good),
		"a status list":      signed(t, ring, "statuslist+jwt", good),
		"no type":            signed(t, ring, "", good),
		"another issuer":     signed(t, ring, token.TypeID, claims("https://else.example.com", "alice", `"orders"`)),
		"nobody":             signed(t, ring, token.TypeID, claims(issuer, "", `"orders"`)),
		"no audience":        signed(t, ring, token.TypeID, claims(issuer, "alice", `[]`)),
		"two audiences":      signed(t, ring, token.TypeID, claims(issuer, "alice", `["orders","billing"]`)),
		"no JSON":            signed(t, ring, token.TypeID, "alice"),
		"another key ring's": signed(t, newRing(t), token.TypeID, good),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := m.ParseHint(text)
			if field, _ := fault.Public(err); fault.KindOf(err) != fault.Invalid || field != "id_token_hint" || got != (token.Hint{}) {
				t.Errorf("ParseHint = %+v, %v, want fault.Invalid on id_token_hint", got, err)
			}
		})
	}
}
