package assertion_test

import (
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/signet-id/signet/internal/assertion"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

func TestAnAssertionByAnyRegisteredKeyIsAccepted(t *testing.T) {
	now := time.Now()
	for _, alg := range []string{"ES256", "EdDSA", "RS256", "PS256"} {
		s := newSigner(t, "k-"+alg, alg)
		c := keyed(t, newSigner(t, "other", "ES256"), s)
		got, err := newAuthenticator(&web{}).Judge(t.Context(), c, s.assert(t, "orders", now, func(_, claims object) { claims["jti"] = "one" }), now)
		if err != nil || got.JTI != "one" || got.Expires.Unix() != now.Add(time.Minute).Unix() || !strings.HasPrefix(got.Op.Key, "assertion/orders/") {
			t.Errorf("%s: got %+v, %v", alg, got, err)
		}
	}
	c, s := secretive(t)
	if _, err := newAuthenticator(&web{}).Judge(t.Context(), c, s.assert(t, "orders", now, nil), now); err != nil {
		t.Errorf("HS256: %v", err)
	}
}

// What somebody else's library makes is what clients will send.
func TestAForeignLibrarysAssertionIsAccepted(t *testing.T) {
	s := newSigner(t, "k1", "PS256")
	token, err := jwt.NewBuilder().Issuer("orders").Subject("orders").Audience([]string{tokenEndpoint}).
		JwtID("x").IssuedAt(time.Now()).Expiration(time.Now().Add(time.Minute)).Build()
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.FromRaw(s.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Set(jwk.KeyIDKey, "k1"); err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Sign(token, jwt.WithKey(jwa.PS256, key))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newAuthenticator(&web{}).Judge(t.Context(), keyed(t, s), string(raw), time.Now()); err != nil {
		t.Error(err)
	}
}

func TestWhatAnAssertionMaySayDifferently(t *testing.T) {
	now := time.Now()
	s := newSigner(t, "k", "ES256")
	for name, change := range map[string]func(header, claims object){
		"the token endpoint as aud":      func(_, c object) { c["aud"] = tokenEndpoint },
		"one aud in a list":              func(_, c object) { c["aud"] = []string{issuer} },
		"several":                        func(_, c object) { c["aud"] = []string{"https://other.example.com", tokenEndpoint} },
		"no iat":                         func(_, c object) { delete(c, "iat") },
		"no typ":                         func(h, _ object) { delete(h, "typ") },
		"the type of its own":            func(h, _ object) { h["typ"] = "client-authentication+jwt" },
		"a media type":                   func(h, _ object) { h["typ"] = "application/JWT" },
		"no kid, and only one key":       func(h, _ object) { delete(h, "kid") },
		"a fraction in exp":              func(_, c object) { c["exp"] = float64(now.Unix()) + 30.5 },
		"just expired, clocks differ":    func(_, c object) { c["exp"] = now.Add(-29 * time.Second).Unix() },
		"as far ahead as may be":         func(_, c object) { c["exp"] = now.Add(10 * time.Minute).Unix() },
		"iat a little ahead":             func(_, c object) { c["iat"] = now.Add(29 * time.Second).Unix() },
		"nbf a little ahead":             func(_, c object) { c["nbf"] = now.Add(29 * time.Second).Unix() },
		"a jti of 256 bytes":             func(_, c object) { c["jti"] = strings.Repeat("j", 256) },
		"claims that nobody reads":       func(_, c object) { c["scope"], c["x"] = "a", object{"y": nil} },
		"a key of its own in the header": func(h, _ object) { h["jwk"], h["x5c"] = newSigner(t, "k", "ES256").public(t, nil), []string{"MII"} },
	} {
		if _, err := newAuthenticator(&web{}).Judge(t.Context(), keyed(t, s), s.assert(t, "orders", now, change), now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASignedAssertionThatSaysTheWrongThingIsRefused(t *testing.T) {
	now := time.Now()
	s := newSigner(t, "k", "ES256")
	for name, change := range map[string]func(header, claims object){
		"no iss":              func(_, c object) { delete(c, "iss") },
		"another's iss":       func(_, c object) { c["iss"] = "billing" },
		"no sub":              func(_, c object) { delete(c, "sub") },
		"another's sub":       func(_, c object) { c["sub"] = "billing" },
		"iss in another case": func(_, c object) { c["iss"] = "Orders" },
		"no aud":              func(_, c object) { delete(c, "aud") },
		"another aud":         func(_, c object) { c["aud"] = "https://other.example.com" },
		"aud with a slash":    func(_, c object) { c["aud"] = issuer + "/" },
		"aud as a prefix":     func(_, c object) { c["aud"] = issuer + "/token/x" },
		"aud, upper case":     func(_, c object) { c["aud"] = "https://ID.example.com" },
		"an empty list":       func(_, c object) { c["aud"] = []string{} },
		"aud null":            func(_, c object) { c["aud"] = nil },
		"aud a list in one":   func(_, c object) { c["aud"] = issuer + " " + tokenEndpoint },
		"aud of numbers":      func(_, c object) { c["aud"] = []any{issuer, 7} },
		"no exp":              func(_, c object) { delete(c, "exp") },
		"exp null":            func(_, c object) { c["exp"] = nil },
		"exp a text":          func(_, c object) { c["exp"] = "4102444800" },
		"exp 0":               func(_, c object) { c["exp"] = 0 },
		"exp beyond time":     func(_, c object) { c["exp"] = 1e300 },
		"expired":             func(_, c object) { c["exp"] = now.Add(-31 * time.Second).Unix() },
		"far ahead":           func(_, c object) { c["exp"] = now.Add(11 * time.Minute).Unix() },
		"iat ahead":           func(_, c object) { c["iat"] = now.Add(32 * time.Second).Unix() },
		"nbf ahead":           func(_, c object) { c["nbf"] = now.Add(32 * time.Second).Unix() },
		"iat a text":          func(_, c object) { c["iat"] = "now" },
		"no jti":              func(_, c object) { delete(c, "jti") },
		"an empty jti":        func(_, c object) { c["jti"] = "" },
		"jti a number":        func(_, c object) { c["jti"] = 7 },
		"a long jti":          func(_, c object) { c["jti"] = strings.Repeat("j", 257) },
		"typ of another use":  func(h, _ object) { h["typ"] = "dpop+jwt" },
		"a request object":    func(h, _ object) { h["typ"] = "oauth-authz-req+jwt" },
		"typ a number":        func(h, _ object) { h["typ"] = 1 },
		"crit":                func(h, _ object) { h["crit"] = []string{"exp"} },
		"b64":                 func(h, _ object) { h["crit"], h["b64"] = []string{"b64"}, false },
		"an unknown kid":      func(h, _ object) { h["kid"] = "k2" },
		"kid null":            func(h, _ object) { h["kid"] = nil },
		"alg none":            func(h, _ object) { h["alg"] = "none" },
		"no alg":              func(h, _ object) { delete(h, "alg") },
		"alg in lower case":   func(h, _ object) { h["alg"] = "es256" },
		"another kind's alg":  func(h, _ object) { h["alg"] = "EdDSA" },
		"a larger alg":        func(h, _ object) { h["alg"] = "ES384" },
		"a MAC":               func(h, _ object) { h["alg"] = "HS256" },
	} {
		got, err := newAuthenticator(&web{}).Judge(t.Context(), keyed(t, s), s.assert(t, "orders", now, change), now)
		if wantRefused(t, err); got.Op.Key != "" || t.Failed() {
			t.Fatalf("%s: an operation comes with the refusal, or it is none: %+v, %v", name, got, err)
		}
	}
}

func TestAnAssertionThatTheClientDidNotSignIsRefused(t *testing.T) {
	now := time.Now()
	s, thief := newSigner(t, "k", "RS256"), newSigner(t, "k", "RS256")
	c := keyed(t, s, newSigner(t, "e", "ES256"))
	good := s.assert(t, "orders", now, nil)
	parts := strings.Split(good, ".")
	modulus := s.key.(*rsa.PrivateKey).N.Bytes()
	for name, raw := range map[string]string{
		"another key":                     thief.assert(t, "orders", now, nil),
		"the public key as a secret":      signer{"k", "HS256", []byte(c.JWKS)}.assert(t, "orders", now, nil),
		"the modulus as a secret":         signer{"k", "HS256", modulus}.assert(t, "orders", now, nil),
		"an empty secret":                 signer{"k", "HS256", []byte{}}.assert(t, "orders", now, nil),
		"none, unsigned":                  b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"none, with the signature":        b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + "." + parts[2],
		"the signature left out":          parts[0] + "." + parts[1] + ".",
		"PS256 with the signature of RS":  signer{"k", "PS256", nil}.withSignatureOf(t, good),
		"a key of the header":             thief.assert(t, "orders", now, func(h, _ object) { h["jwk"] = thief.public(t, nil) }),
		"another kid's signature":         s.assert(t, "orders", now, func(h, _ object) { h["kid"] = "e" }),
		"other claims":                    parts[0] + "." + b64([]byte(`{"iss":"orders","sub":"orders"}`)) + "." + parts[2],
		"two parts":                       parts[0] + "." + parts[1],
		"four parts":                      good + ".x",
		"five parts":                      good + ".x.y",
		"padding":                         good + "=",
		"a line break":                    parts[0] + ".\n" + parts[1] + "." + parts[2],
		"a space in front":                " " + good,
		"nothing":                         "",
		"dots":                            "..",
		"a header that is no object":      b64([]byte(`[]`)) + "." + parts[1] + "." + parts[2],
		"a header of two objects":         b64([]byte(`{"alg":"RS256","kid":"k"}{}`)) + "." + parts[1] + "." + parts[2],
		"too long":                        s.assert(t, "orders", now, func(_, c object) { c["x"] = strings.Repeat("x", assertion.MaxAssertion) }),
		"alg twice":                       s.compact(t, []byte(`{"alg":"RS256","alg":"RS256","kid":"k"}`), decode(t, parts[1])),
		"ALG for alg":                     s.compact(t, []byte(`{"ALG":"RS256","kid":"k"}`), decode(t, parts[1])),
		"sub twice":                       s.compact(t, decode(t, parts[0]), twice(t, decode(t, parts[1]))),
		"claims that are a list":          s.compact(t, decode(t, parts[0]), []byte(`[]`)),
		"claims that are cut":             s.compact(t, decode(t, parts[0]), []byte(`{"iss":"orders"`)),
		"claims that are not text at all": s.compact(t, decode(t, parts[0]), []byte("{\"iss\":\"\xff\"}")),
	} {
		if _, err := newAuthenticator(&web{}).Judge(t.Context(), c, raw, now); err == nil || fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Strict decoding has one spelling for each assertion: what was signed, and nothing
// that a lenient reader takes for the same.
func TestASignedAssertionHasOneSpelling(t *testing.T) {
	now := time.Now()
	s := newSigner(t, "k", "EdDSA") // 64 bytes: the last character has 4 bits to spare
	c, a := keyed(t, s), newAuthenticator(&web{})
	good := s.assert(t, "orders", now, nil)
	parts := strings.Split(good, ".")
	last := strings.IndexByte(alphabet, good[len(good)-1])
	for name, raw := range map[string]string{
		"spare bits in the signature": good[:len(good)-1] + alphabet[last+1:last+2],
		"a line break, signed":        s.sign(t, parts[0]+".\r\n"+parts[1]),
		"a line break at the end":     good + "\n",
		"padding, signed":             s.sign(t, base64.URLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","kid":"k" }`))+"."+parts[1]),
		"two headers, signed":         s.compact(t, []byte(`{"alg":"EdDSA","kid":"k"}{}`), decode(t, parts[1])),
		"two payloads, signed":        s.compact(t, decode(t, parts[0]), append(decode(t, parts[1]), "{}"...)),
		"a payload not UTF-8, signed": s.compact(t, decode(t, parts[0]), append([]byte("{\"x\":\"\xff\","), decode(t, parts[1])[1:]...)),
	} {
		if _, err := a.Judge(t.Context(), c, raw, now); err == nil || fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := a.Judge(t.Context(), c, s.sign(t, parts[0]+"."+parts[1]), now); err != nil {
		t.Errorf("the same, unspoiled: %v", err)
	}
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func decode(t *testing.T, part string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func twice(t *testing.T, claims []byte) []byte {
	t.Helper()
	return append([]byte(`{"sub":"billing",`), claims[1:]...)
}

// withSignatureOf puts the signature of raw under a header with the signer's alg.
func (s signer) withSignatureOf(t *testing.T, raw string) string {
	t.Helper()
	parts := strings.Split(raw, ".")
	header := mustJSON(t, object{"alg": s.alg, "kid": s.kid})
	return b64(header) + "." + parts[1] + "." + parts[2]
}

func TestWithoutAKidASeveralKeyedClientIsNotGuessedAt(t *testing.T) {
	a, b := newSigner(t, "a", "ES256"), newSigner(t, "b", "ES256")
	c := keyed(t, a, b)
	raw := a.assert(t, "orders", time.Now(), func(h, _ object) { delete(h, "kid") })
	_, err := newAuthenticator(&web{}).Judge(t.Context(), c, raw, time.Now())
	wantRefused(t, err)
}

func TestAKeyIsOnlyForTheAlgorithmAndUseThatItIsPublishedFor(t *testing.T) {
	now := time.Now()
	s := newSigner(t, "k", "PS256")
	for name, tt := range map[string]struct {
		more object
		want bool
	}{
		"any":                   {nil, true},
		"this algorithm":        {object{"alg": "PS256"}, true},
		"another algorithm":     {object{"alg": "RS256"}, false},
		"signatures":            {object{"use": "sig"}, true},
		"encryption":            {object{"use": "enc"}, false},
		"verifying":             {object{"key_ops": []string{"verify"}}, true},
		"wrapping keys":         {object{"key_ops": []string{"wrapKey"}}, false},
		"an algorithm, spoiled": {object{"alg": 7}, false},
	} {
		c := keyed(t, s)
		c.JWKS = mustJSON(t, object{"keys": []object{s.public(t, tt.more)}})
		if _, err := newAuthenticator(&web{}).Judge(t.Context(), c, s.assert(t, "orders", now, nil), now); (err == nil) != tt.want {
			t.Errorf("a key for %s: got %v, want it accepted: %t", name, err, tt.want)
		}
	}
}

func TestAClientThatRegisteredOneAlgorithmUsesNoOther(t *testing.T) {
	now := time.Now()
	s := newSigner(t, "k", "RS256")
	c := keyed(t, s)
	c.AuthSigningAlg = "PS256"
	_, err := newAuthenticator(&web{}).Judge(t.Context(), c, s.assert(t, "orders", now, nil), now)
	wantRefused(t, err)
	s.alg = "PS256"
	if _, err := newAuthenticator(&web{}).Judge(t.Context(), c, s.assert(t, "orders", now, nil), now); err != nil {
		t.Error(err)
	}
}

// A client of another method never gets in by an assertion, whatever its record
// has besides.
func TestAnAssertionIsForClientsThatAreRegisteredForIt(t *testing.T) {
	now := time.Now()
	s := newSigner(t, "k", "ES256")
	macs, mac := secretive(t)
	for _, method := range []string{client.AuthBasic, client.AuthPost, client.AuthNone, ""} {
		c := keyed(t, s)
		c.AuthMethod = method
		_, err := newAuthenticator(&web{}).Judge(t.Context(), c, s.assert(t, "orders", now, nil), now)
		wantRefused(t, err)
		d := macs
		d.AuthMethod = method
		_, err = newAuthenticator(&web{}).Judge(t.Context(), d, mac.assert(t, "orders", now, nil), now)
		wantRefused(t, err)
	}
}

func TestAMACIsMadeWithASecretThatIsValidNow(t *testing.T) {
	now := time.Now()
	c, first := secretive(t)
	a := newAuthenticator(&web{})
	second, third := client.NewSecret(), client.NewSecret()
	if err := c.RotateSealed(second, box{}, now); err != nil {
		t.Fatal(err)
	}
	for _, key := range [][]byte{first.key.([]byte), []byte(second.Reveal())} {
		if _, err := a.Judge(t.Context(), c, signer{"", "HS256", key}.assert(t, "orders", now, nil), now); err != nil {
			t.Errorf("one of two secrets: %v", err)
		}
	}
	if err := c.RotateSealed(third, box{}, now); err != nil {
		t.Fatal(err)
	}
	for _, key := range [][]byte{first.key.([]byte), []byte(client.NewSecret().Reveal()), c.Secrets[0].Digest, {}} {
		_, err := a.Judge(t.Context(), c, signer{"", "HS256", key}.assert(t, "orders", now, nil), now)
		wantRefused(t, err)
	}
	es := newSigner(t, "k", "ES256")
	c.JWKS = jwks(t, es) // keys of a client that makes MACs are for other things
	_, err := a.Judge(t.Context(), c, es.assert(t, "orders", now, nil), now)
	wantRefused(t, err)
}

// A sealed secret that was moved into another client's record is ours to notice: an
// error of the server, not of the caller.
func TestASecretSealedForAnotherClientIsAnErrorOfOurs(t *testing.T) {
	c, s := secretive(t)
	c.ID = "billing"
	_, err := newAuthenticator(&web{}).Judge(t.Context(), c, s.assert(t, "billing", time.Now(), nil), time.Now())
	if err == nil || fault.KindOf(err) != fault.Internal {
		t.Errorf("got %v, want an internal error", err)
	}
}

func newStore(t testing.TB) store.Store {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestAnAssertionIsGoodOnceForAnyNumberOfCallers(t *testing.T) {
	st, now := newStore(t), time.Now()
	s := newSigner(t, "k", "EdDSA")
	a, c := newAuthenticator(&web{}), keyed(t, s)
	raw := s.assert(t, "orders", now, nil)
	var won atomic.Int32
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			accepted, err := a.Judge(t.Context(), c, raw, now)
			if err != nil {
				t.Error(err)
				return
			}
			_, err = st.Commit(t.Context(), accepted.Op)
			if err = accepted.Explain(err); err == nil {
				won.Add(1)
			} else if fault.KindOf(err) != fault.Unauthenticated {
				t.Errorf("a replay is %v", err)
			}
		})
	}
	group.Wait()
	if won.Load() != 1 {
		t.Errorf("%d callers got in, want exactly 1", won.Load())
	}
}

func TestAJTIIsUsedUpPerClientAndForAsLongAsItCouldBeReplayed(t *testing.T) {
	now := time.Now()
	s := newSigner(t, "k", "EdDSA")
	a, c := newAuthenticator(&web{}), keyed(t, s)
	judge := func(c client.Client, jti string) assertion.Accepted {
		t.Helper()
		got, err := a.Judge(t.Context(), c, s.assert(t, c.ID, now, func(_, claims object) { claims["jti"] = jti }), now)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	other := c
	other.ID = "billing"
	first, again, second, others := judge(c, "one"), judge(c, "one"), judge(c, "two"), judge(other, "one")
	if first.Op.Key != again.Op.Key || first.Op.Key == second.Op.Key || first.Op.Key == others.Op.Key {
		t.Errorf("keys: %q %q %q %q", first.Op.Key, again.Op.Key, second.Op.Key, others.Op.Key)
	}
	if op := first.Op; !op.Guarded || op.Must != 0 || op.Delete {
		t.Errorf("%+v demands no absence", op)
	}
	last := first.Expires.Add(assertion.Leeway) // refused from here on
	if first.Op.Expires.Before(last) || first.Op.Expires.After(last.Add(time.Minute)) {
		t.Errorf("remembered until %s, the assertion is good until %s", first.Op.Expires, last)
	}
}

func TestAFailureOfAnotherKindIsNotCalledAReplay(t *testing.T) {
	s := newSigner(t, "k", "EdDSA")
	got, err := newAuthenticator(&web{}).Judge(t.Context(), keyed(t, s), s.assert(t, "orders", time.Now(), nil), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []error{nil, errors.New("disk"), store.ErrConflict, &store.ConflictError{Key: "code/x"}} {
		if explained := got.Explain(other); !errors.Is(explained, other) {
			t.Errorf("%v became %v", other, explained)
		}
	}
}

// Before the signature is right, whoever asks is nobody, and learns nothing.
func TestWhoHoldsNoKeyLearnsNothing(t *testing.T) {
	now := time.Now()
	s, thief := newSigner(t, "k", "ES256"), newSigner(t, "k", "ES256")
	c := keyed(t, s)
	var seen []string
	for _, raw := range []string{
		"", "a.b.c", thief.assert(t, "orders", now, nil),
		thief.assert(t, "orders", now, func(_, c object) { c["exp"] = 1 }),
		thief.assert(t, "orders", now, func(h, _ object) { h["kid"] = "k2" }),
		thief.assert(t, "orders", now, func(h, _ object) { h["alg"] = "HS256" }),
	} {
		_, err := newAuthenticator(&web{}).Judge(t.Context(), c, raw, now)
		_, message := fault.Public(err)
		seen = append(seen, message)
	}
	if got := slices.Compact(seen); len(got) != 1 || got[0] == "" {
		t.Errorf("the answers differ: %q", got)
	}
	_, err := newAuthenticator(&web{}).Judge(t.Context(), c, s.assert(t, "orders", now, func(_, c object) { c["exp"] = 1 }), now)
	if _, message := fault.Public(err); !strings.Contains(message, "expired") {
		t.Errorf("the client itself is told %q", message)
	}
}

func TestAnAssertionNamesItsClient(t *testing.T) {
	s := newSigner(t, "k", "ES256")
	if got, err := assertion.ClientID(s.assert(t, "orders", time.Now(), nil)); got != "orders" || err != nil {
		t.Errorf("ClientID = %q, %v", got, err)
	}
	for _, raw := range []string{"", "x", "a.b.c", b64([]byte(`{}`)) + "." + b64([]byte(`{"sub":7}`)) + ".", b64([]byte(`{}`)) + "." + b64([]byte(`[]`)) + "."} {
		got, err := assertion.ClientID(raw)
		if wantRefused(t, err); got != "" {
			t.Errorf("ClientID(%q) = %q", raw, got)
		}
	}
}

// Whatever is changed in an assertion, what is accepted was signed by the client.
func FuzzWhatIsAcceptedWasSignedByTheClient(f *testing.F) {
	now := time.Unix(1800000000, 0)
	s := newSigner(f, "k", "ES256")
	c := keyed(f, s, newSigner(f, "e", "EdDSA"))
	macs, mac := secretive(f)
	a := newAuthenticator(&web{})
	signed := map[string]bool{}
	for _, raw := range []string{s.assert(f, "orders", now, nil), mac.assert(f, "orders", now, nil), s.assert(f, "orders", now, func(_, c object) { c["exp"] = 7 })} {
		signed[raw[:strings.LastIndexByte(raw, '.')]] = true
		f.Add(raw)
	}
	header := mustJSON(f, object{"alg": "none", "kid": "k"})
	for input := range signed {
		f.Add(b64(header) + input[strings.IndexByte(input, '.'):] + ".")
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, c := range []client.Client{c, macs} {
			accepted, err := a.Judge(t.Context(), c, raw, now)
			if err != nil {
				if fault.KindOf(err) != fault.Unauthenticated {
					t.Errorf("%q: %v", raw, err)
				}
				continue
			}
			if input := raw[:strings.LastIndexByte(raw, '.')]; !signed[input] {
				t.Errorf("%q was never signed, and is accepted: %+v", raw, accepted)
			}
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	now := time.Now()
	for _, alg := range []string{"ES256", "RS256", "EdDSA"} {
		s := newSigner(b, "k", alg)
		a, c := newAuthenticator(&web{}), keyed(b, s)
		raw := s.assert(b, "orders", now, nil)
		b.Run(alg, func(b *testing.B) {
			for b.Loop() {
				if _, err := a.Judge(b.Context(), c, raw, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
