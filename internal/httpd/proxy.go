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
	if len(p) == 0 {
		return false
	}
	peer, ok := peerOf(r)
	return ok && p.include(peer)
}

// client walks X-Forwarded-For from the right, where each proxy added the peer
// that it saw, over the trusted ones; the first other address is the client.
// Everything to the left of it may be invented. Several lines of it are one list
// (RFC 9110 §5.2).
func (p proxies) client(r *http.Request) string {
	at, ok := peerOf(r)
	if !ok {
		return ""
	}
	lines := r.Header[echo.HeaderXForwardedFor]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			if !p.include(at) {
				return at.String()
			}
			comma := strings.LastIndexByte(rest, ',')
			next, ok := parseHop(rest[comma+1:])
			if !ok {
				return at.String() // the nearest address that somebody trusted vouched for
			}
			at = next
			if more = comma >= 0; more {
				rest = rest[:comma]
			}
		}
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
