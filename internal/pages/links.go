package pages

import (
	"html/template"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/signet-id/signet/internal/fault"
)

// link returns raw when it is a web address, else nothing: clients register
// these addresses, and javascript: is an address too.
func link(raw string) template.URL {
	if u := web(raw); u != nil {
		return template.URL(raw) //nolint:gosec // an absolute http(s) address; escaped for its attribute as any other
	}
	return ""
}

// image returns raw when it may be shown as an image under our policy. What the
// policy would block is left out, so that no page shows a broken picture.
func (p *Pages) image(raw string) template.URL {
	if rest, ok := strings.CutPrefix(raw, "data:image/"); ok && !strings.ContainsFunc(rest, unicode.IsSpace) {
		return template.URL(raw) //nolint:gosec // within <img> not even an SVG runs scripts
	}
	u := web(raw)
	switch {
	case u == nil:
		return ""
	case u.Scheme == "https", p.opts.Loopback && (u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost"):
		return template.URL(raw) //nolint:gosec // as link
	default:
		return ""
	}
}

// web parses raw as an absolute http or https address, or returns nil.
func web(raw string) *url.URL {
	u := absolute(raw)
	if u == nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil
	}
	return u
}

// absolute parses raw as an address with a scheme, or returns nil. url.Parse
// admits quotes and brackets in a host, where no browser does and where escaping
// them for HTML would make another host of it.
func absolute(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || strings.ContainsAny(u.Host, `"'<>`) {
		return nil
	}
	return u
}

// onward returns raw when a browser may be sent there, else nothing. Native
// applications bring schemes of their own (RFC 8252 §7.1), so it refuses the
// schemes that a browser runs or opens by itself, rather than name the good ones.
func onward(raw string) template.URL {
	u := absolute(raw)
	if u == nil {
		return ""
	}
	switch u.Scheme {
	case "about", "blob", "data", "file", "filesystem", "javascript", "vbscript", "view-source":
		return ""
	case "http", "https":
		return link(raw)
	default:
		return template.URL(raw) //nolint:gosec // a private-use scheme that the client registered
	}
}

// mustOnward is onward for a page that makes no sense without its address.
func mustOnward(raw string) (template.URL, error) {
	if u := onward(raw); u != "" {
		return u, nil
	}
	return "", fault.New(fault.Invalid, "is not an address that a browser may be sent to").On("redirect_uri")
}

// again returns raw when it is a path of this host or a web address.
func again(raw string) template.URL {
	// Browsers read // and /\ as the start of another host.
	if strings.HasPrefix(raw, "/") && !strings.HasPrefix(raw, "//") && !strings.ContainsAny(raw, "\\\t\r\n") {
		return template.URL(raw) //nolint:gosec // begins with a single slash
	}
	return link(raw)
}

// frame returns raw when the page may load it and its policy can say so.
func frame(raw string) template.URL {
	if frameSource(raw) == "" {
		return ""
	}
	return link(raw)
}

// frameSource names an address as a source of a policy: where it is, without its
// query, which a policy does not compare (CSP Level 3 §6.7.2.8). Nothing for one
// that a policy can't name: an IPv6 address, or a host with marks in it.
func frameSource(raw string) string {
	u := web(raw)
	if u == nil || u.User != nil || strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("[],;*\\", r) }) {
		return ""
	}
	marks := strings.NewReplacer(";", "%3B", ",", "%2C", "'", "%27")
	return u.Scheme + "://" + u.Host + marks.Replace(u.EscapedPath())
}

// initial is the letter that stands in for a picture.
func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(strings.TrimSpace(name))
	if r == utf8.RuneError || !unicode.IsGraphic(r) {
		return "·"
	}
	return string(unicode.ToUpper(r))
}
