package httpd

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/labstack/echo/v4"
)

// ClientAddr is the address that limits count by: the peer's, or what trusted
// proxies say of it. It is the zero Addr when the request came over no network.
func ClientAddr(c echo.Context) netip.Addr {
	addr, err := netip.ParseAddr(c.RealIP())
	if err != nil {
		return netip.Addr{}
	}
	return addr
}

// proxies are the networks whose forwarding headers are believed.
type proxies []netip.Prefix

func (p proxies) include(addr netip.Addr) bool {
	for _, network := range p {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// wrote reports whether the request's headers come from one of them.
func (p proxies) wrote(r *http.Request) bool {
	peer, ok := peerOf(r)
	return ok && p.include(peer)
}

// client walks X-Forwarded-For from the right, where each proxy added the peer
// that it saw, over the trusted ones; the first other address is the client.
// Everything to the left of it may be invented.
func (p proxies) client(r *http.Request) string {
	at, ok := peerOf(r)
	if !ok {
		return ""
	}
	hops := strings.Split(strings.Join(r.Header.Values(echo.HeaderXForwardedFor), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.include(at); i-- {
		next, ok := parseHop(hops[i])
		if !ok {
			break // the nearest address that somebody trusted vouched for
		}
		at = next
	}
	return at.String()
}

func peerOf(r *http.Request) (netip.Addr, bool) { return parseHop(r.RemoteAddr) }

// parseHop reads an address with or without a port, and gives each one spelling:
// an IPv4 address mapped into IPv6 is IPv4, and zones (RFC 4007) are ours to
// know, not a stranger's to vary.
func parseHop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return addr.Unmap().WithZone(""), err == nil
}
