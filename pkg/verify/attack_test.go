package verify_test

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// hs256 signs with a published key as if it were a shared secret.
func hs256(secret []byte, header, claims object) string {
	input := encode(mustJSON(header)) + "." + encode(mustJSON(claims))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + encode(mac.Sum(nil))
}

func publicPEM(s *signer) []byte {
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func TestAForgedTokenIsRefused(t *testing.T) {
	ours := newSigner(t, verify.ES256, "k1")
	second := newSigner(t, verify.ES256, "k2")
	edwards := newSigner(t, verify.EdDSA, "k3")
	rs := newSigner(t, verify.RS256, "k4")
	foreign := newSigner(t, verify.ES256, "k1") // the same name, another key
	v := newIssuer(ours, second, edwards, rs).verifier(t)

	good := ours.token(nil)
	parts := strings.Split(good, ".")
	asPSS := &signer{kid: "k4", alg: verify.PS256, key: rs.key}
	otherName := &signer{kid: "k2", alg: verify.ES256, key: ours.key}
	withoutSignature := func(alg string) string {
		return encode(mustJSON(object{"typ": "at+jwt", "alg": alg, "kid": "k1"})) + "." + parts[1]
	}
	hmacHeader := object{"typ": "at+jwt", "alg": "HS256", "kid": "k1"}

	for name, c := range map[string]struct {
		raw  string
		want verify.Reason
	}{
		"alg none with an empty signature":      {withoutSignature("none") + ".", verify.Malformed},
		"alg none with some signature":          {withoutSignature("none") + ".AAAA", verify.AlgorithmRefused},
		"alg NoNe with some signature":          {withoutSignature("NoNe") + ".AAAA", verify.AlgorithmRefused},
		"alg missing":                           {ours.tokenWithHeader(object{"alg": nil}), verify.AlgorithmRefused},
		"HS256 with the public key's PEM":       {hs256(publicPEM(ours), hmacHeader, goodClaims()), verify.AlgorithmRefused},
		"HS256 with the public key's JWK":       {hs256(mustJSON(ours.jwk()), hmacHeader, goodClaims()), verify.AlgorithmRefused},
		"ES256 header over an HMAC":             {hs256(publicPEM(ours), ours.header(), goodClaims()), verify.BadSignature},
		"the kid of another of our keys":        {otherName.token(nil), verify.BadSignature},
		"a foreign key under our kid":           {foreign.token(nil), verify.BadSignature},
		"the kid of a key for another alg":      {ours.tokenWithHeader(object{"kid": "k3"}), verify.AlgorithmRefused},
		"PS256 with a key that is for RS256":    {asPSS.token(nil), verify.AlgorithmRefused},
		"no kid":                                {ours.tokenWithHeader(object{"kid": nil}), verify.UnknownKey},
		"a key brought along in jwk":            {foreign.tokenWithHeader(object{"jwk": foreign.jwk()}), verify.BadSignature},
		"a key brought along by jku":            {foreign.tokenWithHeader(object{"jku": "https://evil.example/jwks"}), verify.BadSignature},
		"a key brought along in x5c":            {foreign.tokenWithHeader(object{"x5c": []string{"MIIB"}}), verify.BadSignature},
		"a signature of another token":          {parts[0] + "." + parts[1] + "." + strings.Split(ours.token(nil), ".")[2], verify.BadSignature},
		"the claims of another token":           {parts[0] + "." + strings.Split(ours.token(object{"sub": "eve"}), ".")[1] + "." + parts[2], verify.BadSignature},
		"an ES256 signature of zeros":           {parts[0] + "." + parts[1] + "." + encode(make([]byte, 64)), verify.BadSignature},
		"an ES256 signature in ASN.1":           {parts[0] + "." + parts[1] + "." + encode(asn1Signature(ours, parts)), verify.BadSignature},
		"an ES256 signature with a byte more":   {good + "AA", verify.BadSignature},
		"crit naming an unknown extension":      {ours.tokenWithHeader(object{"crit": []string{"exp"}}), verify.CriticalHeader},
		"crit naming b64":                       {ours.tokenWithHeader(object{"crit": []string{"b64"}, "b64": false}), verify.CriticalHeader},
		"crit naming nothing":                   {ours.tokenWithHeader(object{"crit": []string{}}), verify.CriticalHeader},
		"the typ of an ID token":                {ours.tokenWithHeader(object{"typ": "JWT"}), verify.WrongType},
		"the typ of a logout token":             {ours.tokenWithHeader(object{"typ": "logout+jwt"}), verify.WrongType},
		"no typ":                                {ours.tokenWithHeader(object{"typ": nil}), verify.WrongType},
		"a typ that only begins like at+jwt":    {ours.tokenWithHeader(object{"typ": "at+jwt2"}), verify.WrongType},
		"a prefix other than application/":      {ours.tokenWithHeader(object{"typ": "text/at+jwt"}), verify.WrongType},
		"a token bound by DPoP":                 {ours.token(object{"cnf": object{"jkt": "x"}}), verify.SenderConstrained},
		"a token bound to a certificate":        {ours.token(object{"cnf": object{"x5t#S256": "x"}}), verify.SenderConstrained},
		"a cnf of a kind nobody knows":          {ours.token(object{"cnf": "?"}), verify.SenderConstrained},
		"cnf null":                              {ours.signParts(string(mustJSON(ours.header())), withMember(`"cnf":null`)), verify.SenderConstrained},
		"a claim twice":                         {ours.signParts(string(mustJSON(ours.header())), withMember(`"sub":"eve"`)), verify.Malformed},
		"a header member twice":                 {ours.signParts(`{"typ":"at+jwt","alg":"ES256","kid":"k9","kid":"k1"}`, string(mustJSON(goodClaims()))), verify.Malformed},
		"a header member twice, once escaped":   {ours.signParts(`{"typ":"at+jwt","alg":"ES256","k\u0069d":"k9","kid":"k1"}`, string(mustJSON(goodClaims()))), verify.Malformed},
		"a header member in the wrong case":     {ours.signParts(`{"TYP":"at+jwt","alg":"ES256","kid":"k1"}`, string(mustJSON(goodClaims()))), verify.WrongType},
		"a claim in the wrong case":             {ours.signParts(string(mustJSON(ours.header())), strings.Replace(string(mustJSON(goodClaims())), `"sub"`, `"SUB"`, 1)), verify.MissingClaim},
		"alg as an array":                       {ours.tokenWithHeader(object{"alg": []string{"ES256"}}), verify.Malformed},
		"a kid too long to be remembered":       {ours.tokenWithHeader(object{"kid": strings.Repeat("k", 257)}), verify.Malformed},
		"more header members than anyone needs": {ours.tokenWithHeader(crowd(200)), verify.Malformed},
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, v, c.raw, c.want) })
	}
	t.Run("and the token they were made from is accepted", func(t *testing.T) { wantAccepted(t, v, good) })
}

