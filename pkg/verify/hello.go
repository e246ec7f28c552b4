package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hello takes in the first message of a connection. It either goes on where we
// left off, or begins a new span, for which every list is to be fetched.
func (c *conversation) hello(ctx context.Context, e event) error {
	m, err := c.open(ctx, e)
	if err != nil {
		return err
	}
	// Any other message of the issuer, played to us as its hello, would make a
	// gap look closed.
	if e.kind != "hello" || m.Chain != "" || m.Next == "" {
		return errors.New("the stream does not begin with a hello")
	}
	s := c.endings.span.Load()
	if c.asked && s != nil && !m.Refetch {
		if err := resumes(m, *c.resume); err != nil {
			return err
		}
		c.endings.apply(s, m)
	} else {
		s = c.endings.begins(m)
	}
	c.span, c.chain = s, m.Next
	*c.resume = e.id
	c.endings.connected.Add(1)
	c.endings.turn(true)
	c.actOn(m)
	return nil
}

// resumes judges whether a hello goes on after the message called asked. One
// that was made for another listener would leave out what came in between.
func resumes(m message, asked string) error {
	text, _, _ := strings.Cut(asked, "-")
	position, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("reading the position asked for: %w", err)
	}
	if m.Position < position || m.From != nil && *m.From != position {
		return fmt.Errorf("it was to go on after position %d, and does not", position)
	}
	return nil
}

// begins starts a span at m. What was held before stays confirmed by the former
// span, which is never heard again, until each list is whole in this one.
func (e *endings) begins(m message) *span {
	s := &span{from: m.Position}
	s.to.Store(m.Position)
	now := e.moment(time.Now())
	s.heard.Store(heardAt(now, m.IssuedAt))
	e.refetched.Add(1)
	e.mu.Lock()
	e.span.Store(s)
	if m.Position < e.position {
		e.position = 0 // a journal that goes back was restored, and counts anew
	}
	e.synced, e.aggregated, e.aggregateNext = false, moment{}, 0
	for _, l := range e.lists {
		// The span tells everything after its own beginning, also if that lies
		// before what was told until now.
		l.since, l.next, l.lagging = 0, 0, 0
	}
	e.mu.Unlock()
	e.apply(s, m)
	return s
}

// believe returns the messages of events, as far as they are genuine and follow
// one another. Whoever is behind finds many at once: then the newest alone has
// its signature checked, and vouches for the others by the digests in the chain.
func (c *conversation) believe(ctx context.Context, events []event) ([]message, error) {
	if len(events) > 1 {
		if messages, err := c.backwards(ctx, events); err == nil {
			return messages, nil
		}
	}
	var messages []message
	chain, position := c.chain, c.span.to.Load()
	for _, e := range events {
		m, err := c.open(ctx, e)
		if err == nil {
			err = m.continues(chain, position)
		}
		if err != nil {
			return messages, err
		}
		messages = append(messages, m)
		chain, position = chained(e.text), m.Position
	}
	return messages, nil
}

// continues judges whether m follows the message that chain is the digest of.
func (m *message) continues(chain string, position uint64) error {
	if m.Chain != chain {
		return errors.New("it does not follow the message before it")
	}
	if m.Position < position {
		return fmt.Errorf("it goes back, to position %d", m.Position)
	}
	return nil
}

func (c *conversation) backwards(ctx context.Context, events []event) ([]message, error) {
	newest := len(events) - 1
	m, err := c.open(ctx, events[newest])
	if err != nil {
		return nil, err
	}
	messages := make([]message, 0, len(events))
	messages = append(messages, m)
	for i := newest - 1; i >= 0; i-- {
		later := &messages[len(messages)-1]
		if later.Chain != chained(events[i].text) {
			return nil, errors.New("the chain is broken")
		}
		cut, refusal := cut(events[i].text)
		if refusal != nil {
			return nil, refusal
		}
		if m, err = c.read(events[i], cut.payload); err != nil {
			return nil, err
		}
		if later.Position < m.Position {
			return nil, errors.New("the positions go back")
		}
		messages = append(messages, m)
	}
	slices.Reverse(messages)
	return messages, messages[0].continues(c.chain, c.span.to.Load())
}

// open checks an event's signature and reads it.
func (c *conversation) open(ctx context.Context, e event) (message, error) {
	payload, _, err := c.endings.open(ctx, e.text, eventType)
	if err != nil {
		return message{}, err
	}
	return c.read(e, payload)
}

func (c *conversation) read(e event, payload []byte) (message, error) {
	return parseMessage(e, payload, c.endings.issuer, c.endings.prefix)
}
