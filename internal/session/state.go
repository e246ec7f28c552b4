package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"unicode"
)

// BrowserState is what the browser may show to a script of ours as long as this
// session is the one it has: a client that polls learns whether it changed, and
// nothing else (OpenID Connect Session Management 1.0 §3.2).
//
// It is made from the digest of the cookie's secret. The sid would not do, which
// every client knows: one of them could then look for its people in the browsers
// of another's visitors. And nothing leads from here back to the secret, which is
// 256 random bits behind two hashes. A person who proves themselves again has a
// new one; the client asks silently and finds the same person.
func (s Session) BrowserState() string {
	digest := sha256.Sum256(append([]byte("signet browser state\x00"), s.Digest[:]...))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// StateFor is the session_state of an authorization response that goes to
// redirectURI, or "" where no script could ask about it: a native application
// has no origin.
func (s Session) StateFor(clientID, redirectURI string) string {
	origin := originOf(redirectURI)
	if origin == "" {
		return ""
	}
	return State(clientID, origin, s.BrowserState(), rand.Text())
}

// State is what a client at origin is given and a page of ours compares with
// (Session Management 1.0 §3.2): a salted digest, and the salt. Each client, each
// origin and each salt has another, so no two clients recognise a browser by it.
func State(clientID, origin, browserState, salt string) string {
	digest := sha256.Sum256([]byte(clientID + " " + origin + " " + browserState + " " + salt))
	state := make([]byte, 0, base64.RawURLEncoding.EncodedLen(len(digest))+len(".")+len(salt))
	state = append(base64.RawURLEncoding.AppendEncode(state, digest[:]), '.')
	return string(append(state, salt...))
}

// originOf is the origin of a web address as a browser writes it (RFC 6454 §6.2):
// in small letters, and without a port that goes without saying. A name that is
// not ASCII has another spelling there, so no state could ever agree with it.
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	if strings.ContainsFunc(u.Host, func(r rune) bool { return r > unicode.MaxASCII }) {
		return ""
	}
	host, usual := strings.ToLower(u.Host), ":443"
	if u.Scheme == "http" {
		usual = ":80"
	}
	return u.Scheme + "://" + strings.TrimSuffix(strings.TrimSuffix(host, usual), ":")
}
