package client

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// checkLogout judges where the client wants to be told that a session ended. Both
// addresses are asked for by a machine, so they are web addresses, https or
// loopback, and carry no fragment (OpenID Connect Back-Channel Logout 1.0 §2.2,
// Front-Channel Logout 1.0 §2).
func checkLogout(c Client) error {
	return cmp.Or(
		checkLink("backchannel_logout_uri", c.BackchannelLogoutURI),
		checkFetched("backchannel_logout_uri", c.BackchannelLogoutURI),
		checkFrame("frontchannel_logout_uri", c.FrontchannelLogoutURI, c.RedirectURIs),
	)
}

// checkFrame admits what the sign-out page may frame: a place where the client's
// people return to anyhow, so that nobody registers a stranger's page to be
// loaded in their browsers, and one that a Content-Security-Policy can name.
func checkFrame(field, raw string, redirects []string) error {
	if raw == "" {
		return nil
	}
	if err := cmp.Or(checkLink(field, raw), checkFetched(field, raw)); err != nil {
		return err
	}
	u, err := url.Parse(raw)
	if err != nil {
		return invalid(field, "%q is not a URI", raw)
	}
	if strings.ContainsFunc(u.Host, func(r rune) bool { return r == '[' || r <= ' ' || r > '~' || strings.ContainsRune("\"';,*", r) }) {
		return invalid(field, "%q: the policy that lets browsers load it can't name this host: use an ASCII name or an IPv4 address (CSP Level 3 §2.3.1)", raw)
	}
	here := func(redirect string) bool {
		r, err := url.Parse(redirect)
		return err == nil && origin(r) == origin(u)
	}
	if !slices.ContainsFunc(redirects, here) {
		return invalid(field, "%q must have the scheme, host and port of one of the redirect URIs (OpenID Connect Front-Channel Logout 1.0 §2)", raw)
	}
	return nil
}

// origin is scheme, host and port, where a port that goes without saying is said.
func origin(u *url.URL) string {
	port := cmp.Or(u.Port(), map[string]string{"https": "443", "http": "80"}[u.Scheme])
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
