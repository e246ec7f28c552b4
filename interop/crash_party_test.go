package interop

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// party is the relying party behind all clients: it outlives the server, is slow
// at times, and fails now and then.
type party struct {
	server *httptest.Server
	mu     sync.Mutex
	told   map[string]int // calls that it took, by sid
	failed int
	wrong  []string
}

func newParty(t *testing.T) *party {
	t.Helper()
	p := &party{told: map[string]int{}}
	p.server = httptest.NewServer(http.HandlerFunc(p.logout))
	t.Cleanup(p.server.Close)
	return p
}

// uri is where its clients are told; a ledger may have no party.
func (p *party) uri() string {
	if p == nil {
		return ""
	}
	return p.server.URL + "/logout"
}

func (p *party) logout(w http.ResponseWriter, r *http.Request) {
	time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	var claims struct {
		Issuer    string         `json:"iss"`
		SessionID string         `json:"sid"`
		Events    map[string]any `json:"events"`
	}
	err := payload(r.PostFormValue("logout_token"), &claims)
	p.mu.Lock()
	defer p.mu.Unlock()
	_, event := claims.Events["http://schemas.openid.net/event/backchannel-logout"]
	switch {
	case err != nil || claims.Issuer != crashIssuer || claims.SessionID == "" || !event:
		p.wrong = append(p.wrong, fmt.Sprintf("%v %+v", err, claims))
		w.WriteHeader(http.StatusBadRequest)
	case rand.IntN(16) == 0:
		p.failed++
		w.WriteHeader(http.StatusInternalServerError)
	default:
		p.told[claims.SessionID]++
	}
}

// missing are the sessions of which the party was not told.
func (p *party) missing(sids map[string]bool) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for sid, over := range sids {
		if over && p.told[sid] == 0 {
			n++
		}
	}
	return n
}

// auditParty waits until each session's end has been told, at least once: each
// that was acknowledged, and each that was cut short and happened. The server that
// was killed last leaves a lease behind, which must run out first.
func (l *ledger) auditParty() {
	sids := map[string]bool{}
	over := 0
	for _, s := range l.sessions {
		if s.sid != "" {
			if sids[s.sid] = s.over; s.over {
				over++
			}
		}
	}
	p := l.party
	if p == nil {
		return
	}
	for deadline := time.Now().Add(60 * time.Second); p.missing(sids) > 0 && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	if n := p.missing(sids); n > 0 {
		l.broken("of %d sessions that ended, %d were never told of", over, n)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	twice := 0
	for sid, n := range p.told {
		if alive, known := sids[sid]; known && !alive {
			l.broken("the end of a session was told that goes on")
		}
		twice += n - 1
	}
	if len(p.wrong) > 0 {
		l.broken("logout tokens that are none: %q", p.wrong)
	}
	l.t.Logf("%d sessions ended, %d told, %d of the calls more than once, %d refused on purpose", over, len(p.told), twice, p.failed)
}
