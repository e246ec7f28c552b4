package status

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/store"
)

const (
	// Beat is how often the stream says that nothing has ended.
	Beat = 15 * time.Second
	// window is how long endings wait for one another, unless it was quiet.
	window = 25 * time.Millisecond
	// lag is how many messages a listener may be behind.
	lag = 512
	// signAgain is when a message that could not be signed is tried again.
	signAgain = 250 * time.Millisecond
)

// Hub makes the messages of the stream, each once, and lets every listener read
// them. They are a chain in memory: who listens holds a place in it and nothing
// else, so one who is slow keeps nobody waiting, and what all have read is gone.
//
//	tell, open ──▶ pending ──25 ms at most──▶ sign ──▶ message ─next▶ message ─next▶ …
//	                                                      ▲               ▲
//	                                                   a listener      most listeners
type Hub struct {
	board  *Board
	quoted []byte
	keep   time.Duration
	limits limits
	count  Count
	log    *slog.Logger

	wake   chan struct{} // holds one wish of somebody that run looks again
	newest atomic.Uint64 // the number of the last message

	mu        sync.Mutex
	begun     bool
	over      bool
	known     store.Version // all endings up to it were handed to tell
	told      store.Version // and up to it they are in messages
	pending   []told        // those in between
	opened    []uint64
	past      history
	last      *message
	quiet     time.Time // since then nothing was said to anybody
	listeners int
	addresses map[netip.Addr]int
	detached  map[*Listener]struct{}
	leaving   sync.WaitGroup // those goroutines

	greetings greetings
}

// message is one link of the chain. frame, number and digest never change; next
// is written before ready is closed, and is valid afterwards.
type message struct {
	frame  []byte // none: the stream is over
	number uint64
	digest string // what the next message says of this one
	ready  chan struct{}
	next   *message
}

func newMessage(frame []byte, number uint64, digest string) *message {
	return &message{frame: frame, number: number, digest: digest, ready: make(chan struct{})}
}

func newHub(o Options, issuer []byte, b *Board) *Hub {
	return &Hub{
		board: b, quoted: issuer, keep: o.Keep, count: o.Count, log: o.Log,
		limits: limits{perAddress: o.ListenersPerAddress, all: o.Listeners},
		wake:   make(chan struct{}, 1), known: b.Head(),
		// Before the first message there is none: any digest will do, as long as
		// nobody can know it.
		last: newMessage(nil, 0, chained(rand.Text())), addresses: map[netip.Addr]int{}, detached: map[*Listener]struct{}{},
	}
}

// begin ends the time in which all that comes was there before.
func (h *Hub) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun, h.told = true, h.known
}

// tell takes endings in; they are messages soon.
func (h *Hub) tell(endings []ended.Ending) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range endings {
		t := toldOf(&endings[i])
		if t.position <= h.known {
			continue
		}
		h.known = t.position
		h.past.add(t)
		if h.begun {
			h.pending = append(h.pending, t)
		}
	}
	h.rouse()
}

// open takes in that lists begin to exist.
func (h *Hub) open(numbers []uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.begun {
		h.opened = append(h.opened, numbers...)
		h.rouse()
	}
}

func (h *Hub) rouse() {
	select {
	case h.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run makes messages until ctx ends or stopping closes.
func (h *Hub) run(ctx context.Context, stopping <-chan struct{}) error {
	defer h.end()
	timer := time.NewTimer(Beat)
	defer timer.Stop()
	var said time.Time // the time of the last message with news
	for {
		now := time.Now()
		event, due := h.due(said, now)
		if event != "" && !due.After(now) {
			if err := h.say(ctx, event); err != nil {
				h.log.ErrorContext(ctx, "the stream can't say what has ended; trying again", slog.Any("error", err))
				said = now.Add(signAgain - window)
			} else if event == eventEnded {
				said = now
			}
			continue
		}
		timer.Stop()
		if event != "" { // without anybody who listens, or anything to go by, there is no beat, and no timer
			timer.Reset(due.Sub(now))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-stopping:
			return nil
		case <-h.wake:
		case <-timer.C:
		}
	}
}

// due says what is to be said next, and when; "" is nothing.
func (h *Hub) due(said, now time.Time) (event string, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case len(h.pending) > 0 || len(h.opened) > 0:
		return eventEnded, said.Add(window)
	case h.listeners > 0 && h.board.pulse.sound(now):
		return eventBeat, later(h.quiet.Add(Beat), said.Add(window))
	}
	return "", now
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// say signs one message and adds it to the chain. What it could not say stays
// pending.
func (h *Hub) say(ctx context.Context, event string) error {
	m, endings, opened := h.gather()
	jws, err := h.board.sign(ctx, TypeEvent, m.claims(h.board))
	if err != nil {
		return fmt.Errorf("signing a message of the stream: %w", err)
	}
	h.count.Message(event)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending, h.opened = h.pending[endings:], h.opened[opened:]
	if len(h.pending) == 0 {
		h.pending = nil
	}
	h.told, h.quiet = m.position, m.at
	h.link(newMessage(m.frame(event, jws), h.last.number+1, chained(jws)))
	return nil
}

// gather takes as much of what is pending as one message may say, one ending at
// least.
func (h *Hub) gather() (m *statement, endings, opened int) {
	h.mu.Lock()
	m = &statement{at: time.Now(), position: h.told, chain: h.last.digest}
	weight := 0
	for _, t := range h.pending {
		if weight += t.weight(); endings > 0 && weight > most {
			break
		}
		endings++
		m.position = t.position
	}
	m.endings = h.pending[:endings:endings]
	fresh, before := h.opened[:len(h.opened):len(h.opened)], h.told
	h.mu.Unlock()
	// A bit that was told before can't be in an empty list: whoever needs that list
	// fetches it. (The lease and an ending come from two watches of the store, so
	// one may overtake the other.)
	m.opened = h.board.empty(fresh, before)
	return m, endings, len(fresh)
}

// link adds m to the chain and wakes all who wait for it; h.mu is held.
func (h *Hub) link(m *message) {
	h.last.next = m
	h.newest.Store(m.number)
	ready := h.last.ready
	h.last = m
	close(ready)
}

// end lets every listener go, and waits until those that have their own goroutine
// are gone: who is in the middle of a slow write is cut off after a moment.
func (h *Hub) end() {
	h.mu.Lock()
	if h.over {
		h.mu.Unlock()
		h.leaving.Wait()
		return
	}
	h.over = true
	h.link(newMessage(nil, h.last.number+1, ""))
	h.mu.Unlock()
	cut := time.AfterFunc(time.Second, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for l := range h.detached {
			_ = l.wire.Close() // it is over either way
		}
	})
	defer cut.Stop()
	h.leaving.Wait()
}
