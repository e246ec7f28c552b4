// Package cookie owns how the issuer's cookies look: their prefix and their
// attributes, the same for every one. It never knows what is in them.
package cookie

import "net/http"

// Name is a cookie of ours.
type Name string

// Session proves a signed-in browser; Journey binds a sign-in under way to the
// browser in which it began. State proves nothing: it changes when who is signed
// in does, and a page of ours that clients frame compares it.
const (
	Session Name = "signet"
	Journey Name = "signet_journey"
	State   Name = "signet_state"
)

// Jar reads and writes cookies. Under an https issuer they carry the __Host-
// prefix, which a browser accepts only with Secure, Path=/ and no Domain: no
// sibling host and no plain-http page can plant one (RFC 6265bis §4.1.3.2).
// Plain http exists on loopback only, where the prefix can't be had.
type Jar struct{ Secure bool }

// Name is what the browser calls the cookie.
func (j Jar) Name(n Name) string {
	if j.Secure {
		return "__Host-" + string(n)
	}
	return string(n)
}

// Get returns the cookie's value, or "" when there is none.
func (j Jar) Get(r *http.Request, n Name) string {
	c, err := r.Cookie(j.Name(n))
	if err != nil {
		return ""
	}
	return c.Value
}

// Set gives the browser a cookie that lives until the browser closes; how long
// it is worth anything is decided by the record that it names. SameSite=Lax:
// the redirect from a client to /authorize must carry it, a cross-site form
// post must not.
func (j Jar) Set(w http.ResponseWriter, n Name, value string) { j.write(w, n, value, 0) }

// Clear takes the cookie away.
func (j Jar) Clear(w http.ResponseWriter, n Name) { j.write(w, n, "", -1) }

func (j Jar) write(w http.ResponseWriter, n Name, value string, maxAge int) {
	c := &http.Cookie{ //nolint:gosec // Secure is false on loopback http only, where it can't work
		Name: j.Name(n), Value: value, Path: "/", MaxAge: maxAge,
		Secure: j.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if n == State {
		j.expose(c)
	}
	http.SetCookie(w, c)
}

// expose lets a script of ours read the cookie in another site's frame (OpenID
// Connect Session Management 1.0 §3.2). SameSite=None demands Secure; on loopback
// a client has the same host, and so the same site, or can't ask.
func (j Jar) expose(c *http.Cookie) {
	c.HttpOnly = false
	if j.Secure {
		c.SameSite = http.SameSiteNoneMode
	}
}
