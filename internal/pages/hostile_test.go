package pages_test

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/signet-id/signet/internal/pages"
)

// blanks has one of every page, each slice with one element and each pointer set.
func blanks() []pages.Page {
	client := func() *pages.Client { return &pages.Client{} }
	return []pages.Page{
		&pages.SignIn{Client: client(), Personas: make([]pages.Persona, 1), CanCancel: true},
		&pages.SignIn{Client: client(), Reauthenticate: true},
		&pages.Consent{Scopes: make([]pages.Scope, 1), Audiences: make([]string, 1)},
		&pages.SignOut{Client: client()},
		&pages.SignedOut{Client: client()},
		&pages.SignedOut{Client: client(), Frames: make([]string, 1)},
		&pages.Home{User: &pages.User{}},
		&pages.Account{Seats: []pages.Seat{{Clients: make([]string, 1)}, {}, {}}, Consents: []pages.Given{{Scopes: make([]pages.Scope, 1)}}},
		&pages.Password{},
		&pages.PasswordChanged{},
		&pages.Failure{Details: make([]pages.Detail, 1)},
		&pages.FormPost{Client: client(), Parameters: make([]pages.Parameter, 1)},
	}
}

// fill sets every string of a page: text, or the address where one is meant.
func fill(v reflect.Value, field, text, address string) {
	switch v.Kind() {
	case reflect.Pointer:
		fill(v.Elem(), field, text, address)
	case reflect.Slice:
		for i := range v.Len() {
			fill(v.Index(i), field, text, address)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), v.Type().Field(i).Name, text, address)
		}
	case reflect.String:
		if strings.HasSuffix(field, "URI") || field == "Return" || field == "Retry" || field == "Action" {
			text = address
		}
		v.SetString(text)
	default: // a switch of the page: as the specimen has it
	}
}

// skeleton is a page without its words: elements with the names of their attributes.
func skeleton(all []*html.Node) []string {
	out := make([]string, 0, len(all))
	for _, n := range all {
		bone := n.Data
		for _, a := range n.Attr {
			bone += " " + a.Key
		}
		out = append(out, bone)
	}
	return out
}

// safe reports every address that a browser would run or take for ours.
func safe(t testing.TB, all []*html.Node) {
	t.Helper()
	for _, n := range all {
		for _, a := range n.Attr {
			if a.Key != "href" && a.Key != "src" && a.Key != "action" {
				continue
			}
			u, err := url.Parse(a.Val)
			switch {
			case err != nil:
				t.Errorf("<%s %s=%q>: %v", n.Data, a.Key, a.Val, err)
			case u.Scheme == "data" && n.Data == "img" && strings.HasPrefix(a.Val, "data:image/"):
			case slices.Contains([]string{"javascript", "vbscript", "data", "blob", "file", "about", "view-source"}, u.Scheme):
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			case strings.Contains(a.Val, "ZgotmplZ"):
				t.Errorf("<%s %s=%q> was mangled", n.Data, a.Key, a.Val)
			}
		}
	}
}

func hostile() []string {
	return []string{
		`"><script>alert(1)</script>`,
		`'><img src=x onerror=alert(1)>`,
		`</title></textarea></style></script><svg onload=alert(1)>`,
		`" onfocus="alert(1)" autofocus="`,
		`{{.Page}} ${7*7} <!-- -->`,
		"`-alert(1)-`\x00\r\n\u202e\u2066",
		`javascript:alert(1)//`,
		`&lt;b&gt; &#34; &quot;`,
	}
}

func TestHostileWordsNeverBecomeMarkup(t *testing.T) {
	p := newPages(t, pages.Options{})
	for i, page := range blanks() {
		t.Run(fmt.Sprintf("%d %T", i, page), func(t *testing.T) {
			const address = "https://example.org/a"
			fill(reflect.ValueOf(page), "", "word", address)
			want := skeleton(elements(t, render(t, p, page).Body.String()))
			for _, words := range hostile() {
				fill(reflect.ValueOf(page), "", words, address+"?"+words)
				if _, err := url.Parse(address + "?" + words); err != nil {
					fill(reflect.ValueOf(page), "", words, address)
				}
				all := elements(t, render(t, p, page).Body.String())
				if got := skeleton(all); !slices.Equal(got, want) {
					t.Errorf("%q changed the markup:\n got %q\nwant %q", words, got, want)
				}
				safe(t, all)
			}
		})
	}
}

func TestHostileWordsAreShownAsTheyAre(t *testing.T) {
	p := newPages(t, pages.Options{})
	words := `<b onclick="x">Tom & 'Jerry'</b> &amp;`
	for _, n := range elements(t, render(t, p, pages.Failure{Title: words}).Body.String()) {
		if n.Data == "h1" && text(n) != words {
			t.Errorf("heading = %q, want %q", text(n), words)
		}
	}
}

func TestAnAddressThatRunsCodeIsNeverALink(t *testing.T) {
	p := newPages(t, pages.Options{Loopback: true})
	own := []string{"/", "/account", "/account/password", "/logout"}
	for _, address := range []string{
		"javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "\x01javascript:alert(1)",
		"javascript://example.org/%0aalert(1)", "vbscript:x", "data:text/html,<script>alert(1)</script>", "blob:https://example.org/1",
		"file:///etc/passwd", "about:blank", "view-source:https://example.org", "//evil.example", "https:evil", "https://",
		`https://a"b/`, `https://a'b/`, `https://<b>/`, `com.example.app://a"b/`,
		"data:image/png,x\" onerror=\"alert(1)", "", "#", "relative",
	} {
		for _, page := range blanks() {
			if _, ok := page.(*pages.FormPost); ok {
				continue // has no page without its address: see TestAPageThatCannotBeRenderedWritesNothing
			}
			fill(reflect.ValueOf(page), "", "word", address)
			all := elements(t, render(t, p, page).Body.String())
			safe(t, all)
			for _, n := range all {
				href, linked := attr(n, "href")
				src, shown := attr(n, "src")
				if n.Data == "a" && linked && !slices.Contains(own, href) || (n.Data == "img" || n.Data == "iframe") && shown {
					t.Errorf("%T turned %q into <%s> %q%q", page, address, n.Data, href, src)
				}
			}
		}
	}
}

