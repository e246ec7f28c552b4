package pages_test

import (
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/pages"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func shop() *pages.Client {
	return &pages.Client{
		Name: "Harbour Orders", Host: "orders.harbour.example",
		LogoURI:   "https://harbour.example/logo.png",
		PolicyURI: "https://harbour.example/privacy?lang=en&v=2#top",
		TermsURI:  "https://harbour.example/terms",
	}
}

// specimens is at least one of every page, in every state that has its own markup.
func specimens() map[string]pages.Page {
	bare := &pages.Client{Name: "Harbour Orders"}
	return map[string]pages.Page{
		"signin":         pages.SignIn{Client: shop(), Journey: "sealed", CanCancel: true},
		"signin-alone":   pages.SignIn{Journey: "sealed"},
		"signin-problem": pages.SignIn{Client: bare, Login: "alice", Problem: "That does not match.", Journey: "sealed"},
		"signin-waiting": pages.SignIn{Client: bare, Login: "alice", Waiting: "30 seconds", Journey: "sealed"},
		"signin-again":   pages.SignIn{Client: shop(), Login: "alice", Reauthenticate: true, CanCancel: true, Journey: "sealed"},
		"signin-demo": pages.SignIn{Client: bare, Journey: "sealed", CanCancel: true, Personas: []pages.Persona{
			{Login: "alice", Name: "Alice Adler", Note: "Administrator"}, {Login: "bob", Name: "Bob Brandt"},
		}},
		"consent": pages.Consent{
			Client: *shop(), User: "alice", Journey: "sealed",
			Scopes:    []pages.Scope{{Name: "email", Description: "See your e-mail address"}, {Name: "orders:read"}},
			Audiences: []string{"https://orders.harbour.example/api"},
		},
		"signout":       pages.SignOut{Client: shop(), User: "alice", Request: "sealed"},
		"signout-alone": pages.SignOut{Request: "sealed"},
		"signedout":     pages.SignedOut{Client: shop(), Return: "https://orders.harbour.example/?a=1&b=2"},
		"signedout-frames": pages.SignedOut{
			Client: shop(), Return: "https://orders.harbour.example/?a=1&b=2",
			Frames: []string{"https://orders.harbour.example/ended?keep=1&iss=https%3A%2F%2Fid.example&sid=x", "https://bills.harbour.example:8443"},
		},
		"signedout-stay": pages.SignedOut{Frames: []string{"https://orders.harbour.example/ended"}},
		"home":           pages.Home{},
		"home-user":      pages.Home{User: &pages.User{Name: "Alice Adler", Login: "alice"}},
		"home-sealed":    pages.Home{User: &pages.User{Login: "alice"}, Request: "sealed"},
		"account": pages.Account{
			User: pages.User{Name: "Alice Adler", Login: "alice"}, Password: "2 March 2026", Request: "sealed",
			Seats: []pages.Seat{
				{ID: "sid-1", Here: true, Device: "Firefox on Linux", Address: "192.0.2.7", Since: "1 March 2026", Seen: "just now", Clients: []string{"Harbour Orders", "Bills"}},
				{ID: "sid-2", Device: "Safari on iPhone", Handheld: true, Since: "2 March 2026", Seen: "3 hours ago"},
				{ID: "sid-3", Device: "An unknown browser", Address: "2001:db8::7", Since: "3 March 2026", Seen: "4 March 2026"},
			},
			Consents: []pages.Given{
				{ID: "orders", Client: *shop(), Since: "1 January 2026", Scopes: []pages.Scope{{Name: "email", Description: "See your e-mail address"}, {Name: "orders:read"}}},
				{ID: "gone", Client: pages.Client{Name: "gone"}},
			},
		},
		"account-two": pages.Account{User: pages.User{Login: "alice"}, Request: "sealed", Seats: []pages.Seat{
			{ID: "sid-1", Here: true, Device: "Firefox on Linux", Since: "1 March 2026"}, {ID: "sid-2", Device: "Edge on Windows", Since: "2 March 2026"},
		}},
		"account-new":      pages.Account{User: pages.User{Login: "alice"}, Request: "sealed", Seats: []pages.Seat{{ID: "sid-1", Here: true, Device: "curl", Since: "1 March 2026"}}},
		"password":         pages.Password{Login: "alice", Request: "sealed"},
		"password-current": pages.Password{Login: "alice", Current: "This is not your current password.", Request: "sealed"},
		"password-next":    pages.Password{Login: "alice", Next: "The password must have at least 8 characters.", Request: "sealed"},
		"password-waiting": pages.Password{Login: "alice", Waiting: "30 seconds", Request: "sealed"},
		"password-changed": pages.PasswordChanged{Login: "alice"},
		"failure": pages.Failure{
			Title: "This request cannot be answered", Message: "It does not match the registration of the application.",
			Details:   []pages.Detail{{Name: "redirect_uri", Text: "is not registered for client orders"}},
			Reference: "01JXN5M4Q2", Retry: "/",
		},
		"formpost": pages.FormPost{
			Client: shop(), Action: "com.example.app:/callback?x=1&y=2",
			Parameters: []pages.Parameter{{Name: "code", Value: "abc"}, {Name: "state", Value: `"'<>`}},
		},
	}
}

