package verify_test

import (
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"

	"github.com/signet-id/signet/pkg/verify"
)

// Whatever verifies is byte for byte a token that was signed here. Ed25519 is
// used because its signatures have one form only; an ECDSA signature (r, s) can
// be turned into (r, -s) by anybody, for the same claims.
func FuzzWhateverVerifiesWasSigned(f *testing.F) {
	s := &signer{kid: "k1", alg: verify.EdDSA, key: ed25519.NewKeyFromSeed(make([]byte, 32))}
	// The signed tokens outlive the fuzzing, and are the same in every process.
	lasting := object{"iat": 1, "exp": 4102444800, "auth_time": 1, "jti": "t-1"}
	signed := map[string]bool{s.token(lasting): true, s.token(change(lasting, object{"sub": "u-bob"})): true}
	v := newIssuer(s).verifier(f)
	for raw := range signed {
		wantAccepted(f, v, raw)
		parts := strings.Split(raw, ".")
		for _, seed := range []string{
			raw, raw + ".", raw + "=", raw + "\n", " " + raw, parts[0] + "." + parts[1], strings.ToLower(raw),
			encode([]byte(`{"typ":"at+jwt","alg":"none","kid":"k1"}`)) + "." + parts[1] + ".",
			parts[0] + "\n." + parts[1] + "." + parts[2], raw[:len(raw)-1] + "B",
		} {
			f.Add(seed)
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		tok, err := v.Verify(t.Context(), raw)
		if (err == nil) != signed[raw] {
			t.Errorf("Verify(%q): %v", raw, err)
		}
		if tok.Valid() != signed[raw] {
			t.Errorf("Verify(%q) returned a token that is valid: %v", raw, tok.Valid())
		}
	})
}

// Whatever header and claims the issuer signs, a token that is accepted says of
// itself what encoding/json reads in its payload, so that Token.Claims and the
// accessors never disagree.
func FuzzAccessorsAgreeWithEncodingJSON(f *testing.F) {
	s := &signer{kid: "k1", alg: verify.EdDSA, key: ed25519.NewKeyFromSeed(make([]byte, 32))}
	v := newIssuer(s).verifier(f, verify.WithMemory(0))
	lasting := object{"iat": 1, "exp": 4102444800, "auth_time": 1}
	f.Add(string(mustJSON(change(goodClaims(), lasting))))
	f.Add(`{"iss":"https://id.example.com","aud":["https:\/\/orders.example.com"],"exp":4102444800.5,"iat":1e0,` +
		`"s\u0075b":"\ud83d\ude00","jti":"x","client_id":"c","x":[{"a":"}\\"}],"scope":" a  b "}`)
	f.Fuzz(func(t *testing.T, payload string) {
		tok, err := v.Verify(t.Context(), s.signParts(`{"typ":"at+jwt","alg":"EdDSA","kid":"k1"}`, payload))
		if err != nil {
			return
		}
		var want map[string]any // unlike a struct, a map is filled by exact names
		if err := json.Unmarshal([]byte(payload), &want); err != nil {
			t.Fatalf("accepted %q, which is no JSON: %v", payload, err)
		}
		if tok.Subject() != want["sub"] || tok.ClientID() != want["client_id"] || tok.ID() != want["jti"] {
			t.Errorf("%q: subject %q, client %q, id %q", payload, tok.Subject(), tok.ClientID(), tok.ID())
		}
		if scope, _ := want["scope"].(string); strings.Join(tok.Scopes(), " ") != strings.Join(strings.Fields(scope), " ") {
			t.Errorf("%q: scopes %q", payload, tok.Scopes())
		}
		if _, bound := want["cnf"]; bound {
			t.Errorf("%q was accepted though it is bound", payload)
		}
	})
}