func TestABadAddressLeavesItsGoodNeighbour(t *testing.T) {
	p := newPages(t, pages.Options{})
	const good, bad = "https://example.org/ok", "javascript:alert(1)"
	for _, client := range []pages.Client{{PolicyURI: good, TermsURI: bad}, {PolicyURI: bad, TermsURI: good}} {
		var links []string
		for _, n := range elements(t, render(t, p, pages.SignIn{Client: &client}).Body.String()) {
			if href, _ := attr(n, "href"); n.Data == "a" {
				links = append(links, href)
			}
		}
		if !slices.Equal(links, []string{good}) {
			t.Errorf("links = %q, want only %q", links, good)
		}
	}
}

func TestALogoIsShownOnlyWhereThePolicyAdmitsIt(t *testing.T) {
	for _, c := range []struct {
		logo     string
		loopback bool
		shown    bool
		policy   string
	}{
		{"https://cdn.example/logo.png", false, true, "img-src 'self' data: https:;"},
		{"data:image/png;base64,iVBORw0KGgo=", false, true, "img-src 'self' data: https:;"},
		{"http://cdn.example/logo.png", false, false, "img-src 'self' data:;"},
		{"http://127.0.0.1:8080/logo.png", false, false, "img-src 'self' data:;"},
		{"http://127.0.0.1:8080/logo.png", true, true, "img-src 'self' data: https: http://127.0.0.1:* http://localhost:*;"},
		{"http://localhost:8080/logo.png", true, true, "img-src 'self' data: https: http://127.0.0.1:* http://localhost:*;"},
		{"http://cdn.example/logo.png", true, false, "img-src 'self' data:;"},
		{"", false, false, "img-src 'self' data:;"},
	} {
		p := newPages(t, pages.Options{Loopback: c.loopback})
		w := render(t, p, pages.SignIn{Client: &pages.Client{Name: "x", LogoURI: c.logo}})
		var shown bool
		for _, n := range elements(t, w.Body.String()) {
			src, _ := attr(n, "src")
			shown = shown || n.Data == "img" && src == c.logo
		}
		if csp := w.Header().Get("Content-Security-Policy"); shown != c.shown || !strings.Contains(csp, c.policy) {
			t.Errorf("logo %q, loopback %t: shown %t, policy %s", c.logo, c.loopback, shown, csp)
		}
	}
}

func TestRetryStaysOnThisHostOrTheWeb(t *testing.T) {
	p := newPages(t, pages.Options{})
	for retry, want := range map[string]bool{
		"/": true, "/authorize?a=b&c=d": true, "https://example.org/start": true,
		"//evil.example": false, `/\evil.example`: false, "/\t/evil.example": false, "javascript:x": false, "": false,
	} {
		var got bool
		for _, n := range elements(t, render(t, p, pages.Failure{Title: "x", Retry: retry}).Body.String()) {
			got = got || n.Data == "a"
		}
		if got != want {
			t.Errorf("Retry %q is a link: %t, want %t", retry, got, want)
		}
	}
}

// Whatever strangers register and type, the page has the elements and attributes
// that we wrote and no others, its forms stay the same, and no address runs code.
func FuzzNoWordsBecomeMarkup(f *testing.F) {
	for _, words := range hostile() {
		f.Add(words, words)
	}
	f.Add("word", "https://example.org/a?b=c&d=e#f")
	f.Add("word", "com.example.app:/callback")
	f.Add("word", `https://a"b/`)

	p := newPages(f, pages.Options{Loopback: true})
	filled := func(t testing.TB, words, address string) []*html.Node {
		page := &pages.SignIn{Client: &pages.Client{}, Personas: make([]pages.Persona, 1), CanCancel: true}
		fill(reflect.ValueOf(page), "", words, address)
		return elements(t, render(t, p, page).Body.String())
	}
	forms := func(all []*html.Node) (out []string) {
		for _, n := range all {
			if slices.Contains([]string{"form", "input", "button", "section", "main", "script", "svg"}, n.Data) {
				out = append(out, n.Data)
			}
		}
		return out
	}
	known := map[string]bool{}
	for _, address := range []string{"https://example.org/", ""} {
		for _, words := range []string{"word", ""} {
			for _, bone := range skeleton(filled(f, words, address)) {
				tag, names, _ := strings.Cut(bone, " ")
				for _, name := range strings.Fields(names) {
					known[tag+" "+name] = true
				}
				known[tag] = true
			}
		}
	}
	want := forms(filled(f, "word", "https://example.org/"))
	f.Fuzz(func(t *testing.T, words, address string) {
		all := filled(t, words, address)
		safe(t, all)
		for _, bone := range skeleton(all) {
			tag, names, _ := strings.Cut(bone, " ")
			for _, name := range append(strings.Fields(names), "") {
				if at := strings.TrimSpace(tag + " " + name); !known[at] {
					t.Errorf("%q, %q made %q", words, address, at)
				}
			}
		}
		if got := forms(all); !slices.Equal(got, want) {
			t.Errorf("%q, %q changed the forms: got %q, want %q", words, address, got, want)
		}
	})
}
