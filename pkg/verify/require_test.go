package verify_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// seen answers 200 and keeps the token that reached it.
type seen struct {
	tok verify.Token
	ok  bool
}

func (s *seen) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	s.tok, s.ok = verify.FromContext(r.Context())
}

func ask(h http.Handler, target string, authorization ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header["Authorization"] = authorization
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAGoodTokenReachesTheHandler(t *testing.T) {
	s := newSigner(t, verify.ES256, "k1")
	v := newIssuer(s).verifier(t)
	for _, scheme := range []string{"Bearer ", "bearer ", "BEARER ", "Bearer  "} {
		var list seen
		mux := http.NewServeMux()
		mux.Handle("GET /orders", v.Require("orders:read", "orders:write")(&list))
		if w := ask(mux, "/orders?page=2", scheme+s.token(nil)); w.Code != http.StatusOK {
			t.Fatalf("%q: status %d: %s", scheme, w.Code, w.Body)
		}
		if !list.ok || list.tok.Subject() != "u-alice" {
			t.Errorf("%q: the handler saw %v %q", scheme, list.ok, list.tok.Subject())
		}
	}
}

func TestWithoutMiddlewareThereIsNoTokenInTheContext(t *testing.T) {
	if tok, ok := verify.FromContext(t.Context()); ok || tok.Valid() {
		t.Error("a token out of nowhere")
	}
	if _, ok := verify.FromContext(verify.NewContext(t.Context(), verify.Token{})); ok {
		t.Error("the zero token passes for a verified one")
	}
}

func TestChallenges(t *testing.T) {
	s := newSigner(t, verify.EdDSA, "k1")
	v := newIssuer(s).verifier(t)
	named := newIssuer(s).verifier(t, verify.WithRealm(`the "orders"`),
		verify.WithResourceMetadata("https://orders.example.com/.well-known/oauth-protected-resource"))
	const realm = `Bearer realm="https://orders.example.com"`
	const namedRealm = `Bearer realm="the \"orders\"", resource_metadata="https://orders.example.com/.well-known/oauth-protected-resource"`
	bearer := "Bearer " + s.token(nil)

	for name, c := range map[string]struct {
		handler   func(http.Handler) http.Handler
		target    string
		headers   []string
		status    int
		challenge string
	}{
		"no token": {v.Require("orders:read", "orders:write"), "/", nil, 401,
			realm + `, scope="orders:read orders:write"`},
		"no token, no scope asked for": {v.Require(), "/", nil, 401, realm},
		"no token, with metadata":      {named.Require(), "/", nil, 401, namedRealm},
		"another scheme":               {v.Require(), "/", []string{"Basic dTpw"}, 401, realm},
		"the DPoP scheme":              {v.Require(), "/", []string{"DPoP " + s.token(nil)}, 401, realm},
		"an expired token": {v.Require("orders:read"), "/", []string{"Bearer " + s.token(object{"exp": 1})}, 401,
			realm + `, error="invalid_token", error_description="the token has expired: exp"`},
		"a forged token, with metadata": {named.Require(), "/", []string{bearer[:len(bearer)-4] + "AAAA"}, 401,
			namedRealm + `, error="invalid_token", error_description="the signature is wrong"`},
		"a scope too few": {v.Require("orders:read", "orders:admin"), "/", []string{bearer}, 403,
			realm + `, error="insufficient_scope", error_description="the token lacks a scope that is required here", scope="orders:read orders:admin"`},
		"two Authorization headers": {v.Require(), "/", []string{bearer, bearer}, 400,
			realm + `, error="invalid_request", error_description="one token, in one Authorization header, is required"`},
		"two tokens joined by a proxy": {v.Require(), "/", []string{bearer + ", " + bearer}, 400,
			realm + `, error="invalid_request", error_description="one token, in one Authorization header, is required"`},
		"a scheme without a token": {v.Require(), "/", []string{"Bearer"}, 400,
			realm + `, error="invalid_request", error_description="one token, in one Authorization header, is required"`},
		"a token in the query": {v.Require(), "/?access_token=" + s.token(nil), nil, 400,
			realm + `, error="invalid_request", error_description="one token, in one Authorization header, is required"`},
		"a token in the query, its name escaped": {v.Require(), "/?access%5Ftoken=" + s.token(nil), nil, 400,
			realm + `, error="invalid_request", error_description="one token, in one Authorization header, is required"`},
		"a token in the query and a good header": {v.Require(), "/?access_token=" + s.token(nil), []string{bearer}, 400,
			realm + `, error="invalid_request", error_description="one token, in one Authorization header, is required"`},
		"a sign-in too old": {v.RequireFresh(30 * time.Second), "/", []string{bearer}, 401,
			realm + `, error="insufficient_user_authentication", error_description="a more recent sign-in is required", max_age="30"`},
		"a sign-in too weak": {v.RequireACR("phr", "phrh"), "/", []string{bearer}, 401,
			realm + `, error="insufficient_user_authentication", error_description="another kind of sign-in is required", acr_values="phr phrh"`},
		"no token where a fresh sign-in is asked for": {v.RequireFresh(time.Minute), "/", nil, 401, realm},
	} {
		t.Run(name, func(t *testing.T) {
			var list seen
			w := ask(c.handler(&list), c.target, c.headers...)
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
			if got := w.Header().Get("WWW-Authenticate"); got != c.challenge {
				t.Errorf("WWW-Authenticate\n got %s\nwant %s", got, c.challenge)
			}
			if w.Header().Get("Cache-Control") != "no-store" {
				t.Error("the refusal may be cached")
			}
			if list.ok {
				t.Error("the handler ran")
			}
		})
	}
}

func TestARefusalIsAJSONObjectThatHoldsNothingOfTheToken(t *testing.T) {
	s := newSigner(t, verify.EdDSA, "k1")
	h := newIssuer(s).verifier(t).Require()(&seen{})
	w := ask(h, "/", "Bearer "+s.tokenWithHeader(object{"kid": "planted"}))
	var body map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if body["error"] != "invalid_token" || body["error_description"] != "the signing key is unknown: kid" {
		t.Errorf("body %v", body)
	}
	if strings.Contains(w.Body.String()+w.Header().Get("WWW-Authenticate"), "planted") {
		t.Error("the refusal repeats what the client sent")
	}
}

func TestWithoutKeysTheAnswerIsThatWeAreAtFault(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.down = true
		w := ask(i.verifier(t).Require()(&seen{}), "/", "Bearer "+s.token(nil))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		if got := w.Header().Get("WWW-Authenticate"); got != "" {
			t.Errorf("a challenge, %q, though no other token would help", got)
		}
		if strings.Contains(w.Body.String(), "refused") {
			t.Errorf("the cause is shown to a stranger: %s", w.Body)
		}
	})
}

