package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// problems judges every key, each by its own entry of the table.
func (c Config) problems() []Problem {
	var out []Problem
	for _, e := range table() {
		if p := e.judge(c); p.Text != "" {
			out = append(out, p)
		}
	}
	return append(out, c.wrongScopes()...)
}

// judge returns the first thing wrong with the key's value.
func (e entry) judge(c Config) Problem {
	field := e.field(&c)
	p := Problem{Key: e.key}
	switch value := strings.Join(texts(field), ", "); {
	case len(e.oneOf) > 0 && !slices.Contains(e.oneOf, value):
		p.Text, p.Fix = fmt.Sprintf("%q is not a choice", value), "write one of "+strings.Join(e.oneOf, ", ")
	case e.min != "" && measure(field) < e.bound(e.min):
		p.Text, p.Fix = fmt.Sprintf("%s is less than %s", value, e.min), "write a value from "+e.allowed()
	case e.max != "" && measure(field) > e.bound(e.max):
		p.Text, p.Fix = fmt.Sprintf("%s is more than %s", value, e.max), "write a value from "+e.allowed()
	case e.wrong != nil:
		p.Text, p.Fix = e.wrong(c)
	}
	return p
}

// bound reads a bound of the table in the notation of the entry's own field.
func (e entry) bound(text string) int64 {
	var scratch Config
	field := e.field(&scratch)
	if err := setScalar(field, text); err != nil {
		panic(fmt.Sprintf("config: the table's bound of %s: %v", e.key, err)) // a test reads them all
	}
	return measure(field)
}

// measure makes the ordered types comparable.
func measure(field any) int64 {
	switch f := field.(type) {
	case *int:
		return int64(*f)
	case *time.Duration:
		return int64(*f)
	case *Size:
		return int64(*f)
	case *slog.Level:
		return int64(*f)
	}
	return 0
}

const issuerFix = "write the https URL that browsers reach, such as https://id.example.com"

// wrongIssuer follows OpenID Connect Discovery §3 and RFC 8414 §2: https, no
// query, no fragment. Services compare it byte for byte, so only one spelling is
// accepted. The value is not repeated where it may hold a password.
func wrongIssuer(c Config) (text, fix string) {
	if c.Issuer == "" {
		return "is missing", issuerFix
	}
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || !validPort(u):
		return "is not a URL", issuerFix
	case u.User != nil:
		return "contains a user name or password", "remove everything before the @"
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(c.Issuer, "#"):
		return fmt.Sprintf("%q has a query or a fragment", c.Issuer), "remove everything from the ? or # on"
	case c.loopback && !isLoopback(u.Host):
		return fmt.Sprintf("%q is not on this machine", c.Issuer), "development serves loopback only: write http://127.0.0.1:8080, or use signet serve"
	case u.Scheme == "http" && !c.loopback:
		return fmt.Sprintf("%q is not https", c.Issuer), "write https; on your own machine, signet dev serves http"
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Sprintf("%q is not https", c.Issuer), issuerFix
	case strings.HasSuffix(c.Issuer, "/"):
		return fmt.Sprintf("%q ends in a slash", c.Issuer), "write " + strings.TrimRight(c.Issuer, "/")
	case !issuerForm().MatchString(c.Issuer) || hasDots(u.Path):
		return fmt.Sprintf("%q has another spelling for the same place", c.Issuer), "write the host in small ASCII letters (xn--… for others) and the path without escapes, dots and double slashes"
	}
	return "", ""
}

// issuerForm is the one spelling: a host in small letters or a bracketed IPv6
// address, and a path of unreserved characters (RFC 3986 §2.3).
func issuerForm() *regexp.Regexp {
	return regexp.MustCompile(`^https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:\d+)?(/[A-Za-z0-9._~-]+)*$`)
}

func validPort(u *url.URL) bool {
	if strings.HasSuffix(u.Host, ":") {
		return false
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return u.Port() == "" || err == nil && n > 0
}

func hasDots(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

func wrongName(c Config) (text, fix string) {
	const longest = 60
	switch {
	case strings.TrimSpace(c.Name) == "":
		return "is empty", "write the name of your organisation, or remove the line"
	case utf8.RuneCountInString(c.Name) > longest:
		return fmt.Sprintf("is longer than %d characters", longest), "shorten it: it stands in a heading"
	case strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "contains something that cannot be printed", "write plain text"
	}
	return "", ""
}

func wrongHTTPAddress(c Config) (text, fix string) {
	if text, fix = wrongAddress(c.HTTP.Address); text != "" {
		return text, fix
	}
	if c.loopback && !isLoopback(c.HTTP.Address) {
		return fmt.Sprintf("%q is not on this machine", c.HTTP.Address), "development serves loopback only: write 127.0.0.1:8080"
	}
	return "", ""
}

func wrongMetricsAddress(c Config) (text, fix string) {
	if c.Metrics.Address == Off {
		return "", ""
	}
	if text, fix = wrongAddress(c.Metrics.Address); text != "" {
		return text, fix + ", or off"
	}
	if _, port, _ := net.SplitHostPort(c.Metrics.Address); c.Metrics.Address == c.HTTP.Address && port != "0" {
		return "is the address of http.address", "choose another port: metrics are not for the public"
	}
	return "", ""
}

func wrongAddress(address string) (text, fix string) {
	const example = "write host:port, such as 127.0.0.1:8080"
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Sprintf("%q is not an address with a port", address), example
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Sprintf("%q is not a port", port), "write a number from 1 to 65535 after the colon"
	}
	if strings.ContainsAny(host, " /") {
		return fmt.Sprintf("%q is not a host", host), example
	}
	return "", ""
}

func wrongPair(own, other, otherKey string) (text, fix string) {
	if own == "" && other != "" {
		return "is missing, but " + otherKey + " is set", "set both for TLS here, or neither behind a proxy"
	}
	return "", ""
}

// wrongProxies refuses networks so wide that strangers are in them: who is
// trusted chooses the address that limits count by.
func wrongProxies(c Config) (text, fix string) {
	const widest4, widest6 = 8, 7 // 10.0.0.0/8 and fc00::/7, the widest private ones
	for _, p := range c.HTTP.TrustedProxies {
		if !p.IsValid() || p.Bits() < widest6 || p.Addr().Is4() && p.Bits() < widest4 {
			return fmt.Sprintf("%s trusts half the world to say who a visitor is", p), "name the networks of your own proxies"
		}
	}
	return "", ""
}

// isLoopback reports whether an address with or without a port is on this
// machine; the name localhost and what is under it always are (RFC 6761 §6.3).
func isLoopback(address string) bool {
	host := hostOf(address)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func isPrivate(address string) bool {
	ip, err := netip.ParseAddr(hostOf(address))
	return isLoopback(address) || err == nil && (ip.Unmap().IsPrivate() || ip.Unmap().IsLinkLocalUnicast())
}

func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return strings.Trim(address, "[]")
}
