package keys_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/signet-id/signet/keys"
)

func TestWhatTheRingSignsVerifies(t *testing.T) {
	r := open(t, &storage{}, policy, keys.Algorithms()...)
	for _, alg := range keys.Algorithms() {
		for _, claims := range []string{`{"sub":"alice"}`, `{}`, "", strings.Repeat("x", 4000)} {
			token, err := r.Sign(t.Context(), alg, "at+jwt", []byte(claims))
			if err != nil {
				t.Fatal(err)
			}
			header, payload, err := r.Verify(token)
			if err != nil {
				t.Fatalf("%s: Verify = %v", alg, err)
			}
			want := keys.Header{Alg: alg, Kid: keysOf(r, alg, keys.Active)[0].ID, Typ: "at+jwt"}
			if header != want || string(payload) != claims {
				t.Errorf("Verify = %v, %q; want %v, %q", header, payload, want, claims)
			}
		}
	}
}

func TestAForeignImplementationVerifiesWhatTheRingSigns(t *testing.T) {
	r := open(t, &storage{}, policy, keys.Algorithms()...)
	set, err := jwk.Parse(r.JWKS().Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range keys.Algorithms() {
		times := 3
		if alg == keys.ES256 {
			times = 1000 // it needs padding once in 128 times (RFC 7518 §3.4)
		}
		for i := range times {
			claims := fmt.Appendf(nil, `{"n":%d}`, i)
			token, err := r.Sign(t.Context(), alg, "JWT", claims)
			if err != nil {
				t.Fatal(err)
			}
			payload, err := jws.Verify([]byte(token), jws.WithKeySet(set, jws.WithRequireKid(true)))
			if err != nil || !bytes.Equal(payload, claims) {
				t.Fatalf("%s: jwx returns %q, %v", alg, payload, err)
			}
		}
	}
}

func TestTheHeaderHasTypOnlyWhenAsked(t *testing.T) {
	r := open(t, &storage{}, policy, keys.EdDSA)
	kid := r.List()[0].ID
	for typ, want := range map[string]string{
		"":       `{"alg":"EdDSA","kid":"` + kid + `"}`,
		"at+jwt": `{"alg":"EdDSA","kid":"` + kid + `","typ":"at+jwt"}`,
	} {
		for range 2 { // made, then remembered
			token, err := r.Sign(t.Context(), keys.EdDSA, typ, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
			if err != nil || string(got) != want {
				t.Errorf("header = %s, %v; want %s", got, err, want)
			}
		}
	}
}

func TestManyTypsDoNotFillTheMemory(t *testing.T) {
	r := open(t, &storage{}, policy, keys.EdDSA)
	for i := range 200 {
		token, err := r.Sign(t.Context(), keys.EdDSA, fmt.Sprint("t", i), nil)
		if err != nil {
			t.Fatal(err)
		}
		if header, _, err := r.Verify(token); err != nil || header.Typ != fmt.Sprint("t", i) {
			t.Fatalf("Verify = %v, %v", header, err)
		}
	}
	if got := r.Headers(keys.EdDSA); got > 32 {
		t.Errorf("%d headers are remembered", got)
	}
}

// Of R and S each has 32 bytes: with one zero more they would be the same
// numbers, and the token another (RFC 7518 §3.4).
func TestAnES256SignatureOfAnotherLengthIsRefused(t *testing.T) {
	r := open(t, &storage{}, policy, keys.ES256)
	token := sign(t, r, keys.ES256)
	cut := strings.LastIndexByte(token, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(token[cut:])
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"a zero before S": slices.Insert(slices.Clone(signature), 32, 0),
		"a zero before R": slices.Insert(slices.Clone(signature), 0, 0),
		"half of it":      signature[:32],
		"nothing":         nil,
	} {
		_, _, err := r.Verify(token[:cut] + base64.RawURLEncoding.EncodeToString(bad))
		if !errors.Is(err, keys.ErrSignature) {
			t.Errorf("%s: Verify = %v, want ErrSignature", name, err)
		}
	}
}

func TestSigningAllocatesLittleBesidesTheSignature(t *testing.T) {
	r := open(t, &storage{}, policy, keys.EdDSA)
	sign(t, r, keys.EdDSA) // makes the header
	// The signature, the buffer, the string.
	if got := testing.AllocsPerRun(100, func() { sign(t, r, keys.EdDSA) }); got > 4 {
		t.Errorf("%.0f allocations, want at most 4", got)
	}
}

// forge signs any header with a key of the ring, as the ring never would.
func forge(t *testing.T, s *storage, alg keys.Algorithm, header string) string {
	t.Helper()
	id, private := privateKey(t, s, alg)
	input := encodePart(strings.ReplaceAll(header, "KID", id)) + "." + encodePart(`{"sub":"alice"}`)
	signature, err := keys.SignInput(alg, private, []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func encodePart(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestATokenWithAnotherHeaderThanOursIsMalformedThoughOurKeySignedIt(t *testing.T) {
	s := &storage{}
	r := open(t, s, policy, keys.EdDSA)
	if _, _, err := r.Verify(forge(t, s, keys.EdDSA, `{"alg":"EdDSA","kid":"KID"}`)); err != nil {
		t.Fatalf("the forger cannot even make a good one: %v", err)
	}
	for name, header := range map[string]string{
		"RFC 7515 §4.1.11 crit": `{"alg":"EdDSA","kid":"KID","crit":["exp"]}`,
		"RFC 7797 b64":          `{"alg":"EdDSA","kid":"KID","b64":false}`,
		"an embedded key":       `{"alg":"EdDSA","kid":"KID","jwk":{}}`,
		"a key's address":       `{"alg":"EdDSA","kid":"KID","jku":"https://evil.example"}`,
		"a second JSON value":   `{"alg":"EdDSA","kid":"KID"}{}`,
		"no object":             `["EdDSA","KID"]`,
		"no JSON":               `alg=EdDSA`,
		"nothing":               ``,
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := r.Verify(forge(t, s, keys.EdDSA, header)); !errors.Is(err, keys.ErrMalformed) {
				t.Errorf("Verify = %v, want ErrMalformed", err)
			}
		})
	}
}

func TestAlgorithmConfusionIsRefused(t *testing.T) {
	s := &storage{}
	r := open(t, s, policy, keys.RS256, keys.PS256, keys.ES256)
	for _, test := range []struct {
		signed keys.Algorithm
		claims string
	}{
		{keys.RS256, "PS256"}, {keys.PS256, "RS256"}, // the same kind of key (RFC 8725 §3.1)
		{keys.RS256, "none"}, {keys.RS256, "HS256"}, {keys.ES256, "ES384"}, {keys.ES256, ""}, {keys.ES256, "es256"},
	} {
		// Once as signed by the key's own algorithm, once as the token claims.
		token := forge(t, s, test.signed, `{"alg":"`+test.claims+`","kid":"KID"}`)
		if _, _, err := r.Verify(token); !errors.Is(err, keys.ErrSignature) {
			t.Errorf("a key of %s, a token of %q: Verify = %v, want ErrSignature", test.signed, test.claims, err)
		}
		id, private := privateKey(t, s, test.signed)
		input := encodePart(`{"alg":"`+test.claims+`","kid":"`+id+`"}`) + "." + encodePart("{}")
		if alg, err := keys.ParseAlgorithm(test.claims); err == nil {
			signature, err := keys.SignInput(alg, private, []byte(input))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := r.Verify(input + "." + base64.RawURLEncoding.EncodeToString(signature)); !errors.Is(err, keys.ErrSignature) {
				t.Errorf("a key of %s used for %s: Verify = %v, want ErrSignature", test.signed, alg, err)
			}
		}
	}
}

func TestATokenNamingNoKeyOfTheRingIsUnknown(t *testing.T) {
	r, other := open(t, &storage{}, policy, keys.EdDSA), open(t, &storage{}, policy, keys.EdDSA)
	if _, _, err := r.Verify(sign(t, other, keys.EdDSA)); !errors.Is(err, keys.ErrUnknownKey) {
		t.Errorf("another issuer's: Verify = %v, want ErrUnknownKey", err)
	}
	unnamed := encodePart(`{"alg":"EdDSA"}`) + "." + encodePart("{}") + "." + encodePart("signature")
	if _, _, err := r.Verify(unnamed); !errors.Is(err, keys.ErrUnknownKey) {
		t.Errorf("nobody's: Verify = %v, want ErrUnknownKey", err)
	}
}

func TestATokenOfAnotherShapeIsMalformed(t *testing.T) {
	r := open(t, &storage{}, policy, keys.EdDSA)
	token := sign(t, r, keys.EdDSA)
	parts := strings.Split(token, ".")
	whole, err := json.Marshal(map[string]string{"protected": parts[0], "payload": parts[1], "signature": parts[2]})
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"empty":                         "",
		"two parts":                     parts[0] + "." + parts[1],
		"four parts":                    token + ".",
		"five parts, as a JWE has":      token + ".x.y",
		"JSON serialization":            string(whole),
		"padding":                       token + "==",
		"standard base64":               parts[0] + "." + parts[1] + "." + "+/" + parts[2][2:],
		"a line break at the end":       token + "\n",
		"a line break in the signature": token[:len(token)-3] + "\r\n" + token[len(token)-3:],
		"a space":                       " " + token,
		"non-zero last bits":            lastBits(token),
		"too long":                      token + strings.Repeat("A", keys.MaxToken),
	} {
		t.Run(name, func(t *testing.T) {
			if bad == token {
				t.Fatal("the token is unchanged")
			}
			if _, _, err := r.Verify(bad); !errors.Is(err, keys.ErrMalformed) {
				t.Errorf("Verify = %v, want ErrMalformed", err)
			}
		})
	}
}

// lastBits sets the bits of the last character that no byte of a 64-byte signature uses.
func lastBits(token string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	return token[:len(token)-1] + alphabet[last+1:last+2]
}

func TestATokenAtTheSizeLimitIsReadAndOneByteMoreIsNot(t *testing.T) {
	r := open(t, &storage{}, policy, keys.EdDSA)
	empty := len(signOf(t, r, 0))
	fits := base64.RawURLEncoding.DecodedLen(keys.MaxToken - empty)
	if token := signOf(t, r, fits); len(token) > keys.MaxToken || len(token) < keys.MaxToken-1 {
		t.Fatalf("a token of %d bytes", len(token))
	} else if _, _, err := r.Verify(token); err != nil {
		t.Errorf("%d bytes: Verify = %v", len(token), err)
	}
	if _, _, err := r.Verify(signOf(t, r, fits+1)); !errors.Is(err, keys.ErrMalformed) {
		t.Errorf("beyond the limit: Verify = %v, want ErrMalformed", err)
	}
}

func signOf(t *testing.T, r *keys.Ring, size int) string {
	t.Helper()
	token, err := r.Sign(t.Context(), keys.EdDSA, "at+jwt", bytes.Repeat([]byte("x"), size))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestNoSingleCharacterOfATokenCanBeChanged(t *testing.T) {
	r := open(t, &storage{}, policy, keys.ES256, keys.EdDSA, keys.RS256)
	for _, alg := range []keys.Algorithm{keys.ES256, keys.EdDSA, keys.RS256} {
		token := sign(t, r, alg)
		digest := sha256.Sum256([]byte(token))
		for i := range token {
			for _, c := range []byte{'A', '_', '.', '\n', token[i] ^ 1, token[i] + 1, digest[i%32]} {
				changed := token[:i] + string(rune(c)) + token[i+1:]
				if _, _, err := r.Verify(changed); changed != token && err == nil {
					t.Fatalf("%s: verified with character %d as %q", alg, i, c)
				}
			}
			if _, _, err := r.Verify(token[:i] + token[i+1:]); err == nil {
				t.Fatalf("%s: verified without character %d", alg, i)
			}
			if _, _, err := r.Verify(token[:i] + "\n" + token[i:]); err == nil {
				t.Fatalf("%s: verified with a line break at %d", alg, i)
			}
		}
	}
}

// Whatever verifies was signed by us: any edit of a token is refused, and so
// is any other string.
func FuzzVerifyAcceptsOnlyWhatWasSigned(f *testing.F) {
	r := open(f, &storage{}, policy, keys.ES256, keys.EdDSA, keys.RS256)
	var tokens []string
	for _, alg := range []keys.Algorithm{keys.ES256, keys.EdDSA, keys.RS256} {
		tokens = append(tokens, sign(f, r, alg))
	}
	f.Add(uint8(0), uint16(0), uint16(0), "")
	f.Add(uint8(1), uint16(9), uint16(1), "x")
	f.Add(uint8(1), uint16(999), uint16(0), "\n")
	f.Add(uint8(2), uint16(0), uint16(999), "e30.e30.")
	f.Fuzz(func(t *testing.T, which uint8, at, cut uint16, insert string) {
		token := tokens[int(which)%len(tokens)]
		from := min(int(at), len(token))
		to := min(from+int(cut), len(token))
		edited := token[:from] + insert + token[to:]
		_, _, err := r.Verify(edited)
		if edited == token && err != nil {
			t.Errorf("our own token is refused: %v", err)
		}
		if edited != token && err == nil {
			t.Errorf("verified with %q in the place of %q", insert, token[from:to])
		}
		if err != nil && !errors.Is(err, keys.ErrMalformed) && !errors.Is(err, keys.ErrUnknownKey) &&
			!errors.Is(err, keys.ErrSignature) {
			t.Errorf("an error of no kind: %v", err)
		}
	})
}

func TestTheRingKnowsWhichKeysItHolds(t *testing.T) {
	r := open(t, &storage{}, policy, keys.ES256, keys.EdDSA)
	for _, k := range r.List() {
		if !r.Holds(k.ID) {
			t.Errorf("Holds(%s) = false", k.ID)
		}
	}
	gone := r.List()[0].ID
	if _, err := r.Compromise(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if r.Holds(gone) || r.Holds("") {
		t.Error("the ring holds a key that was removed, or one without a name")
	}
}
