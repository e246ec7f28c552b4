package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/refusal"
	"github.com/signet-id/signet/internal/store"
)

// RFC 6749 §4.1.2.1, RFC 9700 §4.1: an answer goes to a registered address or
// nowhere.
func TestAnUnregisteredRedirectURIIsAPageNeverARedirect(t *testing.T) {
	h := open(t)
	for _, uri := range []string{
		"https://evil.example/cb", "https://app.example/cb/", "https://app.example/cb?x=1", "https://app.example/cb#f",
		"https://app.example.evil.example/cb", "https://app.example@evil.example/cb", "HTTPS://app.example/cb",
		"https://APP.example/cb", "https://app.example:443/cb", "https://app.example/%63b", "https://app.example/a/../cb",
		"http://app.example/cb", "javascript:alert(1)", "//app.example/cb", "https://app.example/cb ", "\thttps://app.example/cb",
	} {
		got := h.browser().get(authorize(asks("orders", "redirect_uri", uri)))
		if got.StatusCode != http.StatusBadRequest || got.Header.Get("Location") != "" || !strings.Contains(got.body, "redirect_uri") {
			t.Errorf("%q: %d, Location %q", uri, got.StatusCode, got.Header.Get("Location"))
		}
	}
}

func TestWithoutAKnownClientThereIsNowhereToAnswer(t *testing.T) {
	h := open(t)
	disabled := client.Client{ID: "off", RedirectURIs: []string{callback}}
	h.client(disabled)
	if _, err := h.Operator.Clients.Update(t.Context(), "off", func(c *client.Client) error { c.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	twice := asks("orders")
	twice["client_id"] = []string{"orders", "spa"}
	twiceURI := asks("orders")
	twiceURI["redirect_uri"] = []string{callback, "https://evil.example"}
	for name, q := range map[string]url.Values{
		"no client_id": asks(""), "unknown": asks("nobody"), "disabled": asks("off"), "two client_ids": twice,
		"no redirect_uri": asks("orders", "redirect_uri", ""), "two redirect_uris": twiceURI, "nothing": {},
	} {
		got := h.browser().get(authorize(q))
		if got.StatusCode != http.StatusBadRequest || got.Header.Get("Location") != "" {
			t.Errorf("%s: %d, Location %q", name, got.StatusCode, got.Header.Get("Location"))
		}
	}
}

func TestARefusedRequestIsAnsweredWithItsCodeAndState(t *testing.T) {
	h := open(t)
	long := strings.Repeat("a", 5000)
	twice := asks("orders")
	twice["scope"] = []string{"openid", "email"}
	other := func(change ...string) url.Values { return asks("orders", change...) }
	for name, tt := range map[string]struct {
		q    url.Values
		code string
		says string
	}{
		"no response_type":        {other("response_type", ""), "unsupported_response_type", ""},
		"unknown response_type":   {other("response_type", "token"), "unsupported_response_type", ""},
		"request object":          {other("request", "x.y.z"), "request_not_supported", "request"},
		"request_uri":             {other("request_uri", "https://a.example"), "request_uri_not_supported", "request_uri"},
		"registration":            {other("registration", "{}"), "registration_not_supported", "registration"},
		"response_mode":           {other("response_mode", "jwt"), "invalid_request", "response_mode"},
		"no challenge":            {other("code_challenge", ""), "invalid_request", "code_challenge"},
		"plain challenge":         {other("code_challenge_method", "plain"), "invalid_request", "code_challenge_method"},
		"no challenge method":     {other("code_challenge_method", ""), "invalid_request", "code_challenge_method"},
		"short challenge":         {other("code_challenge", "abc"), "invalid_request", "code_challenge"},
		"unknown prompt":          {other("prompt", "nag"), "invalid_request", "prompt"},
		"prompt none and another": {other("prompt", "none login"), "invalid_request", "prompt"},
		"negative max_age":        {other("max_age", "-1"), "invalid_request", "max_age"},
		"garbage max_age":         {other("max_age", "soon"), "invalid_request", "max_age"},
		"foreign hint":            {other("id_token_hint", "e30.e30.e30"), "invalid_request", "id_token_hint"},
		"relative resource":       {other("resource", "orders"), "invalid_target", "resource"},
		"foreign resource":        {other("resource", "https://elsewhere.example"), "invalid_target", "resource"},
		"a parameter twice":       {twice, "invalid_request", "scope"},
		"an oversized parameter":  {other("login_hint", long), "invalid_request", "login_hint"},
	} {
		t.Run(name, func(t *testing.T) {
			u := h.browser().get(authorize(tt.q)).location(t)
			q := u.Query()
			if q.Get("error") != tt.code || q.Get("state") != "af0ifjsldkj" || q.Get("iss") != issuer || u.Host != "app.example" {
				t.Errorf("answered %s", u)
			}
			if !strings.Contains(q.Get("error_description"), tt.says) {
				t.Errorf("the description does not name %s: %q", tt.says, q.Get("error_description"))
			}
		})
	}
}

func TestStateAndNonceAreTheClientsOwn(t *testing.T) {
	h := open(t)
	for _, state := range []string{"x", "af0ifjsldkj", strings.Repeat("-._~", 32), "ü &=+%20", ""} {
		b := h.browser()
		u := b.signIn("alice", asks("orders", "state", state, "nonce", "n")).location(t)
		if got, sent := u.Query()["state"]; (state == "" && sent) || (state != "" && (len(got) != 1 || got[0] != state)) {
			t.Errorf("state %q came back as %q", state, got)
		}
		if id := claims(t, h.token("orders", redeem(u.Query().Get("code"))).IDToken); id["nonce"] != "n" {
			t.Errorf("nonce came back as %v", id["nonce"])
		}
	}
}

func TestUnknownScopesAndParametersAreIgnored(t *testing.T) {
	h := open(t)
	q := asks("orders", "scope", "openid made:up offline_access", "ui_locales", "de", "display", "popup", "acr_values", "9", "foo", "bar")
	got := h.token("orders", redeem(h.browser().signIn("alice", q).location(t).Query().Get("code")))
	if got.Scope != "openid" {
		t.Errorf("scope %q, want openid", got.Scope)
	}
}

func TestAuthorizeTakesAFormAsWell(t *testing.T) {
	h := open(t)
	b := h.browser()
	if u := b.post("/authorize", asks("orders")).location(t); u.Path != "/signin" {
		t.Errorf("went to %s", u)
	}
}

// records lists everything in the store, to see that nothing changed.
func (h *house) records() string {
	h.t.Helper()
	recs, err := h.Store().List(h.t.Context(), "", "", store.MaxList)
	if err != nil {
		h.t.Fatal(err)
	}
	out := ""
	for _, r := range recs {
		out += fmt.Sprintln(r.Key, r.Version)
	}
	return out
}

func TestABadTokenRequestGetsTheRightErrorAndChangesNothing(t *testing.T) {
	h := open(t)
	code := h.browser().code("alice", "orders")
	before := h.records()
	with := func(form url.Values, change ...string) url.Values {
		for i := 0; i < len(change); i += 2 {
			form.Set(change[i], change[i+1])
		}
		return form
	}
	twice := redeem(code)
	twice["code"] = []string{code, code}
	credentials := func() url.Values { return url.Values{"grant_type": {"client_credentials"}} }
	for name, tt := range map[string]struct {
		client string
		form   url.Values
		code   string
	}{
		"no grant_type":            {"orders", url.Values{"x": {"y"}}, "invalid_request"},
		"unknown grant_type":       {"orders", with(url.Values{}, "grant_type", "password"), "unsupported_grant_type"},
		"two grant types in one":   {"orders", with(url.Values{}, "grant_type", "client_credentials refresh_token"), "unsupported_grant_type"},
		"no code":                  {"orders", with(redeem(""), "code", ""), "invalid_request"},
		"a code of ours, changed":  {"orders", redeem(code[:40] + "A" + code[41:]), "invalid_grant"},
		"not a code":               {"orders", redeem("hello"), "invalid_grant"},
		"another redirect_uri":     {"orders", with(redeem(code), "redirect_uri", "https://app.example/other"), "invalid_grant"},
		"no verifier":              {"orders", with(redeem(code), "code_verifier", ""), "invalid_grant"},
		"a code twice":             {"orders", twice, "invalid_request"},
		"a grant not registered":   {"orders", credentials(), "unauthorized_client"},
		"code grant of a machine":  {"robot", redeem(code), "unauthorized_client"},
		"an unknown scope":         {"robot", with(credentials(), "scope", "orders:burn"), "invalid_scope"},
		"a foreign resource":       {"robot", with(credentials(), "resource", "https://elsewhere.example"), "invalid_target"},
		"not a refresh token":      {"orders", refresh("sgr_AAAA"), "invalid_grant"},
		"an oversized parameter":   {"orders", with(redeem(code), "code_verifier", strings.Repeat("v", 5000)), "invalid_request"},
		"not the resource granted": {"orders", with(redeem(code), "resource", "https://invoices.example"), "invalid_target"},
	} {
		t.Run(name, func(t *testing.T) {
			got := h.token(tt.client, tt.form)
			if got.Error != tt.code || got.Description == "" || got.AccessToken != "" {
				t.Errorf("got %+v, want %s", got, tt.code)
			}
		})
	}
	if after := h.records(); after != before {
		t.Errorf("the store changed:\n%s\nwas\n%s", after, before)
	}
	if got := h.token("orders", redeem(code)); got.Status != http.StatusOK {
		t.Errorf("after all that the code does not work: %+v", got)
	}
}

func TestClientAuthenticationIsAsRegisteredAndFailsAlike(t *testing.T) {
	h := open(t)
	h.client(client.Client{ID: "poster", AuthMethod: client.AuthPost, Grants: []string{client.GrantCredentials}})
	h.client(client.Client{ID: "inside", Networks: []string{"10.0.0.0/8"}, Grants: []string{client.GrantCredentials}})
	secret := h.secret.Reveal()
	try := func(change func(url.Values, *http.Request)) tokens {
		form := url.Values{"grant_type": {"client_credentials"}}
		probe := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", nil)
		change(form, probe)
		r := formRequest(t.Context(), "/token", form)
		for k, v := range probe.Header {
			r.Header[k] = v
		}
		r.RemoteAddr = probe.RemoteAddr
		return h.parse(h.serve(r))
	}
	var refused []tokens
	for name, change := range map[string]func(url.Values, *http.Request){
		"wrong secret":              func(_ url.Values, r *http.Request) { r.SetBasicAuth("robot", secret+"x") },
		"no secret":                 func(f url.Values, _ *http.Request) { f.Set("client_id", "robot") },
		"empty secret":              func(_ url.Values, r *http.Request) { r.SetBasicAuth("robot", "") },
		"unknown client":            func(_ url.Values, r *http.Request) { r.SetBasicAuth("nobody", secret) },
		"post, registered as basic": func(f url.Values, _ *http.Request) { f.Set("client_id", "robot"); f.Set("client_secret", secret) },
		"basic, registered as post": func(_ url.Values, r *http.Request) { r.SetBasicAuth("poster", secret) },
		"from outside its network": func(_ url.Values, r *http.Request) {
			r.SetBasicAuth("inside", secret)
			r.RemoteAddr = "192.0.2.7:1234"
		},
	} {
		got := try(change)
		if got.Status != http.StatusUnauthorized || got.Error != "invalid_client" {
			t.Errorf("%s: %+v", name, got)
		}
		refused = append(refused, got)
	}
	words := func(r tokens) string { return r.Description[:strings.Index(r.Description, " [")] } // the id differs
	for _, r := range refused[1:] {
		if words(r) != words(refused[0]) {
			t.Errorf("refusals can be told apart: %q and %q", r.Description, refused[0].Description)
		}
	}
	both := try(func(f url.Values, r *http.Request) { r.SetBasicAuth("robot", secret); f.Set("client_secret", secret) })
	if both.Error != "invalid_request" {
		t.Errorf("two methods at once: %+v", both)
	}
	for name, change := range map[string]func(url.Values, *http.Request){
		"post":   func(f url.Values, _ *http.Request) { f.Set("client_id", "poster"); f.Set("client_secret", secret) },
		"inside": func(_ url.Values, r *http.Request) { r.SetBasicAuth("inside", secret); r.RemoteAddr = "10.1.2.3:1" },
	} {
		if got := try(change); got.Status != http.StatusOK {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestUserinfoTakesNoTokenFromTheURLAndNoIDToken(t *testing.T) {
	h := open(t)
	got := h.token("orders", redeem(h.browser().code("alice", "orders")))
	inURL := h.serve(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/userinfo?access_token="+got.AccessToken, nil))
	if inURL.StatusCode != http.StatusUnauthorized {
		t.Errorf("token in the URL: %d", inURL.StatusCode)
	}
	for name, token := range map[string]string{
		"ID token": got.IDToken, "refresh token": got.RefreshToken, "garbage": "a.b.c",
		"machine token": h.token("robot", url.Values{"grant_type": {"client_credentials"}}).AccessToken,
	} {
		if info := h.userinfo(token); info.StatusCode < 400 || info.body != "" {
			t.Errorf("%s: %d %s", name, info.StatusCode, info.body)
		}
	}
	form := h.serve(formRequest(t.Context(), "/userinfo", url.Values{"access_token": {got.AccessToken}}))
	if form.StatusCode != http.StatusOK {
		t.Errorf("token in a form: %d", form.StatusCode)
	}
}

func TestARefusalIsExplainedToTheOperatorAlone(t *testing.T) {
	h := open(t)
	u := h.browser().get(authorize(asks("orders", "prompt", "nag", "login_hint", "secret-person"))).location(t)
	description := u.Query().Get("error_description")
	id := strings.TrimSuffix(description[strings.LastIndex(description, "[")+1:], "]")
	if got := u.Query().Get("error_uri"); got != refusal.PromptUnknown.Page() {
		t.Errorf("error_uri = %s", got)
	}
	w := httptest.NewRecorder()
	h.AdminHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/refusals/"+id, nil))
	for _, want := range []string{`"prompt":["nag"]`, callback, `"prompt_unknown"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the explanation lacks %s: %s", want, w.Body)
		}
	}
	if strings.Contains(w.Body.String(), "secret-person") {
		t.Error("the explanation holds a personal value")
	}
}

func TestAStrangerSeesNothingOfWhatIsRegistered(t *testing.T) {
	h := open(t, func(cfg *config.Config, _ *app.Options) {
		public := config.Default() // not loopback, where the pages are candid
		public.Issuer, public.Store, public.Metrics = "https://id.example.com", cfg.Store, cfg.Metrics
		*cfg = public
	})
	got := h.browser().get(authorize(asks("orders", "redirect_uri", "https://evil.example/cb")))
	if got.StatusCode != http.StatusBadRequest || strings.Contains(got.body, "app.example") || strings.Contains(got.body, "orders.example") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}
