package client_test

import (
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
)

func wantInvalid(t *testing.T, err error, field string) {
	t.Helper()
	got, message := fault.Public(err)
	if fault.KindOf(err) != fault.Invalid || got != field || message == "" {
		t.Errorf("got %v, want fault.Invalid on %s", err, field)
	}
}

// web is a complete confidential client; native a complete public one.
func web() client.Client {
	return client.Client{ID: "orders", RedirectURIs: []string{"https://orders.example.com/cb"}}.Complete()
}

func native() client.Client {
	return client.Client{ID: "app", Public: true, RedirectURIs: []string{"http://127.0.0.1/cb"}}.Complete()
}

func TestWhatTheOperatorLeftOpenIsFilledIn(t *testing.T) {
	for name, tt := range map[string]struct {
		given client.Client
		want  func(client.Client) bool
	}{
		"a web application": {client.Client{RedirectURIs: []string{"x"}}, func(c client.Client) bool {
			return c.May(client.GrantCode) && c.May(client.GrantRefresh) && !c.May(client.GrantCredentials) &&
				c.AuthMethod == client.AuthBasic && !c.PKCE && c.Refresh == client.RefreshSession && c.IDTokenAlg == "RS256"
		}},
		"a machine": {client.Client{}, func(c client.Client) bool {
			return c.May(client.GrantCredentials) && !c.May(client.GrantCode) && c.Refresh == client.RefreshNone
		}},
		"a public client": {client.Client{Public: true, RedirectURIs: []string{"x"}}, func(c client.Client) bool {
			return c.AuthMethod == client.AuthNone && c.PKCE
		}},
		"auth method none": {client.Client{AuthMethod: client.AuthNone, RedirectURIs: []string{"x"}}, func(c client.Client) bool {
			return c.Public && c.PKCE
		}},
		"code without refresh": {client.Client{Grants: []string{client.GrantCode}}, func(c client.Client) bool {
			return c.Refresh == client.RefreshNone
		}},
		"what was said stays": {
			client.Client{Grants: []string{client.GrantCode, client.GrantRefresh}, Refresh: client.RefreshOffline, AuthMethod: client.AuthPost, IDTokenAlg: "ES256", PKCE: true},
			func(c client.Client) bool {
				return c.Refresh == client.RefreshOffline && c.AuthMethod == client.AuthPost && c.IDTokenAlg == "ES256" && c.PKCE
			},
		},
	} {
		if got := tt.given.Complete(); !tt.want(got) {
			t.Errorf("%s: Complete = %+v", name, got)
		}
	}
}

func TestACompleteClientIsValid(t *testing.T) {
	for name, change := range map[string]func(*client.Client){
		"as it is":         func(*client.Client) {},
		"an id of one":     func(c *client.Client) { c.ID = "a" },
		"an id of 64":      func(c *client.Client) { c.ID = "a.b_c~d-" + strings.Repeat("9", 56) },
		"a title":          func(c *client.Client) { c.Title = "Örders & Söhne" },
		"scopes":           func(c *client.Client) { c.Scopes = []string{"orders:read", "https://x/y", "!"} },
		"audience":         func(c *client.Client) { c.Audience = []string{"https://orders.example.com", "urn:example:orders"} },
		"networks":         func(c *client.Client) { c.Networks = []string{"10.0.0.0/8", "fd00::/8", "192.0.2.7/32"} },
		"links":            func(c *client.Client) { c.LogoURI, c.PolicyURI = "https://x.example/l.png", "http://localhost/p" },
		"a machine":        func(c *client.Client) { *c = client.Client{ID: "m"}.Complete() },
		"code alone":       func(c *client.Client) { c.Grants, c.Refresh = []string{client.GrantCode}, client.RefreshNone },
		"every algorithm":  func(c *client.Client) { c.IDTokenAlg = "EdDSA" },
		"a logout address": func(c *client.Client) { c.PostLogoutRedirectURIs = []string{"https://orders.example.com/bye"} },
		"both logout notices": func(c *client.Client) {
			c.BackchannelLogoutURI, c.BackchannelLogoutSession = "https://backend.example.net/ended?x=1", true
			c.FrontchannelLogoutURI, c.FrontchannelLogoutSession = "https://ORDERS.example.com:443/ended?x=1", true
		},
		"notices on this machine": func(c *client.Client) {
			c.RedirectURIs = []string{"http://127.0.0.1:3000/cb"}
			c.BackchannelLogoutURI, c.FrontchannelLogoutURI = "http://[::1]:4000/ended", "http://127.0.0.1:3000/ended"
		},
		"an address's query": func(c *client.Client) { c.RedirectURIs = []string{"https://orders.example.com/cb?x=1"} },
	} {
		c := web()
		change(&c)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: Validate = %v", name, err)
		}
	}
	if err := native().Validate(); err != nil {
		t.Errorf("a native application: Validate = %v", err)
	}
}

func TestEachBrokenRuleIsNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		field  string
		change func(*client.Client)
	}{
		"no id":                     {"client_id", func(c *client.Client) { c.ID = "" }},
		"an id with a slash":        {"client_id", func(c *client.Client) { c.ID = "a/b" }},
		"an id with a colon":        {"client_id", func(c *client.Client) { c.ID = "a:b" }},
		"an id with a line break":   {"client_id", func(c *client.Client) { c.ID = "a\n" }},
		"an id of 65":               {"client_id", func(c *client.Client) { c.ID = strings.Repeat("a", 65) }},
		"an id that begins so":      {"client_id", func(c *client.Client) { c.ID = "-a" }},
		"a long title":              {"client_name", func(c *client.Client) { c.Title = strings.Repeat("x", 129) }},
		"a title of two lines":      {"client_name", func(c *client.Client) { c.Title = "a\nb" }},
		"an unknown method":         {"auth_method", func(c *client.Client) { c.AuthMethod = "tls_client_auth" }},
		"public with a secret":      {"auth_method", func(c *client.Client) { c.Public = true }},
		"confidential without":      {"auth_method", func(c *client.Client) { c.AuthMethod = client.AuthNone }},
		"an unknown algorithm":      {"id_token_alg", func(c *client.Client) { c.IDTokenAlg = "none" }},
		"a symmetric algorithm":     {"id_token_alg", func(c *client.Client) { c.IDTokenAlg = "HS256" }},
		"the implicit grant":        {"grant", func(c *client.Client) { c.Grants = append(c.Grants, "implicit") }},
		"the password grant":        {"grant", func(c *client.Client) { c.Grants = append(c.Grants, "password") }},
		"refresh of nothing":        {"grant", func(c *client.Client) { c.Grants = []string{client.GrantRefresh} }},
		"an unknown refresh":        {"refresh", func(c *client.Client) { c.Refresh = "forever" }},
		"refresh without the grant": {"refresh", func(c *client.Client) { c.Grants = []string{client.GrantCode} }},
		"the grant without refresh": {"refresh", func(c *client.Client) { c.Refresh = client.RefreshNone }},
		"nowhere to return":         {"redirect_uri", func(c *client.Client) { c.RedirectURIs = nil }},
		"33 addresses": {"redirect_uri", func(c *client.Client) {
			c.RedirectURIs = strings.Split(strings.Repeat("https://x.example/,", 32)+"https://x.example/", ",")
		}},
		"a logout address in http": {"post_logout_redirect_uri", func(c *client.Client) { c.PostLogoutRedirectURIs = []string{"http://x.example/"} }},
		"a notice in http":         {"backchannel_logout_uri", func(c *client.Client) { c.BackchannelLogoutURI = "http://x.example/ended" }},
		"a notice, fragment":       {"backchannel_logout_uri", func(c *client.Client) { c.BackchannelLogoutURI = "https://x.example/ended#x" }},
		"a notice with a password": {"backchannel_logout_uri", func(c *client.Client) { c.BackchannelLogoutURI = "https://u:p@x.example/ended" }},
		"a notice that runs":       {"backchannel_logout_uri", func(c *client.Client) { c.BackchannelLogoutURI = "javascript:alert(1)" }},
		"a scope with a space":     {"scope", func(c *client.Client) { c.Scopes = []string{"a b"} }},
		"a scope with a quote":     {"scope", func(c *client.Client) { c.Scopes = []string{`a"b`} }},
		"an empty scope":           {"scope", func(c *client.Client) { c.Scopes = []string{""} }},
		"an audience, relative":    {"audience", func(c *client.Client) { c.Audience = []string{"orders"} }},
		"an audience, fragment":    {"audience", func(c *client.Client) { c.Audience = []string{"https://x.example/#"} }},
		"a network that is none":   {"network", func(c *client.Client) { c.Networks = []string{"10.0.0.1"} }},
		"a network's host bits":    {"network", func(c *client.Client) { c.Networks = []string{"10.0.0.1/8"} }},
		"a network, mapped":        {"network", func(c *client.Client) { c.Networks = []string{"::ffff:10.0.0.0/104"} }},
		"a logo in http":           {"logo_uri", func(c *client.Client) { c.LogoURI = "http://x.example/l.png" }},
		"a policy that runs":       {"policy_uri", func(c *client.Client) { c.PolicyURI = "javascript:alert(1)" }},
		"terms without a host":     {"tos_uri", func(c *client.Client) { c.TermsURI = "https://:443/" }},
	} {
		t.Run(name, func(t *testing.T) {
			c := web()
			tt.change(&c)
			wantInvalid(t, c.Validate(), tt.field)
		})
	}
}

