package verify_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"math"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/signet-id/signet/pkg/verify"
)

func TestNewWantsAnIssuerAndAnAudience(t *testing.T) {
	for _, c := range []struct{ issuer, audience string }{
		{"", audience},
		{issuerURL, ""},
		{issuerURL, "orders\n"},
		{"id.example.com", audience},
		{"http://id.example.com", audience},
		{"http://localhost.evil.example", audience},
		{"http://127.0.0.1.evil.example", audience},
		{"ftp://id.example.com", audience},
		{"https://", audience},
		{"https://:443", audience},
		{"https://user@id.example.com", audience},
		{"https://id.example.com?x=1", audience},
		{"https://id.example.com?", audience},
		{"https://id.example.com#x", audience},
		{"https://id.example.com/\x7f", audience},
	} {
		if v, err := verify.New(c.issuer, c.audience); err == nil || v != nil {
			t.Errorf("New(%q, %q) was accepted", c.issuer, c.audience)
		}
	}
	for _, issuer := range []string{issuerURL, issuerURL + "/", issuerURL + "/tenant", "http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:1"} {
		if _, err := verify.New(issuer, "orders"); err != nil {
			t.Errorf("New(%q): %v", issuer, err)
		}
	}
}

func TestNewNamesEveryMistakeAtOnce(t *testing.T) {
	_, err := verify.New("http://id.example.com", "", verify.WithHTTPClient(nil), verify.WithLogger(nil),
		verify.WithSnapshot(""), verify.WithAlgorithms(), verify.WithAlgorithms("HS256"), verify.WithMemory(-1),
		verify.WithRealm("a\r\nSet-Cookie: x"), verify.WithResourceMetadata("http://orders.example.com"))
	for _, want := range []string{
		"issuer", "audience", "WithHTTPClient", "WithLogger", "WithSnapshot", "none is named", "HS256",
		"WithMemory", "WithRealm", "WithResourceMetadata",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %s: %v", want, err)
		}
	}
}

func TestEveryAlgorithmIsAccepted(t *testing.T) {
	for _, alg := range []verify.Algorithm{verify.ES256, verify.EdDSA, verify.RS256, verify.PS256} {
		s := newSigner(t, alg, "k1")
		v := newIssuer(s).verifier(t)
		for range 50 { // signatures differ in length once in a while
			wantAccepted(t, v, s.token(nil))
		}
	}
}

// An implementation that is not ours signs and publishes; ours verifies.
func TestTokensAndKeysMadeByJWXAreAccepted(t *testing.T) {
	for alg, theirs := range map[verify.Algorithm]jwa.SignatureAlgorithm{
		verify.ES256: jwa.ES256, verify.EdDSA: jwa.EdDSA, verify.RS256: jwa.RS256, verify.PS256: jwa.PS256,
	} {
		s := newSigner(t, alg, "jwx-1")
		private, err := jwk.FromRaw(s.key)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]any{jwk.KeyIDKey: s.kid, jwk.AlgorithmKey: theirs, jwk.KeyUsageKey: "sig"} {
			if err := private.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
		public, err := private.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		headers := jws.NewHeaders()
		if err := headers.Set(jws.TypeKey, "at+jwt"); err != nil {
			t.Fatal(err)
		}
		raw, err := jws.Sign(mustJSON(goodClaims()), jws.WithKey(theirs, private, jws.WithProtectedHeaders(headers)))
		if err != nil {
			t.Fatal(err)
		}
		i := newIssuer()
		i.body = mustJSON(object{"keys": []any{public}})
		wantAccepted(t, i.verifier(t), string(raw))
	}
}

