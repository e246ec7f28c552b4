package pages_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/signet-id/signet/internal/pages"
)

// each runs check on every specimen's elements.
func each(t *testing.T, check func(t *testing.T, page pages.Page, all []*html.Node)) {
	t.Helper()
	p := newPages(t, pages.Options{Base: "/auth"})
	for name, page := range specimens() {
		t.Run(name, func(t *testing.T) { check(t, page, elements(t, render(t, p, page).Body.String())) })
	}
}

// ways lists the submit buttons within a page as name=value, with the id if any.
func ways(all []*html.Node) []string {
	var out []string
	for _, n := range all {
		if kind, _ := attr(n, "type"); n.Data != "button" || kind != "submit" {
			continue
		}
		name, _ := attr(n, "name")
		value, _ := attr(n, "value")
		way := name + "=" + value
		if id, ok := attr(n, "id"); ok {
			way += "#" + id
		}
		out = append(out, way)
	}
	return out
}

func TestAutomationFindsTheNamesItReliesOn(t *testing.T) {
	p := newPages(t, pages.Options{Base: "/auth"})
	for _, c := range []struct {
		specimen, action string
		inputs, ways     []string
	}{
		// Enter presses the first submit button of its form: signing in, not cancelling.
		{"signin", "/auth/signin", []string{"journey", "login", "password"}, []string{"action=signin", "action=cancel"}},
		{"signin-alone", "/auth/signin", []string{"journey", "login", "password"}, []string{"action=signin"}},
		{
			"signin-demo", "/auth/signin", []string{"journey", "login", "password", "journey"},
			[]string{"action=signin", "action=cancel", "persona=alice", "persona=bob"},
		},
		{"consent", "/auth/consent", []string{"journey"}, []string{"answer=accept#consent-accept", "answer=deny#consent-deny"}},
		{"signout", "/auth/logout", []string{"request"}, []string{"answer=yes#logout-yes"}},
		{"home-sealed", "/auth/logout", []string{"request"}, []string{"answer=yes"}},
		{
			"account", "/auth/account/sessions/end /auth/account/sessions/end-others /auth/account/consents",
			[]string{"request", "request", "request", "request", "request"},
			[]string{"sid=sid-2", "sid=sid-3", "=", "client=orders", "client=gone"},
		},
		{"account-two", "/auth/account/sessions/end", []string{"request"}, []string{"sid=sid-2"}},
		{"account-new", "", nil, nil},
		{"password", "/auth/account/password", []string{"request", "login", "current", "password"}, []string{"="}},
		{"formpost", "com.example.app:/callback?x=1&y=2", []string{"code", "state"}, []string{"="}},
	} {
		t.Run(c.specimen, func(t *testing.T) {
			all := elements(t, render(t, p, specimens()[c.specimen]).Body.String())
			var inputs, actions []string
			for _, n := range all {
				switch n.Data {
				case "input":
					name, _ := attr(n, "name")
					inputs = append(inputs, name)
				case "form":
					action, _ := attr(n, "action")
					if method, _ := attr(n, "method"); method != "post" {
						t.Errorf("the form %s is %s, want post", action, method)
					}
					actions = append(actions, action)
				}
			}
			if got := slices.Compact(actions); !slices.Equal(got, strings.Fields(c.action)) {
				t.Errorf("forms lead to %q, want %q", got, c.action)
			}
			if !slices.Equal(inputs, c.inputs) {
				t.Errorf("inputs = %q, want %q", inputs, c.inputs)
			}
			if got := ways(all); !slices.Equal(got, c.ways) {
				t.Errorf("ways = %q, want %q", got, c.ways)
			}
		})
	}
}

func TestCancellingAsksForNoPassword(t *testing.T) {
	p := newPages(t, pages.Options{})
	for _, n := range elements(t, render(t, p, specimens()["signin"]).Body.String()) {
		if value, _ := attr(n, "value"); value == "cancel" {
			if _, ok := attr(n, "formnovalidate"); !ok {
				t.Error("the cancel button lets the browser insist on the fields")
			}
		}
	}
}

