package demo

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestWhoIsNotSignedInSeesTheWayIn(t *testing.T) {
	d := lone(t)
	got := newBrowser(t).get(d.URL + "/")
	got.wants(t, http.StatusOK, `href="/signin"`, d.PeerURL+"/signin", d.Issuer)
	got.lacks(t, "O-1042", "Hello", `id="reason"`)
}

func TestAServiceStartsWithoutItsIssuerAndSaysSoWhenAsked(t *testing.T) {
	d := lone(t)
	got := newBrowser(t).get(d.URL + "/signin")
	got.wants(t, http.StatusServiceUnavailable, "The issuer does not answer", d.Issuer)
	got.lacks(t, "connection refused")
}

func TestEveryAnswerForbidsScriptsAndFrames(t *testing.T) {
	d, b := lone(t), newBrowser(t)
	for _, path := range []string{"/", "/signin", "/callback", "/api/orders", "/demo.css", "/favicon.svg", "/nothing"} {
		h := b.get(d.URL + path).Header
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self' " + d.Issuer} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy lacks %q: %s", path, want, csp)
			}
		}
		if strings.Contains(csp, "script-src") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: the policy allows scripts: %s", path, csp)
		}
		if got := h.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options = %q", path, got)
		}
	}
}

func TestPagesAreKeptByNobody(t *testing.T) {
	d, b := lone(t), newBrowser(t)
	for _, path := range []string{"/", "/signin", "/callback", "/nothing"} {
		if got := b.get(d.URL + path).Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control = %q, want no-store", path, got)
		}
	}
}

func TestStyleAndIconAreServed(t *testing.T) {
	d, b := lone(t), newBrowser(t)
	for path, want := range map[string]string{"/demo.css": "text/css; charset=utf-8", "/favicon.svg": "image/svg+xml"} {
		got := b.get(d.URL + path)
		got.wants(t, http.StatusOK)
		if kind := got.Header.Get("Content-Type"); kind != want {
			t.Errorf("%s: Content-Type = %q, want %q", path, kind, want)
		}
	}
}

func TestWhatIsNotThereIsAPageToo(t *testing.T) {
	d, b := lone(t), newBrowser(t)
	b.get(d.URL+"/api/invoices").wants(t, http.StatusNotFound, "There is nothing here")
	b.get(d.URL+"/signout").wants(t, http.StatusNotFound)
}

func TestADurationIsSpokenInAUnitThatFits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		300 * time.Nanosecond:   "less than 1 µs",
		38 * time.Microsecond:   "38 µs",
		2140 * time.Microsecond: "2.1 ms",
		42 * time.Millisecond:   "42 ms",
		7 * time.Second:         "7 s",
		9*time.Minute + 58*time.Second + 900*time.Millisecond: "9 min 58 s",
		3*time.Hour + 5*time.Minute:                           "3 h 5 min",
	} {
		if got := spoken(d); got != want {
			t.Errorf("spoken(%v) = %q, want %q", d, got, want)
		}
	}
}
