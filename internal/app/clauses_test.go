package app_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/config"
)

// Clauses of the RFCs that no other test here proves on the way; docs/protocol.md
// maps each to its test.

// RFC 9700 §2.1.1, OAuth 2.1 §4.1.3: without it, an attacker who strips the
// challenge from a request is not noticed.
func TestAVerifierForACodeWithoutChallengeIsRefused(t *testing.T) {
	h := open(t)
	optional := false
	h.registered("loose", admin.ClientSettings{PKCE: &optional})
	code := h.browser().code("alice", "loose", "code_challenge", "", "code_challenge_method", "")
	if got := h.token("loose", redeem(code)); got.Error != "invalid_grant" {
		t.Errorf("with a verifier: %+v", got)
	}
	form := redeem(code)
	form.Del("code_verifier")
	if got := h.token("loose", form); got.Status != http.StatusOK {
		t.Errorf("without: %+v", got)
	}
}

// RFC 6749 §4.1.3: redirect_uri is part of the proof when it was sent.
func TestACodeIsRedeemedWithTheRedirectURIThatItWasSentTo(t *testing.T) {
	h := open(t)
	code := h.browser().code("alice", "orders")
	missing := redeem(code)
	missing.Del("redirect_uri")
	if got := h.token("orders", missing); got.Error != "invalid_grant" && got.Error != "invalid_request" {
		t.Errorf("without redirect_uri: %+v", got)
	}
	if got := h.token("orders", redeem(code)); got.Status != http.StatusOK {
		t.Errorf("with it: %+v", got)
	}
}

// RFC 6749 §3.1.2: a registered query stays, and the answer is added to it.
func TestARegisteredQueryIsKept(t *testing.T) {
	h := open(t)
	const withQuery = callback + "?tenant=a%20b"
	h.client(client.Client{ID: "q", FirstParty: true, RedirectURIs: []string{withQuery}})
	u := h.browser().signIn("alice", asks("q", "redirect_uri", withQuery)).location(t)
	if !strings.HasPrefix(u.String(), withQuery+"&") || u.Query().Get("code") == "" || u.Query().Get("tenant") != "a b" {
		t.Errorf("answered %s", u)
	}
	if got := h.browser().get(authorize(asks("q"))); got.StatusCode != http.StatusBadRequest {
		t.Errorf("without the query: %d", got.StatusCode)
	}
}

// RFC 8252 §7.3: a native app listens on whatever port it gets.
func TestANativeAppReturnsToAnyPortOfItsLoopback(t *testing.T) {
	h := open(t)
	for uri, ok := range map[string]bool{
		"http://127.0.0.1:51234/cb": true, "http://127.0.0.1/cb": true, "http://127.0.0.1:51234/other": false,
		"http://localhost:51234/cb": false, "http://127.0.0.2:51234/cb": false, "https://127.0.0.1:51234/cb": false,
	} {
		got := h.browser().get(authorize(asks("spa", "redirect_uri", uri)))
		if went := got.StatusCode == http.StatusSeeOther; went != ok {
			t.Errorf("%s: %d, want it accepted: %v", uri, got.StatusCode, ok)
		}
	}
	const uri = "http://127.0.0.1:51234/cb"
	code := h.browser().signIn("alice", asks("spa", "redirect_uri", uri)).location(t).Query().Get("code")
	form := redeem(code)
	form.Set("redirect_uri", "http://127.0.0.1:51235/cb")
	if got := h.token("spa", form); got.Error != "invalid_grant" {
		t.Errorf("redeemed for another port: %+v", got)
	}
	form.Set("redirect_uri", uri)
	if got := h.token("spa", form); got.Status != http.StatusOK {
		t.Errorf("redeemed: %+v", got)
	}
}

// RFC 6749 §6, RFC 8707 §2.2: a refresh may ask for less, and never for more.
func TestARefreshNarrowsAndNeverWidens(t *testing.T) {
	h := open(t)
	got := h.token("orders", redeem(h.browser().code("alice", "orders", "scope", "openid email orders:read")))
	ask := func(name, value string) tokens {
		form := refresh(got.RefreshToken)
		form.Set(name, value)
		return h.token("orders", form)
	}
	if wide := ask("scope", "openid profile"); wide.Error != "invalid_scope" {
		t.Errorf("a scope more: %+v", wide)
	}
	if wide := ask("resource", "https://invoices.example"); wide.Error != "invalid_target" {
		t.Errorf("another service: %+v", wide)
	}
	less := ask("scope", "openid")
	if less.Status != http.StatusOK || less.Scope != "openid" || claims(t, less.AccessToken)["scope"] != "openid" {
		t.Errorf("less: %+v", less)
	}
	// What one refresh left out is not lost (RFC 6749 §6).
	if again := h.token("orders", refresh(less.RefreshToken)); again.Scope != "openid email orders:read" {
		t.Errorf("the whole again: %q", again.Scope)
	}
}