func TestPasswordStoresRecogniseTheFields(t *testing.T) {
	p := newPages(t, pages.Options{})
	signIn := map[string]string{"login": "username", "password": "current-password"}
	change := map[string]string{"login": "username", "current": "current-password", "password": "new-password"}
	for specimen, want := range map[string]map[string]string{"signin": signIn, "signin-again": signIn, "password": change, "password-next": change} {
		for _, n := range elements(t, render(t, p, specimens()[specimen]).Body.String()) {
			name, _ := attr(n, "name")
			if hint, _ := attr(n, "autocomplete"); n.Data == "input" && hint != want[name] {
				t.Errorf("%s: autocomplete of %s = %q, want %q", specimen, name, hint, want[name])
			}
		}
	}
}

func TestTheSignedOutPageHasItsFixedHeading(t *testing.T) {
	p := newPages(t, pages.Options{})
	for _, page := range []pages.Page{pages.SignedOut{}, specimens()["signedout"], specimens()["signedout-frames"], specimens()["signedout-stay"]} {
		for _, n := range elements(t, render(t, p, page).Body.String()) {
			if n.Data == "h1" && text(n) != "You are signed out" {
				t.Errorf("heading = %q", text(n))
			}
		}
	}
}

func TestTheSignInPageShowsWhoAsks(t *testing.T) {
	p := newPages(t, pages.Options{})
	client := shop()
	var logo, policy, terms bool
	for _, n := range elements(t, render(t, p, pages.SignIn{Client: client}).Body.String()) {
		src, _ := attr(n, "src")
		alt, _ := attr(n, "alt")
		href, _ := attr(n, "href")
		rel, _ := attr(n, "rel")
		logo = logo || n.Data == "img" && src == client.LogoURI && strings.Contains(alt, client.Name)
		policy = policy || n.Data == "a" && href == client.PolicyURI && rel == "noopener noreferrer"
		terms = terms || n.Data == "a" && href == client.TermsURI && rel == "noopener noreferrer"
	}
	if !logo || !policy || !terms {
		t.Errorf("logo %t, privacy policy %t, terms %t; want all three", logo, policy, terms)
	}
}

func TestEveryPageHasOneHeadingALanguageATitleAndAMain(t *testing.T) {
	each(t, func(t *testing.T, _ pages.Page, all []*html.Node) {
		count := map[string]int{}
		for _, n := range all {
			count[n.Data]++
			if lang, _ := attr(n, "lang"); n.Data == "html" && lang != "en" {
				t.Errorf("lang = %q", lang)
			}
			if (n.Data == "title" || n.Data == "h1") && text(n) == "" {
				t.Errorf("%s is empty", n.Data)
			}
		}
		for _, name := range []string{"h1", "main", "title", "header", "footer"} {
			if count[name] != 1 {
				t.Errorf("%d × %s, want 1", count[name], name)
			}
		}
	})
}

func TestEveryFieldHasALabelAndEveryWayAName(t *testing.T) {
	each(t, func(t *testing.T, _ pages.Page, all []*html.Node) {
		labels, ids := map[string]string{}, map[string]int{}
		for _, n := range all {
			if target, ok := attr(n, "for"); ok {
				labels[target] = text(n)
			}
			if id, ok := attr(n, "id"); ok {
				ids[id]++
			}
		}
		for id, times := range ids {
			if times > 1 {
				t.Errorf("id %q appears %d times", id, times)
			}
		}
		for _, n := range all {
			id, _ := attr(n, "id")
			if kind, _ := attr(n, "type"); n.Data == "input" && kind != "hidden" && labels[id] == "" {
				t.Errorf("input %q has no label", id)
			}
			if (n.Data == "button" || n.Data == "a") && text(n) == "" {
				t.Errorf("<%s> has no text", n.Data)
			}
			if _, ok := attr(n, "alt"); n.Data == "img" && !ok {
				t.Error("an image has no alt")
			}
			for _, ref := range []string{"aria-describedby", "aria-labelledby"} {
				names, _ := attr(n, ref)
				for _, target := range strings.Fields(names) {
					if ids[target] == 0 {
						t.Errorf("%s names %q, which is not there", ref, target)
					}
				}
			}
		}
	})
}

