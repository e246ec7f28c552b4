package app_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// call is one request to one route, as somebody outside would make it.
type call struct {
	name, route string
	make        func(b *browser) *http.Request
}

func get(path string, header ...string) func(*browser) *http.Request {
	return func(b *browser) *http.Request {
		r := httptest.NewRequestWithContext(b.h.t.Context(), http.MethodGet, path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
}

func post(path string, form url.Values) func(*browser) *http.Request {
	return func(b *browser) *http.Request { return formRequest(b.h.t.Context(), path, form) }
}

// asRobot adds the machine's credentials.
func asRobot(make func(*browser) *http.Request) func(*browser) *http.Request {
	return func(b *browser) *http.Request {
		r := make(b)
		r.SetBasicAuth("robot", b.h.secret.Reveal())
		return r
	}
}

// calls reach every route, well-behaved and not; the session is alice's.
func calls() []call {
	credentials := url.Values{"grant_type": {"client_credentials"}}
	return []call{
		{"discovery", "GET /.well-known/openid-configuration", get("/.well-known/openid-configuration")},
		{"discovery across origins", "GET /.well-known/openid-configuration", get("/.well-known/openid-configuration", "Origin", "https://spa.example")},
		{"server metadata", "GET /.well-known/oauth-authorization-server", get("/.well-known/oauth-authorization-server")},
		{"keys", "GET /jwks", get("/jwks")},
		{"security.txt", "GET /.well-known/security.txt", get("/.well-known/security.txt")},
		{"change-password", "GET /.well-known/change-password", get("/.well-known/change-password")},
		{"authorize, a code", "GET /authorize", get(authorize(asks("orders")))},
		{"authorize, an error to the client", "GET /authorize", get(authorize(asks("orders", "prompt", "nag")))},
		{"authorize, a form for the client", "GET /authorize", get(authorize(asks("orders", "response_mode", "form_post")))},
		{"authorize, an error on a page", "GET /authorize", get(authorize(asks("nobody")))},
		{"authorize, posted", "POST /authorize", post("/authorize", asks("orders"))},
		{"authorize, somebody must sign in", "GET /authorize", get(authorize(asks("orders", "prompt", "login")))},
		{"resume, nothing to resume", "GET /authorize/resume", get("/authorize/resume?journey=x")},
		{"sign-in page", "GET /signin", func(b *browser) *http.Request {
			to := b.get(authorize(asks("orders", "prompt", "login"))).location(b.h.t)
			return get(to.String())(b)
		}},
		{"sign-in, wrong password", "POST /signin", func(b *browser) *http.Request {
			journey := b.get(authorize(asks("orders", "prompt", "login"))).location(b.h.t).Query().Get("journey")
			return post("/signin", url.Values{"journey": {journey}, "login": {"alice"}, "password": {"wrong"}})(b)
		}},
		{"sign-in, right password", "POST /signin", func(b *browser) *http.Request {
			journey := b.get(authorize(asks("orders", "prompt", "login"))).location(b.h.t).Query().Get("journey")
			return post("/signin", url.Values{"journey": {journey}, "login": {"alice"}, "password": {password}})(b)
		}},
		{"consent page", "GET /consent", func(b *browser) *http.Request {
			return get(b.get(authorize(asks("third"))).location(b.h.t).String())(b)
		}},
		{"consent, declined", "POST /consent", func(b *browser) *http.Request {
			journey := b.get(authorize(asks("third"))).location(b.h.t).Query().Get("journey")
			return post("/consent", url.Values{"journey": {journey}, "answer": {"deny"}})(b)
		}},
		{"home", "GET /", get("/")},
		{"account", "GET /account", get("/account")},
		{"account, no field", "POST /account/consents", post("/account/consents", url.Values{"client": {"third"}})},
		{"password page", "GET /account/password", get("/account/password")},
		{"password, no field", "POST /account/password", post("/account/password", url.Values{"current": {"x"}})},
		{"token", "POST /token", asRobot(post("/token", credentials))},
		{"token, refused", "POST /token", post("/token", credentials)},
		{"token, bad request", "POST /token", asRobot(post("/token", url.Values{"grant_type": {"password"}}))},
		{"introspection, refused", "POST /introspect", asRobot(post("/introspect", url.Values{"token": {"x"}}))},
		{"revocation", "POST /revoke", asRobot(post("/revoke", url.Values{"token": {"x"}}))},
		{"userinfo without a token", "GET /userinfo", get("/userinfo")},
		{"userinfo with a bad token", "POST /userinfo", post("/userinfo", url.Values{"access_token": {"x"}})},
		{"userinfo", "GET /userinfo", func(b *browser) *http.Request {
			got := b.h.token("orders", redeem(b.get(authorize(asks("orders"))).location(b.h.t).Query().Get("code")))
			return get("/userinfo", "Authorization", "Bearer "+got.AccessToken, "Origin", "https://spa.example")(b)
		}},
		{"sign-out page", "GET /logout", get("/logout")},
		{"style sheet", "GET /assets/*", func(b *browser) *http.Request {
			sheet := regexp.MustCompile(`/assets/[^"]+\.css`).FindString(b.get("/signin").body)
			return get(sheet)(b)
		}},
		{"status lists", "GET /status", get("/status")},
		{"a status list", "GET /status/:list", func(b *browser) *http.Request {
			uri := regexp.MustCompile(`/status/[0-9]+`).FindString(b.get("/status").body)
			return get(uri)(b)
		}},
		{"no such status list", "GET /status/:list", get("/status/7")},
		{"the stream", "GET /status/stream", get("/status/stream", "Origin", "https://spa.example")},
		{"session check", "GET /session/check", get("/session/check")},
		{"sessions, no field", "POST /account/sessions/end", post("/account/sessions/end", url.Values{"sid": {"x"}})},
		{"other sessions, no field", "POST /account/sessions/end-others", post("/account/sessions/end-others", url.Values{})},
		{"nothing there", "", get("/nothing/here", "Accept", "text/html")},
		{"nothing there, for a machine", "", get("/nothing/here")},
		{"sign-out, done", "POST /logout", func(b *browser) *http.Request { // last: it ends the session
			return post("/logout", url.Values{"request": {hidden(b.h.t, b.get("/logout").body)}, "answer": {"yes"}})(b)
		}},
	}
}

// Whatever an endpoint answers, its headers are as agreed: what may be cached,
// framed, read by other origins, and remembered by the browser.
func TestEveryEndpointAnswersWithTheHeadersAgreed(t *testing.T) {
	h := open(t, func(cfg *config.Config, _ *app.Options) { cfg.Security.Contact = "mailto:security@example.com" })
	b := h.browser()
	b.code("alice", "orders")
	reached := map[string]bool{}
	var golden strings.Builder
	for _, c := range calls() {
		r := c.make(b)
		accept := r.Header.Get("Accept")
		got := b.do(r)
		if accept == "" && c.route == "" { // do asks for HTML; a machine does not
			r.Header.Del("Accept")
			got = h.serve(r)
		}
		reached[c.route] = true
		fmt.Fprintf(&golden, "# %s: %s %s\n%d\n%s\n", c.name, r.Method, withoutHash(r.URL.Path), got.StatusCode, headersOf(got))
	}
	for _, route := range h.Routes() {
		method, _, _ := strings.Cut(route, " ")
		if (method == http.MethodGet || method == http.MethodPost) && !reached[route] {
			t.Errorf("no request here reaches %s", route)
		}
	}
	path := filepath.Join("testdata", "headers.golden")
	if *update {
		if err := os.WriteFile(path, []byte(golden.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := golden.String(); got != string(want) {
		t.Errorf("the headers differ from testdata/headers.golden (rewrite it with -update):\n%s", firstDifference(got, string(want)))
	}
}

// headersOf writes the headers sorted, with what is new in each answer left out.
func headersOf(a answer) string {
	var lines []string
	for name, values := range a.Header {
		if name == "Content-Length" { // changes with every word of a page
			continue
		}
		for _, v := range values {
			switch name {
			case "X-Request-Id", "Etag", "Date", "Last-Modified", "Expires":
				v = "…"
			case "Location":
				v, _, _ = strings.Cut(v, "?")
			case "Set-Cookie":
				v = regexp.MustCompile(`^([a-z_]+)=[^;]+`).ReplaceAllString(v, "$1=…")
			case "Content-Security-Policy":
				v = regexp.MustCompile(`'nonce-[^']+'`).ReplaceAllString(v, "'nonce-…'")
			case "Www-Authenticate":
				v = regexp.MustCompile(`http://[^"]+`).ReplaceAllString(v, "…")
			}
			lines = append(lines, name+": "+v+"\n")
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// withoutHash names an asset without what changes with its content.
func withoutHash(path string) string {
	path = regexp.MustCompile(`^/status/[0-9]{4,}$`).ReplaceAllString(path, "/status/…")
	return regexp.MustCompile(`-[0-9a-f]{16}\.`).ReplaceAllString(path, "-….")
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	about := ""
	for i := range min(len(a), len(b)) {
		if strings.HasPrefix(a[i], "# ") {
			about = a[i]
		}
		if a[i] != b[i] {
			return fmt.Sprintf("%s\ngot  %s\nwant %s", about, a[i], b[i])
		}
	}
	return fmt.Sprintf("got %d lines, want %d", len(a), len(b))
}

// A browser application calls from its own origin. It sends no cookie, and no
// endpoint that reads one may be read across origins.
func TestOtherOriginsReadWhatNeedsNoCookieAndNothingElse(t *testing.T) {
	h := open(t)
	for _, route := range h.Routes() {
		method, path, _ := strings.Cut(route, " ")
		if method != http.MethodGet && method != http.MethodPost {
			continue
		}
		for _, asked := range []string{method, http.MethodOptions} {
			r := httptest.NewRequestWithContext(t.Context(), asked, strings.TrimSuffix(path, "*"), nil)
			r.Header.Set("Origin", "https://spa.example")
			if asked == http.MethodOptions {
				r.Header.Set("Access-Control-Request-Method", method)
			}
			got := h.serve(r)
			open := slices.Contains([]string{
				"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks", "/token", "/revoke", "/userinfo",
				"/status", "/status/stream", "/status/:list",
			}, path)
			if origin := got.Header.Get("Access-Control-Allow-Origin"); (origin == "*") != open || (!open && origin != "") {
				t.Errorf("%s %s: Access-Control-Allow-Origin %q, want any: %v", asked, path, origin, open)
			}
			if got.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s lets other origins send cookies", asked, path)
			}
		}
	}
}

// RFC 6749 §3.2: the token endpoint is POST alone; its like as well.
func TestWhatTakesSecretsTakesThemByPOSTAlone(t *testing.T) {
	h := open(t)
	for _, path := range []string{"/token", "/revoke", "/introspect"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path+"?grant_type=client_credentials", nil)
		r.SetBasicAuth("robot", h.secret.Reveal())
		if got := h.serve(r); got.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: %d", path, got.StatusCode)
		}
	}
}