func newPages(t testing.TB, opts pages.Options) *pages.Pages {
	t.Helper()
	p, err := pages.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func render(t testing.TB, p *pages.Pages, page pages.Page) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if err := p.Render(w, r, http.StatusOK, page); err != nil {
		t.Fatalf("Render(%T) = %v", page, err)
	}
	return w
}

// elements parses an answer and returns its elements in order.
func elements(t testing.TB, body string) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var all []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func text(n *html.Node) string {
	var out strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			out.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run the test with -update, then read the diff)\ngot:\n%s", file, got)
	}
}

// steady hides what may change without the page having changed.
func steady(s string) string {
	s = regexp.MustCompile(`-[0-9a-f]{16}\.`).ReplaceAllString(s, "-HASH.")
	return regexp.MustCompile(`nonce(="|-)[A-Z2-7]{26}`).ReplaceAllString(s, "nonce${1}NONCE")
}

func TestEveryPageLooksAsAgreed(t *testing.T) {
	p := newPages(t, pages.Options{Base: "/auth", Name: "Harbour ID"})
	for name, page := range specimens() {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".html", steady(render(t, p, page).Body.String()))
		})
	}
}

func TestEveryPageHasTheHeadersAgreed(t *testing.T) {
	p := newPages(t, pages.Options{})
	var out strings.Builder
	all := specimens()
	for _, name := range sorted(all) {
		h := render(t, p, all[name]).Header()
		out.WriteString("# " + name + "\n")
		for _, key := range sorted(h) {
			if key != "Content-Length" {
				out.WriteString(key + ": " + h.Get(key) + "\n")
			}
		}
		out.WriteString("\n")
	}
	golden(t, "headers.txt", steady(out.String()))
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func TestTheStatusIsTheCallers(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/", nil)
	page := pages.Failure{Title: "Not found"}
	if err := newPages(t, pages.Options{}).Render(w, r, http.StatusNotFound, page); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusNotFound {
		t.Errorf("status = %d, want 404", w.Code)
	}
	if w.Body.Len() != 0 {
		t.Errorf("the answer to HEAD has a body of %d bytes", w.Body.Len())
	}
}

func TestAPageThatCannotBeRenderedWritesNothing(t *testing.T) {
	p := newPages(t, pages.Options{})
	for _, page := range []pages.Page{nil, pages.FormPost{Action: "javascript:alert(1)"}} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if err := p.Render(w, r, http.StatusOK, page); err == nil {
			t.Errorf("Render(%#v) = nil, want an error", page)
		}
		if w.Body.Len() != 0 || len(w.Header()) != 0 {
			t.Errorf("Render(%#v) wrote %v %q before it gave up", page, w.Header(), w.Body)
		}
	}
}

func TestABaseThatIsNoPathIsRefused(t *testing.T) {
	for _, base := range []string{"/", "auth", "//evil.example", "/auth/", "/a?b", `/"onclick=`} {
		_, err := pages.New(pages.Options{Base: base})
		var problem *fault.Error
		if !errors.As(err, &problem) || problem.Kind != fault.Invalid {
			t.Errorf("New(Base: %q) = %v, want a fault.Invalid", base, err)
		}
	}
}

