package pages

import (
	"net/http"
	"slices"
	"strings"
)

// head sets the headers of a page.
//
// Cross-Origin-Opener-Policy is left out on purpose: applications open the
// sign-in in a popup and wait for it to come back, and same-origin would cut
// the popup from its opener for good. What it guards against, a stranger who
// scripts or frames the page, the policies below already refuse.
//
// Pages are never compressed: they hold a sealed journey beside text that a
// stranger chose, which is what BREACH feeds on.
func (p *Pages) head(h http.Header, t traits, nonce string) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", p.policy(t, nonce))
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	// The address of a page may carry the journey: no one we link to learns it.
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY") // for browsers without frame-ancestors
	if t.framed {
		h.Del("X-Frame-Options")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin") // pages that isolate themselves frame it too
	}
}

// policy is the Content-Security-Policy of a page: everything is forbidden but
// our style sheet and, where a client shows one, its logo.
func (p *Pages) policy(t traits, nonce string) string {
	images := "img-src 'self' data:"
	if t.client != nil && p.image(t.client.LogoURI) != "" {
		// The whole of https, since a logo's address may redirect to a CDN.
		images += " https:"
		if p.opts.Loopback {
			images += " http://127.0.0.1:* http://localhost:*" // CSP cannot name [::1]
		}
	}
	rules := []string{"default-src 'none'", "style-src 'self'", images}
	if nonce != "" {
		rules = append(rules, "script-src 'nonce-"+nonce+"'")
	}
	if sources := frameSources(t.frames); len(sources) > 0 {
		rules = append(rules, "frame-src "+strings.Join(sources, " "))
	}
	rules = append(rules, "base-uri 'none'", "frame-ancestors 'none'")
	if t.framed { // it has nothing to click, so there is nothing to be tricked into
		rules[len(rules)-1] = "frame-ancestors *"
	}
	switch t.forms {
	case formsNone:
		rules = append(rules, "form-action 'none'")
	case formsHere:
		rules = append(rules, "form-action 'self'")
	case formsOnward:
		// Browsers apply form-action to the redirect that answers a form, too,
		// and would stop the person on the way back to the client.
	}
	return strings.Join(rules, "; ")
}

// maxSources bounds what the frames add to a header: reverse proxies refuse an
// answer whose headers are longer than some 4 kB.
const maxSources = 2048

// frameSources names exactly what is framed, or where that is too long, the
// origins of it.
func frameSources(frames []string) []string {
	var places, origins []string
	length := 0
	for _, f := range frames {
		place := frameSource(f)
		if place == "" || slices.Contains(places, place) {
			continue
		}
		places, length = append(places, place), length+len(place)+1
		u := web(f)
		if origin := u.Scheme + "://" + u.Host; !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	if length > maxSources {
		return origins
	}
	return places
}