// RFC 6749 §4.1.2.1: an error says these and nothing else, in ASCII.
func TestAnErrorRedirectCarriesNothingButTheError(t *testing.T) {
	h := open(t)
	allowed := []string{"error", "error_description", "error_uri", "state", "iss"}
	for _, q := range []url.Values{
		asks("orders", "prompt", "n\u00e4g\"\\\r\n"), asks("orders", "max_age", "x"), asks("orders", "prompt", "none"), asks("orders", "scope", "openid", "response_type", "id_token"),
	} {
		u := h.browser().get(authorize(q)).location(t)
		for name, values := range u.Query() {
			if !slices.Contains(allowed, name) {
				t.Errorf("%s carries %s", u, name)
			}
			if strings.ContainsFunc(values[0], func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
				t.Errorf("%s is %q", name, values[0])
			}
		}
		if u.Fragment != "" {
			t.Errorf("%s has a fragment", u)
		}
	}
}

// RFC 6749 §2.3.1: id and secret are form-encoded before they are put together.
func TestBasicCredentialsAreFormDecoded(t *testing.T) {
	h := open(t)
	h.client(client.Client{ID: "a~b", Grants: []string{client.GrantCredentials}})
	r := formRequest(t.Context(), "/token", url.Values{"grant_type": {"client_credentials"}})
	r.SetBasicAuth("a%7Eb", url.QueryEscape(h.secret.Reveal()))
	if got := h.parse(h.serve(r)); got.Status != http.StatusOK {
		t.Errorf("got %+v", got)
	}
}

// RFC 6750 §3 and §3.1: what a challenge says, and what it keeps to itself.
func TestUserinfoChallengesAsRFC6750Says(t *testing.T) {
	h := open(t)
	access := h.token("orders", redeem(h.browser().code("alice", "orders"))).AccessToken
	noOpenID := h.token("orders", redeem(h.browser().code("alice", "orders", "scope", "orders:read"))).AccessToken
	request := func(method string, header ...string) *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), method, "/userinfo", nil)
		r.Header["Authorization"] = header
		return r
	}
	twice := formRequest(t.Context(), "/userinfo", url.Values{"access_token": {access}})
	twice.Header.Set("Authorization", "Bearer "+access)
	for name, tt := range map[string]struct {
		r      *http.Request
		status int
		code   string
	}{
		"no token":                {request(http.MethodGet), 401, ""},
		"another scheme":          {request(http.MethodGet, "Basic eDp5"), 401, ""},
		"not a token":             {request(http.MethodGet, "Bearer x"), 401, "invalid_token"},
		"two headers":             {request(http.MethodGet, "Bearer "+access, "Bearer "+access), 400, "invalid_request"},
		"header and form":         {twice, 400, "invalid_request"},
		"a token without openid":  {request(http.MethodGet, "Bearer "+noOpenID), 403, "insufficient_scope"},
		"scheme in small letters": {request(http.MethodGet, "bearer "+access), 200, ""},
		"POST with a header":      {request(http.MethodPost, "Bearer "+access), 200, ""},
	} {
		got := h.serve(tt.r)
		if got.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", name, got.StatusCode, tt.status)
		}
		challenge := got.Header.Get("WWW-Authenticate")
		if (tt.status == http.StatusOK) != (challenge == "") || (tt.code == "") == strings.Contains(challenge, "error=") ||
			tt.code != "" && !strings.Contains(challenge, `error="`+tt.code+`"`) {
			t.Errorf("%s: challenge %q, want the code %q", name, challenge, tt.code)
		}
	}
}

// RFC 9068 §2: an access token is told from an ID token by its header.
func TestTokensSayWhatTheyAre(t *testing.T) {
	h := open(t)
	got := h.token("orders", redeem(h.browser().code("alice", "orders")))
	if head := header(t, got.AccessToken); head["typ"] != "at+jwt" || head["kid"] == nil || head["alg"] != "ES256" {
		t.Errorf("access token header: %v", head)
	}
	if head := header(t, got.IDToken); head["kid"] == nil || head["typ"] == "at+jwt" {
		t.Errorf("ID token header: %v", head)
	}
	machine := claims(t, h.token("robot", url.Values{"grant_type": {"client_credentials"}}).AccessToken)
	if machine["sub"] != "robot" || machine["client_id"] != "robot" || machine["auth_time"] != nil || machine["aud"] == nil {
		t.Errorf("a machine's token: %v", machine)
	}
}

// OpenID Connect Core §5.4: in the code flow the claims of scopes go to userinfo.
func TestAnIDTokenSaysNothingThatNobodyAskedFor(t *testing.T) {
	h := open(t)
	id := claims(t, h.token("orders", redeem(h.browser().code("alice", "orders", "nonce", ""))).IDToken)
	allowed := []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "at_hash", "jti", "sid"}
	for name, value := range id {
		if !slices.Contains(allowed, name) || value == nil || value == "" {
			t.Errorf("%s = %v", name, value)
		}
	}
}

