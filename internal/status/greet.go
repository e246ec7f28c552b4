package status

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// helloAge is how long a hello serves others who ask the same.
	helloAge = 2 * time.Second
	// helloKinds bounds how many are kept.
	helloKinds = 1024
)

// question is what decides what a hello says, while no message comes.
type question struct {
	kind string // none, lost or since
	from id     // since it
}

const (
	asksNothing = "none"  // no id was given
	asksLost    = "lost"  // one that can't be continued
	asksSince   = "since" // one that can
)

// greetings keeps the hellos for the current last message: when a thousand
// listeners come back at once, they cost one signature.
type greetings struct {
	mu     sync.Mutex // of whoever signs
	number uint64     // of the message after which they are
	kept   map[question]greeting
}

type greeting struct {
	frame []byte
	made  time.Time
}

// greet makes l's hello, after which the message behind l.at is the next.
func (h *Hub) greet(ctx context.Context, l *Listener, lastEventID string) error {
	g := &h.greetings
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	q, m, last := h.hello(lastEventID, now)
	if g.number != last.number || len(g.kept) >= helloKinds || g.kept == nil {
		g.number, g.kept = last.number, map[question]greeting{}
	}
	l.at = last
	if kept, ok := g.kept[q]; ok && now.Sub(kept.made) < helloAge {
		l.hello = kept.frame
		return nil
	}
	if q.kind == asksSince {
		m.opened = h.board.bornAfter(q.from.position)
	}
	jws, err := h.board.sign(ctx, TypeEvent, m.claims(h.board))
	if err != nil {
		return fmt.Errorf("signing a hello: %w", err)
	}
	h.count.Message(eventHello)
	l.hello = m.frame(eventHello, jws)
	g.kept[q] = greeting{l.hello, now}
	return nil
}

// hello says where the stream is, and what was missed since the id.
func (h *Hub) hello(lastEventID string, now time.Time) (question, *statement, *message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := &statement{at: h.board.pulse.moment(now), position: h.told, next: h.last.digest}
	from, ok := parseID(lastEventID)
	if ok {
		head := h.told
		if from.position > head { // another node told it first; here it is about to be
			head = h.known
		}
		var missed []told
		if missed, ok = h.past.missed(from, head, now, h.keep); ok {
			m.position, m.endings, m.from = head, missed, &from
			return question{asksSince, from}, m, h.last
		}
	}
	m.refetch = true
	if lastEventID == "" {
		return question{kind: asksNothing}, m, h.last
	}
	m.keys = true // whoever was away may have missed that as well
	return question{kind: asksLost}, m, h.last
}