func asn1Signature(s *signer, parts []string) []byte {
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	sig, err := ecdsa.SignASN1(rand.Reader, s.key.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		panic(err)
	}
	return sig
}

// withMember is good claims with one more member, written at the end.
func withMember(text string) string {
	return strings.TrimSuffix(string(mustJSON(goodClaims())), "}") + "," + text + "}"
}

func crowd(n int) object {
	o := object{}
	for i := range n {
		o[fmt.Sprintf("x%d", i)] = i
	}
	return o
}

func TestATokenInAnyOtherFormIsRefused(t *testing.T) {
	s := newSigner(t, verify.ES256, "k1")
	v := newIssuer(s).verifier(t)
	good := s.token(nil)
	parts := strings.Split(good, ".")
	header, claims := string(mustJSON(s.header())), string(mustJSON(goodClaims()))
	// 64 bytes leave 4 bits of the last character unused; here one of them is set.
	last := good[len(good)-1]
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	strayBits := good[:len(good)-1] + string(alphabet[strings.IndexByte(alphabet, last)+1])

	for name, c := range map[string]struct {
		raw  string
		want verify.Reason
	}{
		"nothing":                       {"", verify.Malformed},
		"one part":                      {parts[0], verify.Malformed},
		"two parts":                     {parts[0] + "." + parts[1], verify.Malformed},
		"four parts":                    {good + ".AAAA", verify.Malformed},
		"a dot at the end":              {good + ".", verify.Malformed},
		"a dot at the start":            {"." + good, verify.Malformed},
		"five parts, as JWE has":        {good + ".AAAA.AAAA", verify.Malformed},
		"an empty header":               {"." + parts[1] + "." + parts[2], verify.Malformed},
		"an empty payload":              {parts[0] + ".." + parts[2], verify.Malformed},
		"an empty signature":            {parts[0] + "." + parts[1] + ".", verify.Malformed},
		"padding":                       {good + "==", verify.Malformed},
		"the other base64 alphabet":     {good[:len(good)-4] + "++//", verify.Malformed},
		"stray trailing bits":           {strayBits, verify.Malformed},
		"a line break in the signature": {good[:len(good)-4] + "\n" + good[len(good)-4:], verify.Malformed},
		"a line break at the end":       {good + "\r\n", verify.Malformed},
		"a line break in the header":    {"\n" + good, verify.Malformed},
		"a space in front":              {" " + good, verify.Malformed},
		"a header that is not JSON":     {s.signParts(`{"typ"`, claims), verify.Malformed},
		"a header that is an array":     {s.signParts(`["at+jwt"]`, claims), verify.Malformed},
		"a header with text after it":   {s.signParts(header+"x", claims), verify.Malformed},
		"a header that is not UTF-8":    {s.signParts(strings.Replace(header, "k1", "k\xff", 1), claims), verify.Malformed},
		"claims that are not JSON":      {s.signParts(header, "hello"), verify.Malformed},
		"claims that are null":          {s.signParts(header, "null"), verify.Malformed},
		"claims that are a string":      {s.signParts(header, `"x"`), verify.Malformed},
		"claims that are not UTF-8":     {s.signParts(header, strings.Replace(claims, "alice", "\xff", 1)), verify.Malformed},
		"the JSON serialization":        {`{"protected":"` + parts[0] + `"}`, verify.Malformed},
		"more than 16 KiB":              {s.token(object{"roles": []string{strings.Repeat("r", 12<<10)}}), verify.TooLarge},
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, v, c.raw, c.want) })
	}
	t.Run("but up to 16 KiB is fine", func(t *testing.T) {
		wantAccepted(t, v, s.token(object{"roles": []string{strings.Repeat("r", 11<<10)}}))
	})
	t.Run("and white space inside the JSON is fine", func(t *testing.T) {
		wantAccepted(t, v, s.signParts(strings.ReplaceAll(header, ",", " ,\n\t"), " "+claims+"\r\n"))
	})
}