// A request without openid is OAuth alone: there is no ID token (Core §3.1.2.1).
func TestWithoutOpenIDThereIsNoIDToken(t *testing.T) {
	h := open(t)
	if got := h.token("orders", redeem(h.browser().code("alice", "orders", "scope", "orders:read"))); got.IDToken != "" || got.AccessToken == "" {
		t.Errorf("got %+v", got)
	}
}

// RFC 8707 §2: a token is for the service that was named, or for the first registered.
func TestATokenIsForTheServiceThatWasNamed(t *testing.T) {
	h := open(t)
	b := h.browser()
	for resource, want := range map[string]string{"": "https://orders.example", "https://invoices.example": "https://invoices.example"} {
		got := h.token("orders", redeem(b.signInOrGoOn("alice", asks("orders", "resource", resource))))
		if aud := claims(t, got.AccessToken)["aud"]; aud != want {
			t.Errorf("resource %q: aud %v, want %s", resource, aud, want)
		}
	}
}

// signInOrGoOn returns the code, whether or not the browser must sign in.
func (b *browser) signInOrGoOn(login string, q url.Values) string {
	b.h.t.Helper()
	to := b.get(authorize(q)).location(b.h.t)
	if to.Path == "/signin" {
		to = b.signIn(login, q).location(b.h.t)
	}
	return to.Query().Get("code")
}

// RFC 7009 §2.1: the hint helps, and a wrong one does not hinder.
func TestAWrongTokenTypeHintDoesNotHinder(t *testing.T) {
	h := open(t)
	for _, hint := range []string{"access_token", "refresh_token", "saml2_token"} {
		got := h.token("orders", redeem(h.browser().code("alice", "orders")))
		r := formRequest(t.Context(), "/revoke", url.Values{"token": {got.RefreshToken}, "token_type_hint": {hint}})
		r.SetBasicAuth("orders", h.secret.Reveal())
		if res := h.serve(r); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", hint, res.StatusCode, res.body)
		}
		if again := h.token("orders", refresh(got.RefreshToken)); again.Error != "invalid_grant" {
			t.Errorf("%s: the token lives: %+v", hint, again)
		}
	}
}

// RP-Initiated Logout §2: the endpoint takes POST as well. The form comes from
// another site, without our cookie; sent on as a GET it is judged with it.
func TestASignOutMayBePosted(t *testing.T) {
	h := open(t)
	b := h.browser()
	got := h.token("orders", redeem(b.code("alice", "orders")))
	form := url.Values{"id_token_hint": {got.IDToken}, "post_logout_redirect_uri": {"https://app.example/bye"}, "state": {"s"}}
	r := formRequest(t.Context(), "/logout", form)
	onward := h.serve(r).location(t)
	if onward.Path != "/logout" {
		t.Fatalf("went to %s", onward)
	}
	if to := b.get(onward.String()).location(t); to.String() != "https://app.example/bye?state=s" {
		t.Errorf("ended at %s", to)
	}
	if u := b.get(authorize(asks("orders", "prompt", "none"))).location(t); u.Query().Get("error") != "login_required" {
		t.Errorf("still signed in: %s", u)
	}
}

// RFC 9700 §4.11: without a registered address there is nowhere to be sent.
func TestSigningOutLeadsNowhereElse(t *testing.T) {
	h := open(t)
	got := h.token("orders", redeem(h.browser().code("alice", "orders")))
	nobody := h.browser()
	for name, q := range map[string]url.Values{
		"another client's name": {"id_token_hint": {got.IDToken}, "client_id": {"third"}, "post_logout_redirect_uri": {"https://app.example/bye"}},
		"an unregistered place": {"id_token_hint": {got.IDToken}, "post_logout_redirect_uri": {"https://evil.example/"}},
		"no hint":               {"post_logout_redirect_uri": {"https://app.example/bye"}},
		"no hint but a client":  {"client_id": {"orders"}, "post_logout_redirect_uri": {"https://evil.example/"}},
	} {
		if got := nobody.get("/logout?" + q.Encode()); got.Header.Get("Location") != "" {
			t.Errorf("%s: sent to %s", name, got.Header.Get("Location"))
		}
	}
}

// What leaves the browser's cookie jar does so over TLS alone, and not to siblings.
func TestUnderHTTPSEveryAnswerDemandsItAndCookiesAreBound(t *testing.T) {
	h := open(t, func(cfg *config.Config, _ *app.Options) {
		public := config.Default()
		public.Issuer, public.Store, public.Metrics = "https://id.example.com", cfg.Store, cfg.Metrics
		*cfg = public
	})
	got := h.browser().get(authorize(asks("orders")))
	if got.Header.Get("Strict-Transport-Security") == "" {
		t.Error("there is no Strict-Transport-Security")
	}
	if len(got.Cookies()) == 0 {
		t.Fatal("no cookie binds the journey")
	}
	for _, c := range got.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "" {
			t.Errorf("cookie %s", c)
		}
	}
}