func TestATokenTellsWhatItsClaimsSay(t *testing.T) {
	s := newSigner(t, verify.ES256, "k1")
	claims := goodClaims()
	tok := wantAccepted(t, newIssuer(s).verifier(t), s.token(claims))
	for name, c := range map[string]struct{ got, want any }{
		"Subject":   {tok.Subject(), "u-alice"},
		"Issuer":    {tok.Issuer(), issuerURL},
		"Audience":  {tok.Audience(), []string{audience}},
		"ClientID":  {tok.ClientID(), "web"},
		"Scopes":    {tok.Scopes(), []string{"openid", "orders:read", "orders:write"}},
		"Roles":     {tok.Roles(), []string{"admin"}},
		"Groups":    {tok.Groups(), []string{"sales", "eu"}},
		"SessionID": {tok.SessionID(), "s-1"},
		"ID":        {tok.ID(), claims["jti"]},
		"ACR":       {tok.ACR(), "mfa"},
		"AMR":       {tok.AMR(), []string{"pwd", "otp"}},
		"IssuedAt":  {tok.IssuedAt().Unix(), claims["iat"]},
		"ExpiresAt": {tok.ExpiresAt().Unix(), claims["exp"]},
		"AuthTime":  {tok.AuthTime().Unix(), claims["auth_time"]},
		"HasScope":  {[]bool{tok.HasScope("orders:read"), tok.HasScope("orders")}, []bool{true, false}},
		"HasRole":   {[]bool{tok.HasRole("admin"), tok.HasRole("")}, []bool{true, false}},
		"HasGroup":  {[]bool{tok.HasGroup("eu"), tok.HasGroup("us")}, []bool{true, false}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s = %v, want %v", name, c.got, c.want)
		}
	}
	var decoded struct {
		Status struct {
			List struct{ Idx int } `json:"status_list"`
		}
	}
	if err := tok.Claims(&decoded); err != nil || decoded.Status.List.Idx != 70123 {
		t.Errorf("Claims: %+v, %v", decoded, err)
	}
	if err := tok.Claims(&[]int{}); err == nil {
		t.Error("Claims decoded an object into a slice")
	}
}

func TestTheZeroTokenIsNotValidAndSaysNothing(t *testing.T) {
	var tok verify.Token
	if tok.Valid() {
		t.Error("the zero token is valid")
	}
	if tok.Subject() != "" || tok.Scopes() != nil || tok.HasScope("") || !tok.ExpiresAt().IsZero() {
		t.Error("the zero token says something")
	}
	for _, err := range []error{tok.Claims(&struct{}{}), tok.SignedInWithin(math.MaxInt64), tok.SignedInBy("")} {
		if !errors.Is(err, verify.NoToken) {
			t.Errorf("%v, want NoToken", err)
		}
	}
}

func TestATokenWithoutASignInIsNeitherFreshNorStrong(t *testing.T) {
	s := newSigner(t, verify.EdDSA, "k1")
	tok := wantAccepted(t, newIssuer(s).verifier(t), s.token(object{"auth_time": nil, "acr": nil}))
	if err := tok.SignedInWithin(math.MaxInt64); !errors.Is(err, verify.NotFresh) {
		t.Errorf("SignedInWithin: %v, want NotFresh", err)
	}
	if err := tok.SignedInBy(""); !errors.Is(err, verify.WeakSignIn) {
		t.Errorf("SignedInBy: %v, want WeakSignIn", err)
	}
}

func TestWhoChangesWhatAnAccessorReturnedChangesNobodysToken(t *testing.T) {
	s := newSigner(t, verify.ES256, "k1")
	v := newIssuer(s).verifier(t)
	raw := s.token(nil)
	tok := wantAccepted(t, v, raw)
	for _, list := range [][]string{tok.Audience(), tok.Scopes(), tok.Roles(), tok.Groups(), tok.AMR()} {
		for i := range list {
			list[i] = "root"
		}
	}
	again := wantAccepted(t, v, raw)
	for _, list := range [][]string{again.Audience(), again.Scopes(), again.Roles(), again.Groups(), again.AMR()} {
		if len(list) == 0 || slices.Contains(list, "root") {
			t.Errorf("the remembered token now says %q", list)
		}
	}
}

