// Package status owns the slots that access tokens carry, and tells the world
// which of them have ended: by signed lists, and by a stream of signed messages
// (IETF Token Status List; docs/ending.md has our stream).
//
//	token endpoint ──Slots.Take──▶ a slot of a leased block: no write, no wait
//	                     │ a block, now and then
//	                     ▼
//	                  the store ──leases──▶ which lists exist ──┐
//	                     │                                      ├──▶ Board.List   GET /status/{n}
//	                     └──the journal──▶ Board (bits) ────────┘
//	                                         │
//	                                         └──▶ Hub: each message signed once ──▶ every listener
//
// It never ends anything (package ended does, by a record of the journal), and
// never knows who holds a slot beyond the client for which it was leased. It never
// speaks of a moment at which it could not have heard of an ending (pulse.go).
package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/store"
)

// The media types that say what a JWT of ours is.
const (
	TypeList  = "statuslist+jwt" // Token Status List §5.1
	TypeEvent = "status-event+jwt"
)

// Options are what Open needs to know.
type Options struct {
	Store   store.Store
	Clients *client.Directory
	// Sign makes a compact JWS of the claims, with the key of access tokens.
	Sign   func(ctx context.Context, typ string, claims []byte) (string, error)
	Issuer string
	// Lifetime is the longest that an access token lives.
	Lifetime time.Duration
	// Keep is how long the journal keeps an ending at least; a listener that was
	// away for longer must fetch the lists.
	Keep time.Duration
	// Ask asks the engine for a sign of life; nil where it can't be cut off, being in
	// this process.
	Ask func(context.Context) error
	// TTL is how long a list may be cached; 0 means a minute.
	TTL time.Duration
	// At most so many listeners per address (IPv6: per /64), 0 means 1000, and in
	// all, 0 means 20000.
	ListenersPerAddress int
	Listeners           int

	Count Count
	Log   *slog.Logger
}

// Count is told what happens; each function may be nil.
type Count struct {
	Listeners func(now int)
	Message   func(event string)  // hello, ended or beat was signed
	Left      func(reason string) // a listener: gone, slow or stopped
	List      func()              // a list was signed
}

func (c Count) complete() Count {
	if c.Listeners == nil {
		c.Listeners = func(int) {}
	}
	if c.Message == nil {
		c.Message = func(string) {}
	}
	if c.Left == nil {
		c.Left = func(string) {}
	}
	if c.List == nil {
		c.List = func() {}
	}
	return c
}

func (o Options) complete() (Options, error) {
	if o.Lifetime <= 0 || o.Keep <= 0 {
		return o, errors.New("status: Lifetime and Keep are required")
	}
	if o.TTL <= 0 {
		o.TTL = time.Minute
	}
	if o.ListenersPerAddress <= 0 {
		o.ListenersPerAddress = 1000
	}
	if o.Listeners <= 0 {
		o.Listeners = 20000
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Count = o.Count.complete()
	return o, nil
}

// Status is all of it, over one store. Make it with Open; it must be closed.
type Status struct {
	Slots *Slots
	Board *Board
	Hub   *Hub

	pulse           *pulse
	journal, leases *store.Tail
}

// Open reads which slots are leased and which have ended, and follows both until
// Close. ctx bounds the opening alone.
func Open(ctx context.Context, o Options) (_ *Status, err error) {
	if o, err = o.complete(); err != nil {
		return nil, err
	}
	issuer, err := json.Marshal(o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("writing the issuer: %w", err)
	}
	// All endings before this are known once the journal has been read. Without it
	// a journal that ran empty would begin at position 0 again.
	recs, err := o.Store.Get(ctx, nextKey)
	if err != nil {
		return nil, fmt.Errorf("reading which slots are taken: %w", err)
	}
	alive := newPulse(o.Ask, o.Log)
	s := &Status{Board: newBoard(o, issuer, recs[0].Version, alive), pulse: alive}
	s.Slots = newSlots(o, s.Board)
	s.Hub = newHub(o, issuer, s.Board)
	s.Board.slots, s.Board.hub = s.Slots, s.Hub
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	// The journal first: when a list appears, all its bits are known.
	if s.journal, err = ended.Follow(ctx, o.Store, s.Board.apply, o.Log); err != nil {
		return nil, fmt.Errorf("reading what has ended: %w", err)
	}
	if s.leases, err = store.OpenTail(ctx, o.Store, leasePrefix, s.Board.leased, o.Log); err != nil {
		return nil, fmt.Errorf("reading which slots are leased: %w", err)
	}
	s.Slots.known = s.leases.Wait
	s.Hub.begin()
	return s, nil
}

// Run makes the messages of the stream until ctx ends or stopping closes, then
// ends all listeners. stopping may be nil. It can be called once.
func (s *Status) Run(ctx context.Context, stopping <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		s.pulse.run(ctx, stopping, s.Hub.rouse)
	}()
	defer func() { cancel(); <-asked }()
	return s.Hub.run(ctx, stopping)
}

// Wait returns once this node knows all that ended up to position, the version of
// a Commit that has returned: Board.Ended says so, and the lists do.
func (s *Status) Wait(ctx context.Context, position store.Version) error {
	return s.journal.Wait(ctx, position)
}

// Close ends what follows the store and every listener. Run must have returned,
// if it was called.
func (s *Status) Close() {
	s.Hub.end()
	s.Slots.close()
	if s.journal != nil {
		s.journal.Close()
	}
	if s.leases != nil {
		s.leases.Close()
	}
}
