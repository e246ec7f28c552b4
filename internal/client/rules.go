package client

import (
	"cmp"
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/signet-id/signet/internal/fault"
)

// What a client may be named, and what a scope token is made of (RFC 6749 §3.3).
var (
	idPattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$`)
	scopePattern = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,128}$`)
)

// The limits that keep a client's record, and what is sealed from it, small.
const (
	maxURIs  = 32
	maxURI   = 2048
	maxTitle = 128
)

// Complete fills what the operator left open, so that a record always says what
// holds and a later change of a default changes no registered client.
func (c Client) Complete() Client {
	if len(c.Grants) == 0 {
		c.Grants = []string{GrantCode, GrantRefresh}
		if len(c.RedirectURIs) == 0 {
			c.Grants = []string{GrantCredentials}
		}
	}
	if c.AuthMethod == "" {
		c.AuthMethod = AuthBasic
		if c.Public {
			c.AuthMethod = AuthNone
		}
	}
	if c.AuthMethod == AuthNone {
		c.Public = true
	}
	if c.Public {
		c.PKCE = true // RFC 9700 §2.1.1: public clients MUST use PKCE
	}
	if c.Refresh == "" {
		c.Refresh = RefreshSession
		if !c.May(GrantRefresh) {
			c.Refresh = RefreshNone
		}
	}
	if c.IDTokenAlg == "" {
		c.IDTokenAlg = "RS256" // OpenID Connect Registration §2: the default
	}
	return c
}