func TestRefuseShowsNothingOfAnErrorThatIsNotItsOwn(t *testing.T) {
	w := httptest.NewRecorder()
	verify.Refuse(w, errors.New("hunter2"))
	if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "hunter2") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTheScopeIsCheckedAgainForARememberedToken(t *testing.T) {
	s := newSigner(t, verify.EdDSA, "k1")
	v := newIssuer(s).verifier(t)
	bearer := "Bearer " + s.token(object{"scope": "orders:read"})
	for range 3 {
		if w := ask(v.Require("orders:read")(&seen{}), "/", bearer); w.Code != http.StatusOK {
			t.Errorf("status %d, want 200", w.Code)
		}
		// A scope that only begins like one that was granted is another scope.
		for _, scope := range []string{"orders:write", "orders", "orders:read:all"} {
			if w := ask(v.Require(scope)(&seen{}), "/", bearer); w.Code != http.StatusForbidden {
				t.Errorf("%s: status %d, want 403", scope, w.Code)
			}
		}
	}
}

func TestAFreshSignInIsLetThroughUntilItIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t, verify.EdDSA, "k1")
		v := newIssuer(s).verifier(t)
		h := v.Require("orders:read")(v.RequireFresh(5 * time.Minute)(v.RequireACR("mfa")(&seen{})))
		bearer := "Bearer " + s.token(nil) // signed in a minute ago
		if w := ask(h, "/", bearer); w.Code != http.StatusOK {
			t.Errorf("status %d, want 200: %s", w.Code, w.Body)
		}
		time.Sleep(4*time.Minute + time.Second)
		if w := ask(h, "/", bearer); w.Code != http.StatusUnauthorized {
			t.Errorf("status %d, want 401", w.Code)
		}
		if w := ask(h, "/", "Bearer "+s.token(object{"auth_time": nil})); w.Code != http.StatusUnauthorized {
			t.Errorf("without auth_time: status %d, want 401", w.Code)
		}
	})
}

func TestAStepUpDoesNotBelieveAnotherVerifiersToken(t *testing.T) {
	s := newSigner(t, verify.EdDSA, "k1")
	theirs := newIssuer(s).verifier(t)
	i := newIssuer(newSigner(t, verify.EdDSA, "k1"))
	ours := i.verifier(t)
	h := theirs.Require()(ours.RequireFresh(time.Hour)(&seen{}))
	if w := ask(h, "/", "Bearer "+s.token(nil)); w.Code != http.StatusUnauthorized {
		t.Errorf("status %d, want 401", w.Code)
	}
}

func TestAScopeThatNoTokenCanHaveIsAMistakeInTheProgram(t *testing.T) {
	v := newIssuer().verifier(t)
	for _, scope := range []string{"", "a b", `a"b`, `a\b`, "a\x00", "ä"} {
		for _, require := range []func(...string) func(http.Handler) http.Handler{v.Require, v.RequireACR} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%q did not cause a panic", scope)
					}
				}()
				require(scope)
			}()
		}
	}
}
