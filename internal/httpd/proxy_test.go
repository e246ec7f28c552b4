package httpd_test

import (
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/httpd"
)

func TestTheClientIsWhoTrustedProxiesSawAndNobodyElse(t *testing.T) {
	s, _ := newServer(t, func(o *httpd.Options) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	})
	var got netip.Addr
	var forwarded string
	s.Echo().GET("/", func(c echo.Context) error {
		got, forwarded = httpd.ClientAddr(c), c.Scheme()
		return ok(c)
	})
	for _, tc := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"direct", "198.51.100.7:1234", nil, "198.51.100.7"},
		{"a stranger's header is ignored", "198.51.100.7:1234", []string{"203.0.113.9"}, "198.51.100.7"},
		{"one proxy", "10.0.0.1:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		{"what the client invented lies to the left", "10.0.0.1:1", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},
		{"two proxies", "10.0.0.1:1", []string{"1.1.1.1, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		{"two header lines are one list", "10.0.0.1:1", []string{"1.1.1.1", "203.0.113.9"}, "203.0.113.9"},
		{"a stranger claims to be a proxy", "10.0.0.1:1", []string{"10.9.9.9, 203.0.113.9"}, "203.0.113.9"},
		{"a proxy without a header", "10.0.0.1:1", nil, "10.0.0.1"},
		{"rubbish ends the walk", "10.0.0.1:1", []string{"203.0.113.9, rubbish"}, "10.0.0.1"},
		{"an empty header", "10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"all are proxies", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"IPv6", "[fd00::1]:1", []string{"2001:db8::9"}, "2001:db8::9"},
		{"IPv6 with a port", "[fd00::1]:1", []string{"[2001:db8::9]:443"}, "2001:db8::9"},
		{"IPv4 within IPv6 is one address", "[::ffff:10.0.0.1]:1", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"a zone makes no new address", "[fe80::1%eth0]:1", nil, "fe80::1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			r.RemoteAddr = tc.peer
			for _, line := range tc.forwarded {
				r.Header.Add("X-Forwarded-For", line)
			}
			r.Header.Set("X-Real-Ip", "6.6.6.6")
			s.Handler().ServeHTTP(httptest.NewRecorder(), r)
			if got.String() != tc.want {
				t.Errorf("client = %s, want %s", got, tc.want)
			}
		})
	}
	t.Run("a stranger's scheme is ignored", func(t *testing.T) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header.Set("X-Forwarded-Proto", "https")
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
		if forwarded != "http" {
			t.Errorf("scheme = %s, want http", forwarded)
		}
	})
}

// Whatever a stranger claims, the address that limits count by is the stranger's own.
func FuzzAStrangerNeverChoosesTheirAddress(f *testing.F) {
	f.Add("203.0.113.9", "10.0.0.1")
	f.Add("10.0.0.2, 203.0.113.9", "")
	f.Add("[::1]:80,,%", "for=1.1.1.1")
	seen := make(chan string, 1)
	f.Fuzz(func(t *testing.T, forwarded, other string) {
		s, _ := newServer(t, func(o *httpd.Options) {
			o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		})
		s.Echo().GET("/", func(c echo.Context) error {
			seen <- httpd.ClientAddr(c).String()
			return ok(c)
		})
		for peer, trailer := range map[string]string{"198.51.100.7:1": "", "10.0.0.1:1": ", 198.51.100.7"} {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
			r.RemoteAddr = peer
			r.Header["X-Forwarded-For"] = []string{forwarded + trailer} // as the proxy appends what it saw
			r.Header["X-Real-Ip"], r.Header["Forwarded"] = []string{other}, []string{other}
			s.Handler().ServeHTTP(httptest.NewRecorder(), r)
			if got := <-seen; got != "198.51.100.7" {
				t.Errorf("through %s, %q made the client %s", peer, forwarded, got)
			}
		}
	})
}
