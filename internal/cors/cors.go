// Package cors owns what the issuer tells browsers whose pages call it from
// another origin (Fetch §3.3, CORS protocol): any page may, by the methods and
// with the headers that a Policy names.
//
//	New ──▶ Policy, its headers ready-made ──Answer──▶ headers; a preflight is over
//
// It never allows credentials: no answer hangs on a cookie, so there is nothing
// that a foreign page could abuse. All answers share the headers' values, and
// whoever sets or adds to one makes a slice of its own, since they have no room
// left.
package cors

import (
	"net/http"
	"strings"
)

// Policy lets pages of any origin call. Make it with New; safe for concurrent use.
type Policy struct {
	origins, methods, headers []string
	vary, varyPreflight       []string
}

// New makes the policy for these methods. headers are those that a page may send
// beyond what it always may; with none, those that it asks for.
func New(methods []string, headers ...string) *Policy {
	p := &Policy{
		origins: []string{"*"}, methods: []string{strings.Join(methods, ",")},
		vary:          []string{"Origin"},
		varyPreflight: []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"},
	}
	if len(headers) > 0 {
		p.headers = []string{strings.Join(headers, ",")}
	}
	return p
}

// Answer puts into h, the headers of the answer to r, what a browser must know,
// and tells caches that answers differ by origin. over is true for OPTIONS: that
// request is answered, without a body. The names are in net/http's spelling,
// which spares it from correcting them.
func (p *Policy) Answer(h http.Header, r *http.Request) (over bool) {
	h["Vary"] = p.vary
	over = r.Method == http.MethodOptions
	if r.Header.Get("Origin") == "" {
		return over
	}
	h["Access-Control-Allow-Origin"] = p.origins
	if !over {
		return false
	}
	h["Vary"] = p.varyPreflight // what is allowed depends on what was asked
	h["Access-Control-Allow-Methods"] = p.methods
	if p.headers != nil {
		h["Access-Control-Allow-Headers"] = p.headers
	} else if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h["Access-Control-Allow-Headers"] = []string{asked}
	}
	return true
}