func TestARememberedTokenExpiresOnTime(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		v := i.verifier(t)
		raw := s.token(nil)
		for range 10 { // ten minutes, and 29 seconds of leeway
			wantAccepted(t, v, raw)
			time.Sleep(time.Minute)
		}
		time.Sleep(29 * time.Second)
		wantAccepted(t, v, raw)
		time.Sleep(time.Second)
		wantRefused(t, v, raw, verify.Expired)
	})
}

func TestARememberedTokenCostsNoSignatureCheckAndNoMemory(t *testing.T) {
	s := newSigner(t, verify.ES256, "k1")
	v := newIssuer(s).verifier(t)
	raw := s.token(nil)
	wantAccepted(t, v, raw)
	ctx := t.Context()
	if got := testing.AllocsPerRun(100, func() {
		if _, err := v.Verify(ctx, raw); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("%v allocations, want none: the token was not remembered", got)
	}
	if len(raw) > 1100 {
		t.Errorf("the token of this test has %d bytes, which is not what services see", len(raw))
	}
}

func TestARefusedTokenIsNotRemembered(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		v := i.verifier(t)
		early := s.token(object{"nbf": time.Now().Add(time.Minute).Unix()})
		wantRefused(t, v, early, verify.NotYetValid)
		time.Sleep(time.Minute)
		wantAccepted(t, v, early)
	})
}

func TestManyTokensVerifyAlikeFromManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, verify.EdDSA, "k1")
		v := newIssuer(s).verifier(t, verify.WithMemory(64)) // too small, so places change hands
		for g := range 8 {
			go func() {
				for n := range 200 {
					sub := fmt.Sprintf("u-%d", (g+n)%100)
					if tok := wantAccepted(t, v, s.token(object{"sub": sub, "jti": sub})); tok.Subject() != sub {
						t.Errorf("the token of %s is that of %s", sub, tok.Subject())
					}
				}
			}()
		}
		synctest.Wait()
	})
}

func TestEveryReasonHasAStatusAndAText(t *testing.T) {
	for _, r := range []verify.Reason{
		verify.NoToken, verify.InvalidRequest, verify.TooLarge, verify.Malformed, verify.WrongType, verify.AlgorithmRefused,
		verify.UnknownKey, verify.CriticalHeader, verify.BadSignature, verify.MissingClaim, verify.MalformedClaim,
		verify.WrongIssuer, verify.WrongAudience, verify.Expired, verify.NotYetValid, verify.SenderConstrained,
		verify.Ended, verify.InsufficientScope, verify.NotFresh, verify.WeakSignIn,
	} {
		err := fmt.Errorf("handling: %w", &verify.Error{Reason: r})
		var refusal *verify.Error
		if !errors.Is(err, r) || !errors.As(err, &refusal) || errors.Is(err, verify.Reason("other")) {
			t.Errorf("%s does not match itself and nothing else", r)
			continue
		}
		if refusal.Status() >= 500 || refusal.Challenge() == "" {
			t.Errorf("%s: status %d, challenge %q", r, refusal.Status(), refusal.Challenge())
		}
		// RFC 6750 §3: %x20-21 / %x23-5B / %x5D-7E, so no quote and no backslash.
		if d := refusal.Description(); d == "" || strings.ContainsAny(d, "\"\\\r\n") {
			t.Errorf("%s: description %q", r, d)
		}
		if _, err := json.Marshal(refusal.Body()); err != nil {
			t.Error(err)
		}
	}
	for _, r := range []verify.Reason{verify.KeysUnavailable, verify.EndingsStale} {
		if got := (&verify.Error{Reason: r}); got.Status() != http.StatusServiceUnavailable || got.Challenge() != "" {
			t.Errorf("%s: status %d, challenge %q", r, got.Status(), got.Challenge())
		}
	}
}

// Every module that this package imported would be compiled into every service.
func TestThePackageImportsNothingButTheStandardLibrary(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source files: ", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			if first, _, _ := strings.Cut(strings.Trim(spec.Path.Value, `"`), "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s", file, spec.Path.Value)
			}
		}
	}
}
