package session_test

import (
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/session"
)

// The digest was computed by another program:
// printf '%s' 'shop https://shop.example.com abc salt' | openssl dgst -sha256 -binary | basenc --base64url
func TestASessionStateIsTheSaltedDigestThatEveryoneElseComputes(t *testing.T) {
	const want = "XLcjunC0Vy_kMlXPuFQSdRDMYDSe_FLlYa43v-b1Jwg.salt"
	if got := session.State("shop", "https://shop.example.com", "abc", "salt"); got != want {
		t.Errorf("State = %q, want %q", got, want)
	}
}

// Session Management 1.0 §2: it depends on client, origin and browser state.
func TestASessionStateIsOfOneClientOneOriginAndOneBrowserState(t *testing.T) {
	seen := map[string]bool{}
	for _, of := range [][4]string{
		{"shop", "https://a.example", "state", "salt"}, {"other", "https://a.example", "state", "salt"},
		{"shop", "https://b.example", "state", "salt"}, {"shop", "https://a.example", "", "salt"},
		{"shop", "https://a.example", "state", "pepper"},
	} {
		state := session.State(of[0], of[1], of[2], of[3])
		if seen[state] || strings.ContainsAny(state, " +/=") {
			t.Errorf("%q: %q", of, state)
		}
		seen[state] = true
	}
}

func TestTheBrowserStateIsTheSessionsOwnAndTellsNeitherItsNameNorItsProof(t *testing.T) {
	who := authn.Result{Subject: ident.New()}
	s, handle := session.Policy{}.Begin(who, session.Origin{})
	state := s.BrowserState()
	if state != s.BrowserState() || len(state) != 43 {
		t.Errorf("BrowserState = %q", state)
	}
	if strings.Contains(handle.Cookie(), state) || strings.Contains(state, s.ID) {
		t.Error("the state holds a part of the cookie or the sid")
	}
	// Whoever knows all public names of a session, as its clients do, does not
	// know its state.
	namesake := session.Session{Subject: s.Subject, ID: s.ID, AuthTime: s.AuthTime, Created: s.Created}
	if namesake.BrowserState() == state {
		t.Error("the state follows from what clients know")
	}
	other, _ := session.Policy{}.Begin(who, session.Origin{})
	if other.BrowserState() == state {
		t.Error("two sessions have one state")
	}
}

// RFC 6454 §6.2: the browser says https://a.example where the client registered
// https://A.example:443/cb.
func TestTheOriginIsWrittenAsBrowsersDo(t *testing.T) {
	s, _ := session.Policy{}.Begin(authn.Result{Subject: ident.New()}, session.Origin{})
	for redirect, origin := range map[string]string{
		"https://A.example:443/cb?x=1":  "https://a.example",
		"https://a.example:8443":        "https://a.example:8443",
		"https://a.example:80/":         "https://a.example:80",
		"http://127.0.0.1:80/cb":        "http://127.0.0.1",
		"http://[::1]:3000/cb":          "http://[::1]:3000",
		"com.example.app:/cb":           "",
		"com.example.app://a.example/x": "",
		"https:///cb":                   "",
		"https://bücher.example/cb":     "",
	} {
		got := s.StateFor("shop", redirect)
		_, salt, _ := strings.Cut(got, ".")
		want := ""
		if origin != "" {
			want = session.State("shop", origin, s.BrowserState(), salt)
		}
		if got != want || origin != "" && len(salt) < 16 {
			t.Errorf("%s: got %q, want the state for %q", redirect, got, origin)
		}
	}
	one, other := s.StateFor("shop", "https://a.example/"), s.StateFor("shop", "https://a.example/")
	if one == other {
		t.Error("two answers have one salt")
	}
}
