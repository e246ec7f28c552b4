package demo

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/signet-id/signet/pkg/verify"
)

// session is one browser, signed in here.
type session struct {
	name    string // of the person
	sid     string // at the issuer
	idToken string // the hint for signing out

	source    oauth2.TokenSource // refreshes by itself
	renewable bool               // there is a refresh token to do it with

	mu      sync.Mutex
	last    string   // guarded by mu; the access token as last used
	arrival *arrival // guarded by mu; nil once it was shown
}

// arrival is how the person came in.
type arrival struct {
	Silent bool // the issuer had nothing to ask
	Took   time.Duration
	Since  time.Duration // the sign-in at the issuer
}

func (s *session) arrived() *arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.arrival
	s.arrival = nil
	return a
}

// bearer returns the access token, and whether it is another than last time.
func (s *session) bearer() (raw string, renewed bool, err error) {
	t, err := s.source.Token()
	if err != nil {
		return "", false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	renewed, s.last = s.last != t.AccessToken, t.AccessToken
	return t.AccessToken, renewed, nil
}

// ticket returns the access token as last used, and the session that it is of.
func (s *session) ticket() (raw, sid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.sid
}

// nobody says that no one is signed in here, and why if that is news.
type nobody struct{ why string }

func (n nobody) Error() string { return "nobody is signed in: " + n.why }

// visit is a request of somebody who is signed in.
type visit struct {
	*session

	raw      string // the access token
	access   verify.Token
	renewed  bool
	verified time.Duration // how long that took
}

// visitor finds who is behind a request. The token is verified each time, as an
// API would: a session whose token is refused is over, whatever the cookie says.
func (d *desk) visitor(r *http.Request) (visit, error) {
	id := cookieOf(r, d.sessionCookie())
	s, ok := d.sessions.get(id)
	if !ok {
		return visit{}, nobody{}
	}
	raw, renewed, err := s.bearer()
	if err != nil {
		return visit{}, d.unrenewed(id, s, err)
	}
	started := time.Now()
	access, err := d.verifier.Verify(r.Context(), raw)
	took := time.Since(started)
	if errors.Is(err, verify.KeysUnavailable) {
		return visit{}, d.issuer.away(err)
	}
	if err != nil {
		d.sessions.take(id)
		why := "Your session has ended: its token was refused. Sign in again to go on."
		if errors.Is(err, verify.Ended) {
			why = "Your session was ended at the issuer, and " + title(d.Name) + " knew at once. Sign in again to go on."
		}
		return visit{}, nobody{why: why}
	}
	return visit{session: s, raw: raw, access: access, renewed: renewed, verified: took}, nil
}

// unrenewed tells an issuer that said no, which ends the session here as well,
// from one that did not answer.
func (d *desk) unrenewed(id string, s *session, err error) error {
	var refused *oauth2.RetrieveError
	ended := errors.As(err, &refused) && refused.ErrorCode == "invalid_grant" // RFC 6749 §5.2
	if s.renewable && !ended {
		return d.issuer.away(err)
	}
	d.sessions.take(id)
	return nobody{why: "Your session at the issuer has ended, so it ended here too. Sign in again to go on."}
}

func (d *desk) sessionCookie() string { return "demo_" + d.Name }
func (d *desk) attemptCookie() string { return "demo_" + d.Name + "_signin" }

func cookieOf(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// give sets a cookie, or takes it away when value is empty. Cookies know no
// ports, so each service has names of its own.
func (d *desk) give(w http.ResponseWriter, name, value string, life time.Duration) {
	age := int(life / time.Second)
	if value == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure where there is TLS; the demo is http on loopback
		Name: name, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: strings.HasPrefix(d.URL, "https:"), SameSite: http.SameSiteLaxMode,
	})
}