func TestAProblemIsAnnouncedAndTiedToTheField(t *testing.T) {
	p := newPages(t, pages.Options{})
	for _, c := range []struct{ specimen, says, focus string }{
		{"signin-problem", "That does not match.", "password"},
		{"signin-waiting", "Too many attempts. Try again in 30 seconds.", "password"},
		{"password-current", "This is not your current password.", "current"},
		{"password-next", "The password must have at least 8 characters.", "password"},
		{"password-waiting", "Too many attempts. Try again in 30 seconds.", "current"},
	} {
		var said, title, focus, problem string
		all := elements(t, render(t, p, specimens()[c.specimen]).Body.String())
		for _, n := range all {
			if role, _ := attr(n, "role"); role == "alert" {
				said = text(n)
				problem, _ = attr(n, "id")
			}
			if n.Data == "title" {
				title = text(n)
			}
			if _, ok := attr(n, "autofocus"); ok {
				focus, _ = attr(n, "name")
			}
		}
		for _, n := range all {
			name, _ := attr(n, "name")
			if by, _ := attr(n, "aria-describedby"); name == c.focus && !slices.Contains(strings.Fields(by), problem) {
				t.Errorf("%s: the field %s is described by %q, want %q in it", c.specimen, name, by, problem)
			}
		}
		if said != c.says || !strings.HasPrefix(title, "Error: ") || focus != c.focus {
			t.Errorf("%s: says %q, title %q, focus %q", c.specimen, said, title, focus)
		}
	}
}

func TestAPersonWhoMustConfirmCannotBecomeAnother(t *testing.T) {
	p := newPages(t, pages.Options{})
	for _, n := range elements(t, render(t, p, specimens()["signin-again"]).Body.String()) {
		if name, _ := attr(n, "name"); name == "login" {
			if _, ok := attr(n, "readonly"); !ok {
				t.Error("the login can be edited")
			}
		}
		if n.Data == "h1" && text(n) != "Confirm it’s you" {
			t.Errorf("heading = %q", text(n))
		}
	}
}

func TestNoPageNeedsWhatThePolicyForbids(t *testing.T) {
	each(t, func(t *testing.T, _ pages.Page, all []*html.Node) {
		for _, n := range all {
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
				}
			}
			nonce, _ := attr(n, "nonce")
			if (n.Data == "script" || n.Data == "style") && nonce == "" {
				t.Errorf("inline <%s> without a nonce", n.Data)
			}
			if rel, _ := attr(n, "rel"); rel == "stylesheet" {
				if href, _ := attr(n, "href"); !strings.HasPrefix(href, "/auth/assets/signet-") {
					t.Errorf("style sheet at %q", href)
				}
			}
		}
	})
}

// A browser applies form-action to the redirect that answers a form, so a page
// that leads back to a client must not have it; a page without forms forbids them.
func TestFormsMayLeadWhereTheyMustAndNowhereElse(t *testing.T) {
	p := newPages(t, pages.Options{})
	for name, page := range specimens() {
		w := render(t, p, page)
		var hasForm bool
		for _, n := range elements(t, w.Body.String()) {
			hasForm = hasForm || n.Data == "form"
		}
		csp := w.Header().Get("Content-Security-Policy")
		stays, _, _ := strings.Cut(name, "-")
		switch home := slices.Contains([]string{"home", "account", "password"}, stays); {
		case !hasForm && !strings.Contains(csp, "form-action 'none'"):
			t.Errorf("%s has no form and the policy %s", name, csp)
		case hasForm && home && !strings.Contains(csp, "form-action 'self'"):
			t.Errorf("%s has a form for the issuer and the policy %s", name, csp)
		case hasForm && !home && strings.Contains(csp, "form-action"):
			t.Errorf("%s leads to a client, and the policy stops it: %s", name, csp)
		}
	}
}
