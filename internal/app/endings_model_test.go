package app_test

import (
	"slices"

	"github.com/signet-id/signet/internal/outbox"
	"github.com/signet-id/signet/internal/slot"
)

// The model of what must be alive, for the random walk. It knows nothing of
// records, epochs and fences: only who was given what, and what was ended.

type person struct {
	login, subject string
	disabled       bool
	roles          []string
	consented      bool // to the third party
}

type sitting struct { // a session
	who     *person
	sid     string
	over    bool
	clients []string
}

type permit struct { // a grant
	who      *person
	in       *sitting
	clientID string
	offline  bool
	speaks   bool // its tokens tell of roles
	over     bool
	code     string
	refresh  []string // every generation, the newest last; none: it can't be continued
	slots    []slot.Slot
}

type issued struct { // an access token
	access, kid string
	at          slot.Slot
	of          *permit // nil: the machine's own
	clientID    string
}

// model is the world as it should be.
type model struct {
	people   []*person
	sittings []*sitting
	permits  []*permit
	tokens   []*issued
	disabled map[string]bool // clients
	covered  map[slot.Slot]bool
	badKeys  map[string]bool
	endings  int // records in the journal
	calls    []outbox.Call
}

// alive is what introspection must say.
func (m *model) alive(i *issued) bool { return !m.covered[i.at] && !m.badKeys[i.kid] }

// cover ends what carries the slots.
func (m *model) cover(slots ...slot.Slot) {
	for _, s := range slots {
		m.covered[s] = true
	}
}

func (m *model) endPermit(p *permit) {
	p.over = true
	m.cover(p.slots...)
}

// tell notes who hears of the end of a sitting by itself.
func (m *model) tell(s *sitting) {
	for _, id := range s.clients {
		if id == "orders" || id == "third" {
			m.calls = append(m.calls, outbox.Call{ClientID: id, Subject: s.who.subject, SessionID: s.sid})
		}
	}
}

// endSitting is a sign-out, whoever asked for it.
func (m *model) endSitting(s *sitting) {
	if s.over {
		return
	}
	s.over = true
	m.endings++
	m.tell(s)
	for _, p := range m.permits {
		if p.in == s && !p.over && !p.offline {
			m.endPermit(p)
		}
	}
}

// endOne is a revocation, a replay or a theft.
func (m *model) endOne(p *permit) {
	if !p.over {
		m.endings++
		m.endPermit(p)
	}
}

// endConsent is a withdrawal from the third party.
func (m *model) endConsent(who *person) {
	had := who.consented
	who.consented = false
	for _, p := range m.permits {
		if p.who == who && p.clientID == "third" && !p.over {
			had = true
			m.endPermit(p)
		}
	}
	if had {
		m.endings++
	}
}

// endPerson ends everything of who; a client that does not insist on the sid is
// told once.
func (m *model) endPerson(who *person) {
	m.endings++
	told := false
	for _, s := range m.sittings {
		if s.who != who || s.over {
			continue
		}
		s.over = true
		told = told || slices.Contains(s.clients, "orders")
		if slices.Contains(s.clients, "third") {
			m.calls = append(m.calls, outbox.Call{ClientID: "third", Subject: who.subject, SessionID: s.sid})
		}
	}
	if told {
		m.calls = append(m.calls, outbox.Call{ClientID: "orders", Subject: who.subject})
	}
	for _, p := range m.permits {
		if p.who == who && !p.over {
			m.endPermit(p)
		}
	}
}

// endRoles is the loss of a role: the tokens that speak of it end.
func (m *model) endRoles(who *person) {
	m.endings++
	for _, p := range m.permits {
		if p.who == who && !p.over && p.speaks {
			m.cover(p.slots...)
		}
	}
}

// endClient ends every token of a client; its grants wait.
func (m *model) endClient(id string) {
	m.endings++
	for _, i := range m.tokens {
		if i.clientID == id {
			m.cover(i.at)
		}
	}
}

// endToken revokes a token with itself.
func (m *model) endToken(i *issued) {
	switch {
	case m.badKeys[i.kid] || m.covered[i.at]:
		// Nobody can tell whose it was, or it is over already.
	case i.of != nil:
		m.endOne(i.of)
	default:
		m.endings++
		m.cover(i.at)
	}
}

// works reports whether a refresh of p yields tokens.
func (m *model) works(p *permit) bool {
	return !p.over && len(p.refresh) > 0 && !m.disabled[p.clientID]
}