func TestANonceIsFreshPerAnswerAndOnlyWhereAPageNeedsIt(t *testing.T) {
	p := newPages(t, pages.Options{})
	page := specimens()["formpost"]
	nonce := func() string {
		w := render(t, p, page)
		for _, n := range elements(t, w.Body.String()) {
			if got, ok := attr(n, "nonce"); ok {
				if !strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src 'nonce-"+got+"'") {
					t.Errorf("the policy does not name the nonce %q", got)
				}
				return got
			}
		}
		t.Fatal("no nonce")
		return ""
	}
	if a, b := nonce(), nonce(); a == b || a == "" {
		t.Errorf("two answers have the nonces %q and %q", a, b)
	}
	if csp := render(t, p, specimens()["signin"]).Header().Get("Content-Security-Policy"); strings.Contains(csp, "nonce") {
		t.Errorf("a page without a script has a nonce: %s", csp)
	}
}

// OpenID Connect Front-Channel Logout 1.0 §3: what the page loads is what its
// policy admits, to the path; a query is no part of it.
func TestTheSignedOutPageMayLoadTheClientsAddressesAndNothingElse(t *testing.T) {
	p := newPages(t, pages.Options{})
	long := "https://" + strings.Repeat("a.", 60) + "example"
	for name, tt := range map[string]struct {
		frames []string
		policy string
		loaded int
	}{
		"one":                 {[]string{"https://a.example/ended?x=1"}, "frame-src https://a.example/ended;", 1},
		"two of one place":    {[]string{"https://a.example/ended?x=1", "https://a.example/ended?x=2"}, "frame-src https://a.example/ended;", 2},
		"marks of a policy":   {[]string{"https://a.example/a;b,c'd"}, "frame-src https://a.example/a%3Bb%2Cc%27d;", 1},
		"no path":             {[]string{"http://127.0.0.1:3000"}, "frame-src http://127.0.0.1:3000;", 1},
		"what runs":           {[]string{"javascript:alert(1)", "data:text/html,x", "https://a.example;script-src *"}, "", 0},
		"what has no name":    {[]string{"http://[::1]:3000/ended", "https://*.example/", "https://u@a.example/"}, "", 0},
		"too long to be said": {[]string{long + "/" + strings.Repeat("x", 1000), long + "/" + strings.Repeat("y", 1000)}, "frame-src " + long + ";", 2},
		"none":                {nil, "", 0},
	} {
		w := render(t, p, pages.SignedOut{Return: "https://a.example/", Frames: tt.frames})
		loaded := 0
		for _, n := range elements(t, w.Body.String()) {
			if n.Data != "iframe" {
				continue
			}
			loaded++
			if sandbox, _ := attr(n, "sandbox"); sandbox == "" || strings.Contains(sandbox, "top-navigation") {
				t.Errorf("%s: sandbox=%q lets a client take the window away", name, sandbox)
			}
		}
		csp := w.Header().Get("Content-Security-Policy")
		if loaded != tt.loaded || !strings.Contains(csp, tt.policy) || strings.Contains(csp, "frame-src") != (tt.policy != "") {
			t.Errorf("%s: %d loaded under %s; want %d under %q", name, loaded, csp, tt.loaded, tt.policy)
		}
	}
}

// OpenID Connect Session Management 1.0 §3.2: clients of every origin frame it,
// so there must be nothing in it to click.
func TestOnlyThePageThatClientsAskMayBeFramed(t *testing.T) {
	p := newPages(t, pages.Options{})
	w := render(t, p, pages.SessionCheck{Cookie: "__Host-signet_state"})
	h := w.Header()
	if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors *") || !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "form-action 'none'") {
		t.Errorf("policy %s", csp)
	}
	if h.Get("X-Frame-Options") != "" || h.Get("Cross-Origin-Resource-Policy") != "cross-origin" {
		t.Errorf("headers %v", h)
	}
	for _, n := range elements(t, w.Body.String()) {
		if slices.Contains([]string{"a", "button", "form", "input", "iframe", "link", "img"}, n.Data) {
			t.Errorf("the page has <%s>", n.Data)
		}
	}
	golden(t, "check.html", steady(w.Body.String()))
	for name, page := range specimens() {
		h := render(t, p, page).Header()
		if h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s may be framed", name)
		}
	}
}
