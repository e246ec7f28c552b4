package cookie_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/signet-id/signet/internal/cookie"
)

// set returns what a browser would receive from do.
func set(t *testing.T, do func(http.ResponseWriter)) *http.Cookie {
	t.Helper()
	rec := httptest.NewRecorder()
	do(rec)
	cookies := rec.Result().Cookies() //nolint:bodyclose // a recorder's body is memory
	if len(cookies) != 1 {
		t.Fatalf("%d cookies were set, want 1", len(cookies))
	}
	return cookies[0]
}

// RFC 6265bis §4.1.3.2: __Host- demands Secure, Path=/ and no Domain.
func TestUnderHTTPSACookieIsBoundToTheHostAndOutOfReachOfScripts(t *testing.T) {
	for _, name := range []cookie.Name{cookie.Session, cookie.Journey} {
		c := set(t, func(w http.ResponseWriter) { cookie.Jar{Secure: true}.Set(w, name, "value") })
		if c.Name != "__Host-"+string(name) || c.Value != "value" {
			t.Errorf("%s: %s=%s", name, c.Name, c.Value)
		}
		if !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("%s: %s; want Secure, HttpOnly, Path=/, no Domain, SameSite=Lax", name, c.Raw)
		}
		if c.MaxAge != 0 || !c.Expires.IsZero() {
			t.Errorf("%s: %s; want it gone with the browser", name, c.Raw)
		}
	}
}

func TestOverPlainHTTPThePrefixIsLeftOutAndNothingElse(t *testing.T) {
	c := set(t, func(w http.ResponseWriter) { cookie.Jar{}.Set(w, cookie.Session, "value") })
	if c.Name != "signet" || c.Secure {
		t.Errorf("%s; a browser refuses the prefix over plain http", c.Raw)
	}
	if !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("%s; want HttpOnly, Path=/, no Domain, SameSite=Lax", c.Raw)
	}
}

func TestWhatWasSetIsReadBack(t *testing.T) {
	for _, jar := range []cookie.Jar{{Secure: true}, {}} {
		c := set(t, func(w http.ResponseWriter) { jar.Set(w, cookie.Journey, "value") })
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if got := jar.Get(r, cookie.Journey); got != "" {
			t.Errorf("no cookie: Get = %q", got)
		}
		r.AddCookie(c)
		if got := jar.Get(r, cookie.Journey); got != "value" {
			t.Errorf("Get = %q, want value", got)
		}
		if got := jar.Get(r, cookie.Session); got != "" {
			t.Errorf("another cookie's Get = %q, want none", got)
		}
	}
}

// A sibling host can set a cookie of the bare name; with the prefix it can't.
func TestUnderHTTPSACookieWithoutThePrefixCountsForNothing(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: "signet", Value: "planted"}) //nolint:gosec // as the attacker would
	if got := (cookie.Jar{Secure: true}).Get(r, cookie.Session); got != "" {
		t.Errorf("Get = %q, want none", got)
	}
}

func TestClearTakesTheSameCookieAway(t *testing.T) {
	c := set(t, func(w http.ResponseWriter) { cookie.Jar{Secure: true}.Clear(w, cookie.Session) })
	if c.Name != "__Host-signet" || c.MaxAge >= 0 || c.Value != "" || !c.Secure || c.Path != "/" {
		t.Errorf("%s; want the cookie of that name to end now", c.Raw)
	}
}

// Session Management 1.0 §3.2: the frame of ours at a client's page reads it.
func TestOnlyTheStateIsForScriptsAndForFramesOfOtherSites(t *testing.T) {
	for secure, want := range map[bool]http.SameSite{true: http.SameSiteNoneMode, false: http.SameSiteLaxMode} {
		jar := cookie.Jar{Secure: secure}
		c := set(t, func(w http.ResponseWriter) { jar.Set(w, cookie.State, "value") })
		if c.Name != jar.Name(cookie.State) || c.HttpOnly || c.SameSite != want || c.Secure != secure || c.Path != "/" || c.Domain != "" {
			t.Errorf("secure %t: %s", secure, c.Raw)
		}
	}
}
