package httpd_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/httpd"
	"github.com/signet-id/signet/internal/telemetry"
)

func TestWhatIsSaidOfTheRoadIsBelievedOfProxiesAlone(t *testing.T) {
	names := []string{
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Forwarded-Protocol",
		"X-Forwarded-Ssl", "X-Forwarded-Prefix", "X-Real-Ip", "X-Url-Scheme", "X-Request-Id",
	}
	s, _ := newServer(t, func(o *httpd.Options) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	var arrived http.Header
	s.Echo().GET("/", func(c echo.Context) error {
		arrived = c.Request().Header.Clone()
		return ok(c)
	})
	for peer, believed := range map[string]bool{"10.0.0.1:1": true, "198.51.100.7:1": false, "": false} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = peer
		for _, name := range names {
			r.Header.Set(name, "said-of-the-road")
		}
		r.Header.Set("Accept", "text/plain")
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
		for _, name := range names {
			if got := arrived.Get(name) != ""; got != believed {
				t.Errorf("%s of the peer %q arrives: %v, want %v", name, peer, got, believed)
			}
		}
		if arrived.Get("Accept") == "" {
			t.Errorf("the peer %q may not say what it accepts", peer)
		}
	}
}

// The list is joined once, before any route exists.
func TestTheRoadLeadsToEveryRouteInOneOrder(t *testing.T) {
	s, _ := newServer(t, func(o *httpd.Options) { o.MaxBody = 4 })
	s.Echo().POST("/early", ok)
	first := ask(t, s, http.MethodPost, "/early", strings.NewReader("much too long"))
	s.Echo().POST("/late", func(c echo.Context) error {
		return c.String(http.StatusOK, telemetry.RequestID(c.Request().Context()))
	})
	if first.Code != http.StatusRequestEntityTooLarge || first.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("/early = %d with %v", first.Code, first.Header())
	}
	late := ask(t, s, http.MethodPost, "/late", nil)
	if id := late.Header().Get("X-Request-Id"); late.Code != http.StatusOK || late.Body.String() != id || id == "" {
		t.Errorf("/late = %d %s, and the request is called %q", late.Code, late.Body, id)
	}
	if again := ask(t, s, http.MethodPost, "/late", nil); again.Body.String() == late.Body.String() {
		t.Error("two requests have one name")
	}
}

// The values are the same slices in all answers.
func TestAHandlerAddsToTheHeadersOfItsOwnAnswerAlone(t *testing.T) {
	s, _ := newServer(t, func(o *httpd.Options) { o.HTTPS = true })
	s.Echo().GET("/", func(c echo.Context) error {
		for name := range c.Response().Header() {
			c.Response().Header().Add(name, "added")
		}
		return ok(c)
	})
	for range 2 {
		h := ask(t, s, http.MethodGet, "/", nil).Header()
		for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy", "Strict-Transport-Security", "X-Request-Id"} {
			if got := h.Values(name); len(got) != 2 || !slices.Contains(got, "added") {
				t.Errorf("%s is %q", name, got)
			}
		}
	}
}
