package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/keys"
)

// The claims of RFC 9068 §2.2 and of the IETF Token Status List §6.2, in their
// fixed order.
const aliceClaims = `{"iss":"https://id.example.com","sub":"qUcWNYOqjdYAnZ5rIyMOLQ","aud":"https://orders.example.com",` +
	`"exp":1772367000,"iat":1772366400,"jti":"9eZ8mVvLKHnEBRkPZXcbcTNQbMvWOvQd","client_id":"orders",` +
	`"scope":"openid orders:read","auth_time":1772362800,"acr":"1","amr":["pwd"],"sid":"wTQfTSlWWj2LDmmc3GcL2g",` +
	`"roles":["admin"],"groups":["staff","berlin"],` +
	`"status":{"status_list":{"idx":12345,"uri":"https://id.example.com/status/29396000"}}}`

func TestAnAccessTokenSaysWhatRFC9068Asks(t *testing.T) {
	compact := access(t, newMint(t), alice())
	if diff := cmp.Diff(aliceClaims, part(t, compact, 1)); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	var header map[string]any
	if err := json.Unmarshal([]byte(part(t, compact, 0)), &header); err != nil {
		t.Fatal(err)
	}
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] == nil || len(header) != 3 {
		t.Errorf("header = %v, want typ at+jwt, alg and kid", header)
	}
	t.Logf("the token has %d bytes", len(compact))
	if len(compact) >= 900 {
		t.Errorf("the token has %d bytes, want under 900", len(compact))
	}
}

func TestAMachinesTokenSaysNothingOfAUser(t *testing.T) {
	compact := access(t, newMint(t), token.Access{
		Subject: "m", ClientID: "m", Audience: []string{"https://a", "https://b"}, ID: "1", Slot: slot.At(1, 0),
	})
	want := `{"iss":"https://id.example.com","sub":"m","aud":["https://a","https://b"],"exp":1772367000,"iat":1772366400,"jti":"1","client_id":"m",` +
		`"status":{"status_list":{"idx":0,"uri":"https://id.example.com/status/1"}}}`
	if got := part(t, compact, 1); got != want {
		t.Errorf("claims = %s\nwant     %s", got, want)
	}
}

func TestATokenWithoutAnAudienceIsNotSigned(t *testing.T) {
	a := alice()
	a.Audience = nil
	if compact, err := newMint(t).Access(t.Context(), a, now()); err == nil {
		t.Errorf("Access = %s, want an error", compact)
	}
}

// Nobody could end it before its time.
func TestATokenWithoutASlotIsNotSigned(t *testing.T) {
	a := alice()
	a.Slot = 0
	if compact, err := newMint(t).Access(t.Context(), a, now()); err == nil {
		t.Errorf("Access = %s, want an error", compact)
	}
}

func TestAnAccessTokenIsReadBackAsItWasWritten(t *testing.T) {
	m := newMint(t)
	want := alice()
	want.IssuedAt, want.Expires = now(), now().Add(10*time.Minute)
	got, err := m.ParseAccess(access(t, m, alice()), now())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}

func TestAnIDTokenSaysWhatOpenIDConnectAsksAndNothingElse(t *testing.T) {
	m := newMint(t)
	id := token.ID{
		Subject: "alice", ClientID: "orders", Nonce: `n"1`, AuthTime: now().Add(-time.Minute), ACR: "2",
		AMR: []string{"mfa", "otp", "pwd"}, SessionID: "s1",
	}
	want := `{"iss":"https://id.example.com","sub":"alice","aud":"orders","exp":1772370000,"iat":1772366400,"nonce":"n\"1",` +
		`"auth_time":1772366340,"acr":"2","amr":["mfa","otp","pwd"],"sid":"s1"}`
	if got := part(t, idToken(t, m, keys.ES256, id), 1); got != want {
		t.Errorf("claims = %s\nwant     %s", got, want)
	}
	// No empty claims (OpenID Connect Core §5.3.2).
	for name := range claimsOf(t, idToken(t, m, keys.ES256, token.ID{Subject: "alice", ClientID: "orders"})) {
		if !slices.Contains([]string{"iss", "sub", "aud", "exp", "iat"}, name) {
			t.Errorf("an ID token that was asked for nothing has the claim %s", name)
		}
	}
	if got := part(t, idToken(t, m, keys.ES256, id), 0); !strings.Contains(got, `"typ":"JWT"`) {
		t.Errorf("header = %s", got)
	}
}

// The left half of the hash that the ID token's own algorithm uses (OpenID
// Connect Core §3.1.3.6). The first value is that section's own example: of the
// code that OpenID Connect Core §A.4 hashes into c_hash.
func TestAtHashIsTheLeftHalfOfTheAlgorithmsHash(t *testing.T) {
	const text = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"
	m := mintOf(plain{})
	for alg, want := range map[keys.Algorithm]string{
		keys.ES256: "LDktKdoQak3Pk0cnXxCltA",
		keys.RS256: "LDktKdoQak3Pk0cnXxCltA",
		keys.PS256: "LDktKdoQak3Pk0cnXxCltA",
		keys.EdDSA: "", // SHA-512 (RFC 8032 §5.1): 32 bytes
	} {
		_, claims, _ := strings.Cut(idToken(t, m, alg, token.ID{Subject: "a", ClientID: "c", AccessToken: text}), ".")
		var c struct {
			AtHash string `json:"at_hash"`
		}
		if err := json.Unmarshal([]byte(claims), &c); err != nil {
			t.Fatal(err)
		}
		if want != "" && c.AtHash != want {
			t.Errorf("%s: at_hash = %q, want %q", alg, c.AtHash, want)
		}
		if alg == keys.EdDSA && len(c.AtHash) != 43 {
			t.Errorf("EdDSA: at_hash = %q, want half a SHA-512", c.AtHash)
		}
	}
}

var errNoKey = errors.New("no key")

type keyless struct{ plain }

func (keyless) Sign(context.Context, keys.Algorithm, string, []byte) (string, error) {
	return "", errNoKey
}

func TestATokenThatCanNotBeSignedIsAnError(t *testing.T) {
	m := mintOf(keyless{})
	if _, err := m.Access(t.Context(), alice(), now()); !errors.Is(err, errNoKey) {
		t.Errorf("Access = %v, want %v", err, errNoKey)
	}
	if _, err := m.ID(t.Context(), keys.ES256, token.ID{}, now()); !errors.Is(err, errNoKey) {
		t.Errorf("ID = %v, want %v", err, errNoKey)
	}
}

func TestAnIDTokenIsSignedAsItsClientRegistered(t *testing.T) {
	m := newMint(t)
	for _, alg := range []keys.Algorithm{keys.ES256, keys.EdDSA} {
		if got := part(t, idToken(t, m, alg, token.ID{Subject: "a", ClientID: "c"}), 0); !strings.Contains(got, `"alg":"`+string(alg)+`"`) {
			t.Errorf("%s: header = %s", alg, got)
		}
	}
}

func BenchmarkAccessClaims(b *testing.B) {
	m, a := mintOf(discard{}), alice()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Access(b.Context(), a, now()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAccessSigned(b *testing.B) {
	m, a := newMint(b), alice()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Access(b.Context(), a, now()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAccess(b *testing.B) {
	m := newMint(b)
	compact := access(b, m, alice())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.ParseAccess(compact, now()); err != nil {
			b.Fatal(err)
		}
	}
}

// discard signs for free, so that the claims are all that is measured.
type discard struct{ plain }

func (discard) Sign(context.Context, keys.Algorithm, string, []byte) (string, error) { return "", nil }
