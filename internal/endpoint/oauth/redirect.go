package oauth

import (
	"strings"

	"github.com/signet-id/signet/internal/client"
)

// matchRedirectURI reports whether got is registered: byte for byte (RFC 9700
// §4.1.3), but for the port of a loopback address, which a native app cannot
// know in advance (RFC 8252 §7.3).
func matchRedirectURI(c client.Client, got string) bool {
	for _, registered := range c.RedirectURIs {
		if got == registered {
			return true
		}
		if want, ok := withoutLoopbackPort(registered); ok && c.Public {
			if have, ok := withoutLoopbackPort(got); ok && have == want {
				return true
			}
		}
	}
	return false
}

// withoutLoopbackPort returns raw without its port if it is http on a loopback
// address literal. It works on the text and parses nothing, so that no two
// readings of one URI can disagree. localhost is not a literal: it may resolve
// elsewhere (RFC 8252 §8.3).
func withoutLoopbackPort(raw string) (string, bool) {
	for _, literal := range []string{"http://127.0.0.1", "http://[::1]"} {
		tail, ok := strings.CutPrefix(raw, literal)
		if !ok {
			continue
		}
		if digits, ok := strings.CutPrefix(tail, ":"); ok {
			rest := strings.TrimLeft(digits, "0123456789")
			if n := len(digits) - len(rest); n == 0 || n > 5 {
				return "", false
			}
			tail = rest
		}
		if tail == "" || tail[0] == '/' || tail[0] == '?' {
			return literal + tail, true
		}
	}
	return "", false
}