// OpenID Connect Front-Channel Logout 1.0 §2: scheme, host and port are those of
// a redirect URI; and a frame-src must be able to name it (CSP Level 3 §2.3.1).
func TestWhatTheSignOutPageMayFrame(t *testing.T) {
	for uri, allowed := range map[string]bool{
		"https://orders.example.com/ended":                        true,
		"https://orders.example.com/ended?a=b&c=d":                true,
		"https://Orders.Example.com:443/a;b,c":                    true,
		"https://other.example.com:8443/":                         true,
		"https://other.example.com/":                              false,
		"https://orders.example.com:8443/":                        false,
		"http://orders.example.com/ended":                         false,
		"https://evil.example/ended":                              false,
		"https://orders.example.com.evil.example/ended":           false,
		"https://orders.example.com@evil.example/ended":           false,
		"https://user@orders.example.com/ended":                   false,
		"https://orders.example.com/ended#":                       false,
		"com.example.app:/ended":                                  false,
		"javascript:alert(1)":                                     false,
		"/ended":                                                  false,
		"https://bücher.example/ended":                            false,
		"http://[::1]:3000/ended":                                 false,
		"https://orders.example.com/" + strings.Repeat("x", 2048): false,
	} {
		c := web()
		c.RedirectURIs = []string{"https://orders.example.com/cb", "https://other.example.com:8443/cb", "https://bücher.example/cb", "http://[::1]:3000/cb"}
		c.FrontchannelLogoutURI = uri
		if got := c.Validate() == nil; got != allowed {
			t.Errorf("%q is admitted: %t, want %t", uri, got, allowed)
		}
		if !allowed {
			wantInvalid(t, c.Validate(), "frontchannel_logout_uri")
		}
	}
}

// RFC 9700 §2.1.1 and RFC 6749 §4.4: what a client that keeps no secret can't have.
func TestAPublicClientHasNoWayAroundPKCEAndNoGrantOfItsOwn(t *testing.T) {
	c := native()
	c.PKCE = false
	wantInvalid(t, c.Validate(), "pkce")
	c = native()
	c.Grants = append(c.Grants, client.GrantCredentials)
	wantInvalid(t, c.Validate(), "grant")
}

func TestWherePeopleMayReturnTo(t *testing.T) {
	for uri, allowed := range map[string]struct{ confidential, public bool }{
		"https://app.example.com/cb":                     {true, true},
		"https://app.example.com":                        {true, true},
		"https://app.example.com:8443/cb?a=b":            {true, true},
		"http://localhost:3000/cb":                       {true, true},
		"http://127.0.0.1/cb":                            {true, true},
		"http://[::1]:5000/cb":                           {true, true},
		"com.example.app:/cb":                            {false, true}, // RFC 8252 §7.1
		"com.example.app://cb":                           {false, true},
		"http://app.example.com/cb":                      {}, // the code would travel in the clear
		"http://127.0.0.1.evil.example/cb":               {},
		"http://127.0.0.1@evil.example/cb":               {},
		"https://user@app.example.com/cb":                {},
		"https://app.example.com/cb#":                    {},
		"https://app.example.com/cb#x":                   {},
		"https://*.example.com/cb":                       {},
		"https://app.example.com\\@evil.example":         {},
		"https://app.example.com/a b":                    {},
		"https:///cb":                                    {},
		"https://:443/cb":                                {},
		"https:cb":                                       {},
		"//app.example.com/cb":                           {},
		"/cb":                                            {},
		"":                                               {},
		"javascript:alert(1)":                            {},
		"JavaScript:alert(1)":                            {},
		"data:text/html,x":                               {},
		"file:///etc/passwd":                             {},
		"myapp://cb":                                     {}, // any app can register it
		"https://x.example/" + strings.Repeat("x", 2048): {},
	} {
		confidential, public := web(), native()
		confidential.RedirectURIs, public.RedirectURIs = []string{uri}, []string{uri}
		if got := confidential.Validate() == nil; got != allowed.confidential {
			t.Errorf("a confidential client may return to %q: %t, want %t", uri, got, allowed.confidential)
		}
		if got := public.Validate() == nil; got != allowed.public {
			t.Errorf("a public client may return to %q: %t, want %t", uri, got, allowed.public)
		}
	}
}

func TestLoopbackIsThisMachineAlone(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true,
		"localhost.evil.example": false, "127.0.0.1.evil.example": false, "0.0.0.0": false, "10.0.0.1": false, "::": false, "": false,
		"2130706433": false, "127.1": false, // spellings that some resolvers accept
	} {
		if got := client.IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) = %t, want %t", host, got, want)
		}
	}
}