// Validate reports the first rule that a complete client breaks.
func (c Client) Validate() error {
	for _, check := range []func(Client) error{
		checkName, checkMethod, checkKeys, checkGrants, checkRedirects, checkLogout, checkLists, checkLinks,
	} {
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

func invalid(field, format string, args ...any) error {
	return fault.New(fault.Invalid, format, args...).On(field)
}

func checkName(c Client) error {
	if !idPattern.MatchString(c.ID) {
		return invalid("client_id", "%q can't name a client: use 1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit", c.ID)
	}
	if len(c.Title) > maxTitle || strings.ContainsFunc(c.Title, func(r rune) bool { return r < ' ' }) {
		return invalid("client_name", "must be at most %d characters on one line", maxTitle)
	}
	return nil
}

func checkMethod(c Client) error {
	methods := []string{AuthBasic, AuthPost, AuthKeyJWT, AuthSecretJWT, AuthNone}
	if !slices.Contains(methods, c.AuthMethod) {
		return invalid("auth_method", "%q is not supported: use %s", c.AuthMethod, strings.Join(methods, ", "))
	}
	if c.Public != (c.AuthMethod == AuthNone) {
		return invalid("auth_method", "a public client uses %q, a confidential one uses another method", AuthNone)
	}
	if c.Public && !c.PKCE {
		return invalid("pkce", "can't be optional for a public client (RFC 9700 §2.1.1)")
	}
	algs := []string{"ES256", "EdDSA", "RS256", "PS256"}
	if !slices.Contains(algs, c.IDTokenAlg) {
		return invalid("id_token_alg", "%q is not supported: use ES256, EdDSA, RS256 or PS256", c.IDTokenAlg)
	}
	if c.UserinfoAlg != "" && !slices.Contains(algs, c.UserinfoAlg) {
		return invalid("userinfo_alg", "%q is not supported: use ES256, EdDSA, RS256 or PS256, or leave it out for plain JSON", c.UserinfoAlg)
	}
	if c.Introspects && c.Public {
		return invalid("introspect", "a public client can't prove who asks: give it a secret (RFC 7662 §2.1)")
	}
	return nil
}

// checkKeys holds the method and what it authenticates with together.
func checkKeys(c Client) error {
	inline := len(c.JWKS) > 0
	switch algs := assertionAlgs(c.AuthMethod); {
	case c.AuthSigningAlg != "" && len(algs) == 0:
		return invalid("auth_signing_alg", "is for clients that use %s or %s", AuthKeyJWT, AuthSecretJWT)
	case c.AuthSigningAlg != "" && !slices.Contains(algs, c.AuthSigningAlg):
		return invalid("auth_signing_alg", "%q is not supported with %s: use %s", c.AuthSigningAlg, c.AuthMethod, strings.Join(algs, ", "))
	case inline && c.JWKSURI != "":
		return invalid("jwks", "excludes jwks_uri: register the keys or where they are (RFC 7591 §2)")
	case c.AuthMethod == AuthKeyJWT && !inline && c.JWKSURI == "":
		return invalid("jwks", "is required for %s, or else jwks_uri: register the client's public keys, or where it publishes them", AuthKeyJWT)
	case !c.HasSecrets() && len(c.Secrets) > 0:
		return invalid("auth_method", "a client that uses %s has no secret", c.AuthMethod)
	}
	for _, s := range c.Secrets {
		if sealed := len(s.Sealed) > 0; sealed != (c.AuthMethod == AuthSecretJWT) {
			return invalid("auth_method", "the secret of a client is kept sealed exactly when it uses %s", AuthSecretJWT)
		}
	}
	return cmp.Or(checkJWKS(c), checkLink("jwks_uri", c.JWKSURI), checkFetched("jwks_uri", c.JWKSURI))
}

// checkFetched refuses of a link what this server would not ask for.
func checkFetched(field, raw string) error {
	if u, err := url.Parse(raw); err != nil || u.User != nil || strings.Contains(raw, "#") {
		return invalid(field, "%q must not carry a user name, password or fragment", raw)
	}
	return nil
}

// checkJWKS is stricter than reading a stranger's set is: an operator at the
// keyboard learns of each key that would not work.
func checkJWKS(c Client) error {
	if len(c.JWKS) == 0 {
		return nil
	}
	if len(c.JWKS) > maxJWKS {
		return invalid("jwks", "has %d bytes, at most %d are kept: use jwks_uri", len(c.JWKS), maxJWKS)
	}
	keys, broken, err := parseJWKS(c.JWKS)
	if err == nil {
		err = errors.Join(broken...)
	}
	if err != nil {
		return invalid("jwks", "can't be used: %s", err.Error())
	}
	fits := func(k Key) bool { return slices.ContainsFunc(c.AssertionAlgs(), k.Signs) }
	if c.AuthMethod == AuthKeyJWT && !slices.ContainsFunc(keys, fits) {
		return invalid("jwks", "has no public key for signatures with %s", strings.Join(c.AssertionAlgs(), ", "))
	}
	return nil
}

func checkGrants(c Client) error {
	for _, g := range c.Grants {
		if !slices.Contains([]string{GrantCode, GrantRefresh, GrantCredentials}, g) {
			return invalid("grant", "%q is not supported: use %s, %s or %s", g, GrantCode, GrantRefresh, GrantCredentials)
		}
	}
	switch {
	case c.May(GrantCredentials) && c.Public:
		return invalid("grant", "%s needs a client that can keep a secret (RFC 6749 §4.4)", GrantCredentials)
	case c.May(GrantRefresh) && !c.May(GrantCode):
		return invalid("grant", "%s continues what %s began: register both", GrantRefresh, GrantCode)
	case !slices.Contains([]Refresh{RefreshSession, RefreshOffline, RefreshNone}, c.Refresh):
		return invalid("refresh", "%q is not supported: use session, offline or none", c.Refresh)
	case c.May(GrantRefresh) == (c.Refresh == RefreshNone):
		return invalid("refresh", "must be none exactly when the client is not registered for %s", GrantRefresh)
	}
	return nil
}

func checkRedirects(c Client) error {
	if c.May(GrantCode) && len(c.RedirectURIs) == 0 {
		return invalid("redirect_uri", "is required for %s: name where people return to", GrantCode)
	}
	return cmp.Or(
		checkRedirectURIs("redirect_uri", c.RedirectURIs, c.Public),
		checkRedirectURIs("post_logout_redirect_uri", c.PostLogoutRedirectURIs, c.Public),
	)
}

func checkRedirectURIs(field string, uris []string, public bool) error {
	if len(uris) > maxURIs {
		return invalid(field, "at most %d may be registered", maxURIs)
	}
	for _, u := range uris {
		if err := checkRedirectURI(field, u, public); err != nil {
			return err
		}
	}
	return nil
}

// checkRedirectURI admits https anywhere, http on loopback (RFC 8252 §7.3), and
// the private schemes of native apps (RFC 8252 §7.1). Plain http elsewhere
// would hand the code to whoever listens on the way.
func checkRedirectURI(field, raw string, public bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || len(raw) > maxURI || !u.IsAbs():
		return invalid(field, "%q is not an absolute URI of at most %d characters", raw, maxURI)
	case strings.Contains(raw, "#"):
		return invalid(field, "%q must not have a fragment (RFC 6749 §3.1.2)", raw)
	case u.User != nil:
		return invalid(field, "%q must not carry a user name or password", raw)
	case strings.ContainsAny(raw, "*\\ \t\r\n"):
		return invalid(field, "%q has a wildcard, backslash or space: register each URI exactly", raw)
	}
	switch u.Scheme {
	case "https":
		if u.Hostname() == "" {
			return invalid(field, "%q has no host", raw)
		}
	case "http":
		if !IsLoopback(u.Hostname()) {
			return invalid(field, "%q must use https: plain http is for loopback addresses only", raw)
		}
	default: // javascript, data and their like have no dot either
		if !public || !strings.Contains(u.Scheme, ".") {
			return invalid(field, "%q: a private scheme is for public native apps and looks like com.example.app (RFC 8252 §7.1)", raw)
		}
	}
	return nil
}

// IsLoopback reports whether host names this machine: localhost, 127.0.0.0/8, ::1.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func checkLists(c Client) error {
	for _, s := range c.Scopes {
		if !scopePattern.MatchString(s) {
			return invalid("scope", "%q is not a scope: printable ASCII without space, quote or backslash (RFC 6749 §3.3)", s)
		}
	}
	for _, a := range c.Audience {
		if err := CheckResource("audience", a); err != nil {
			return err
		}
	}
	for _, n := range c.Networks {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return invalid("network", "%q is not a network: write it as 10.0.0.0/8 or fd00::/8", n)
		}
		if p.Addr().Is4In6() {
			return invalid("network", "%q is an IPv4 network written as IPv6, which no address is in: write it as 10.0.0.0/8", n)
		}
		if p != p.Masked() {
			return invalid("network", "%q has host bits set: did you mean %s?", n, p.Masked())
		}
	}
	return nil
}

// CheckResource admits what may stand in aud: an absolute URI without fragment
// (RFC 8707 §2).
func CheckResource(field, raw string) error {
	u, err := url.Parse(raw)
	if err != nil || !u.IsAbs() || strings.Contains(raw, "#") || len(raw) > maxURI {
		return invalid(field, "%q must be an absolute URI without fragment, such as https://orders.example.com (RFC 8707 §2)", raw)
	}
	return nil
}

func checkLinks(c Client) error {
	return cmp.Or(checkLink("logo_uri", c.LogoURI), checkLink("policy_uri", c.PolicyURI), checkLink("tos_uri", c.TermsURI))
}

// checkLink admits what a page may show or link to, where it was given.
func checkLink(field, raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || len(raw) > maxURI || u.Hostname() == "" || (u.Scheme != "https" && (u.Scheme != "http" || !IsLoopback(u.Hostname()))) {
		return invalid(field, "%q must be an https URL", raw)
	}
	return nil
}