func TestAnyByteFlippedMakesATokenRefused(t *testing.T) {
	for _, alg := range []verify.Algorithm{verify.ES256, verify.EdDSA, verify.RS256, verify.PS256} {
		t.Run(string(alg), func(t *testing.T) {
			s := newSigner(t, alg, "k1")
			v := newIssuer(s).verifier(t, verify.WithMemory(100))
			good := s.token(nil)
			wantAccepted(t, v, good) // remembered now: the memory must not be fooled either
			for i := range len(good) {
				for bit := range 8 {
					bad := []byte(good)
					bad[i] ^= 1 << bit
					if _, err := v.Verify(t.Context(), string(bad)); err == nil {
						t.Fatalf("accepted with bit %d of byte %d flipped", bit, i)
					}
				}
			}
		})
	}
}

func TestAClaimOutOfPlaceMakesATokenRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, verify.EdDSA, "k1")
		v := newIssuer(s).verifier(t)
		now := time.Now().Unix()
		for _, c := range []struct {
			name    string
			changes object
			want    verify.Reason
			claim   string
		}{
			{"iss of somebody else", object{"iss": "https://evil.example"}, verify.WrongIssuer, "iss"},
			{"iss with a slash more", object{"iss": issuerURL + "/"}, verify.WrongIssuer, "iss"},
			{"iss in capitals", object{"iss": strings.ToUpper(issuerURL)}, verify.WrongIssuer, "iss"},
			{"aud of another service", object{"aud": "https://billing.example.com"}, verify.WrongAudience, "aud"},
			{"aud that begins like ours", object{"aud": audience + "/admin"}, verify.WrongAudience, "aud"},
			{"aud of several others", object{"aud": []string{"a", "b"}}, verify.WrongAudience, "aud"},
			{"aud empty", object{"aud": []string{}}, verify.MissingClaim, "aud"},
			{"exp past", object{"exp": now - 31}, verify.Expired, "exp"},
			{"exp past by exactly the leeway", object{"exp": now - 30}, verify.Expired, "exp"},
			{"iat to come", object{"iat": now + 31}, verify.NotYetValid, "iat"},
			{"nbf to come", object{"nbf": now + 31}, verify.NotYetValid, "nbf"},
			{"no iss", object{"iss": nil}, verify.MissingClaim, "iss"},
			{"no exp", object{"exp": nil}, verify.MissingClaim, "exp"},
			{"no aud", object{"aud": nil}, verify.MissingClaim, "aud"},
			{"no sub", object{"sub": nil}, verify.MissingClaim, "sub"},
			{"no client_id", object{"client_id": nil}, verify.MissingClaim, "client_id"},
			{"no iat", object{"iat": nil}, verify.MissingClaim, "iat"},
			{"no jti", object{"jti": nil}, verify.MissingClaim, "jti"},
			{"sub empty", object{"sub": ""}, verify.MissingClaim, "sub"},
			{"exp a string", object{"exp": "4102444800"}, verify.MalformedClaim, "exp"},
			{"exp beyond all calendars", object{"exp": 1e300}, verify.MalformedClaim, "exp"},
			{"exp negative", object{"exp": -1}, verify.MalformedClaim, "exp"},
			{"sub a number", object{"sub": 7}, verify.MalformedClaim, "sub"},
			{"aud an object", object{"aud": object{audience: true}}, verify.MalformedClaim, "aud"},
			{"aud with a number inside", object{"aud": []any{audience, 7}}, verify.MalformedClaim, "aud"},
			{"scope an array", object{"scope": []string{"orders:read"}}, verify.MalformedClaim, "scope"},
			{"roles a string", object{"roles": "admin"}, verify.MalformedClaim, "roles"},
		} {
			_, err := v.Verify(t.Context(), s.token(c.changes))
			var refusal *verify.Error
			if !errors.As(err, &refusal) || refusal.Reason != c.want || refusal.Claim != c.claim {
				t.Errorf("%s: %v, want %s (%s)", c.name, err, c.want, c.claim)
			}
		}
	})
}

func TestWhatTheStandardsAllowIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, verify.EdDSA, "k1")
		v := newIssuer(s).verifier(t)
		now := time.Now().Unix()
		for name, changes := range map[string]object{
			"aud among several":            {"aud": []string{"a", audience}},
			"exp past within the leeway":   {"exp": now - 29},
			"iat to come within leeway":    {"iat": now + 30},
			"nbf to come within leeway":    {"nbf": now + 30},
			"a fraction in exp":            {"exp": float64(now) + 9.5},
			"no optional claims":           {"scope": nil, "auth_time": nil, "acr": nil, "amr": nil, "sid": nil, "roles": nil, "groups": nil, "status": nil},
			"claims nobody knows":          {"https://example.com/x": object{"a": []any{"}", `"`, `\`, object{}}}},
			"a sub with characters quoted": {"sub": "a\"b\\c\u00e9"},
		} {
			if _, err := v.Verify(t.Context(), s.token(changes)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, typ := range []string{"at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"} {
			if _, err := v.Verify(t.Context(), s.tokenWithHeader(object{"typ": typ})); err != nil {
				t.Errorf("typ %s: %v", typ, err)
			}
		}
	})
}

// Each token below has this fault and all that come after it, so an order that
// differs gives another reason.
func TestChecksRunInTheirOrder(t *testing.T) {
	s := newSigner(t, verify.ES256, "k1")
	v := newIssuer(s).verifier(t)
	bad := object{"iss": "x", "aud": "x", "exp": 1, "cnf": object{}}
	sign := func(header, claims object) string {
		return s.signParts(string(mustJSON(change(s.header(), header))), string(mustJSON(change(goodClaims(), claims))))
	}
	spoil := func(raw string) string { return raw[:strings.LastIndexByte(raw, '.')+1] + "AAAA" }
	all := object{"typ": "JWT", "alg": "none", "kid": "k9", "crit": []string{"x"}}
	for _, c := range []struct {
		want verify.Reason
		raw  string
	}{
		{verify.TooLarge, strings.Repeat(".", 16<<10) + spoil(sign(all, bad))},
		{verify.Malformed, "." + spoil(sign(all, bad))},
		{verify.WrongType, spoil(sign(all, bad))},
		{verify.AlgorithmRefused, spoil(sign(object{"alg": "none", "kid": "k9", "crit": []string{"x"}}, bad))},
		{verify.UnknownKey, spoil(sign(object{"kid": "k9", "crit": []string{"x"}}, bad))},
		{verify.AlgorithmRefused, spoil(sign(object{"alg": "EdDSA", "crit": []string{"x"}}, bad))},
		{verify.CriticalHeader, spoil(sign(object{"crit": []string{"x"}}, bad))},
		{verify.BadSignature, spoil(sign(nil, bad))},
		{verify.WrongIssuer, sign(nil, bad)},
		{verify.WrongAudience, sign(nil, object{"aud": "x", "exp": 1, "cnf": object{}})},
		{verify.Expired, sign(nil, object{"exp": 1, "cnf": object{}})},
		{verify.SenderConstrained, sign(nil, object{"cnf": object{}})},
	} {
		wantRefused(t, v, c.raw, c.want)
	}
}

func TestAnAlgorithmThatIsNotAllowedIsRefused(t *testing.T) {
	es, ed := newSigner(t, verify.ES256, "k1"), newSigner(t, verify.EdDSA, "k2")
	v := newIssuer(es, ed).verifier(t, verify.WithAlgorithms(verify.EdDSA))
	wantAccepted(t, v, ed.token(nil))
	wantRefused(t, v, es.token(nil), verify.AlgorithmRefused)
}

func TestAKeyThatCannotBeTrustedIsNotUsed(t *testing.T) {
	es, ed, rs := newSigner(t, verify.ES256, "es"), newSigner(t, verify.EdDSA, "ed"), newSigner(t, verify.RS256, "rs")
	anchor := newSigner(t, verify.EdDSA, "anchor")
	short, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	odd := new(big.Int).SetBit(new(big.Int).Rsh(short.N, 1024), 0, 1)
	halved := encode(odd.Bytes())
	point, err := es.key.Public().(*ecdsa.PublicKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		signer  *signer
		changes object
	}{
		"its point is off the curve":           {es, object{"x": encode(make([]byte, 32))}},
		"its coordinate is short":              {es, object{"x": encode(make([]byte, 31))}},
		"its coordinates are cut elsewhere":    {es, object{"x": encode(point[1:32]), "y": encode(point[32:])}},
		"its coordinate is padded":             {es, object{"x": es.jwk()["x"].(string) + "="}},
		"it is for another algorithm":          {es, object{"alg": "ES384"}},
		"it is on another curve":               {es, object{"crv": "P-384"}},
		"it is for encryption":                 {es, object{"use": "enc"}},
		"it is not for verifying":              {es, object{"key_ops": []string{"encrypt"}}},
		"its private half is published":        {es, object{"d": encode(make([]byte, 32))}},
		"it is symmetric":                      {es, object{"kty": "oct", "k": "AAAA"}},
		"it has no kid":                        {es, object{"kid": nil}},
		"its Ed25519 point is short":           {ed, object{"x": encode(make([]byte, 31))}},
		"it is RSA and does not say which alg": {rs, object{"alg": nil}},
		"its modulus is short":                 {rs, object{"n": halved}},
		"its modulus is even":                  {rs, object{"n": encode(append([]byte{0x80}, make([]byte, 255)...))}},
		"its exponent is 1":                    {rs, object{"e": "AQ"}},
		"its exponent is 3":                    {rs, object{"e": "Aw"}},
		"its exponent is even":                 {rs, object{"e": encode([]byte{1, 0, 2})}},
		"its exponent has a good end":          {rs, object{"e": encode([]byte{1, 0, 0, 0, 0, 0, 1, 0, 1})}},
		"its exponent is huge":                 {rs, object{"e": encode([]byte{1, 0, 0, 0, 1})}},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer()
			i.body = mustJSON(object{"keys": []object{change(c.signer.jwk(), c.changes), anchor.jwk()}})
			v := i.verifier(t)
			wantRefused(t, v, c.signer.token(nil), verify.UnknownKey)
			wantAccepted(t, v, anchor.token(nil)) // one odd key does not take the others down
		})
	}
	t.Run("its kid is used twice", func(t *testing.T) {
		i := newIssuer(es, newSigner(t, verify.ES256, "es"), anchor)
		v := i.verifier(t)
		wantRefused(t, v, es.token(nil), verify.UnknownKey)
		wantAccepted(t, v, anchor.token(nil))
	})
	t.Run("while one that leaves out what it need not say is used", func(t *testing.T) {
		i := newIssuer()
		i.body = mustJSON(object{"keys": []object{change(es.jwk(), object{"alg": nil, "use": nil}), change(ed.jwk(), object{"alg": nil, "key_ops": []string{"verify"}})}})
		v := i.verifier(t)
		wantAccepted(t, v, es.token(nil))
		wantAccepted(t, v, ed.token(nil))
	})
}
