package status

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

const (
	firstBlock   = 64
	largestBlock = reserved
	// patience is how long one try to lease a block may take.
	patience = 10 * time.Second
)

// Slots hands out slots, each once. Safe for concurrent use.
type Slots struct {
	store    store.Store
	clients  *client.Directory
	lifetime time.Duration
	ended    func(slot.Slot) bool
	known    func(context.Context, store.Version) error // waits until the lists show a lease
	log      *slog.Logger

	life context.Context // of the goroutines that lease
	stop context.CancelFunc
	work sync.WaitGroup

	reserving   chan struct{} // holds one token: whoever put it there has the reservation
	reservation reservation

	mu      sync.RWMutex
	closed  bool
	holders map[string]*holder
}

// holder is what one client has on this node.
type holder struct {
	mu      sync.Mutex
	current block
	spare   block
	size    uint32    // of the next block
	leasing *leasing  // under way
	rest    time.Time // after a failure, while there are slots left
}

// block are slots that nobody has taken yet.
type block struct {
	next, end slot.Slot
	count     uint32
	until     time.Time
}

func (b block) usable(now time.Time) bool { return b.next < b.end && now.Before(b.until) }

// leasing is one try to lease a block; err is valid once done is closed.
type leasing struct {
	done chan struct{}
	err  error
}

func newSlots(o Options, b *Board) *Slots {
	life, stop := context.WithCancel(context.Background())
	return &Slots{
		store: o.Store, clients: o.Clients, lifetime: o.Lifetime, ended: b.Ended, log: o.Log,
		life: life, stop: stop, reserving: make(chan struct{}, 1), holders: map[string]*holder{},
	}
}

func (s *Slots) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.work.Wait()
}

// Take returns a slot that nobody had before and nobody will have again, on any
// node, and until when tokens may be issued on it. Usually that is a few
// instructions; only the first time, and after an hour of silence, it waits for a
// Commit. It fails with fault.Denied for a client that is disabled or unknown.
func (s *Slots) Take(ctx context.Context, clientID string) (slot.Slot, time.Time, error) {
	for {
		h, err := s.holder(clientID)
		if err != nil {
			return 0, time.Time{}, err
		}
		now := time.Now()
		h.mu.Lock()
		taken, until, ok := h.take(now, s.ended)
		if ok && !h.wants(now) {
			h.mu.Unlock()
			return taken, until, nil
		}
		l := h.leasing
		if l == nil {
			l = s.begin(clientID, h)
		}
		h.mu.Unlock()
		if ok {
			return taken, until, nil
		}
		if l == nil {
			return 0, time.Time{}, fault.New(fault.Unavailable, "the server is stopping")
		}
		select {
		case <-l.done:
			if l.err != nil {
				return 0, time.Time{}, l.err
			}
		case <-ctx.Done():
			return 0, time.Time{}, ctx.Err()
		}
	}
}

// holder finds what the client has here. Only clients that exist get one, so
// that strangers cannot make the map grow.
func (s *Slots) holder(clientID string) (*holder, error) {
	s.mu.RLock()
	h := s.holders[clientID]
	s.mu.RUnlock()
	if h != nil {
		return h, nil
	}
	if _, known := s.clients.Find(clientID); !known {
		return nil, fault.New(fault.Denied, "no client is named %q", clientID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h = s.holders[clientID]; h == nil {
		h = &holder{size: firstBlock}
		s.holders[clientID] = h
	}
	return h, nil
}

// take yields the next slot; h.mu is held. A slot whose bit is set is passed
// over: its block was ended with the client, which was enabled again since.
func (h *holder) take(now time.Time, ended func(slot.Slot) bool) (slot.Slot, time.Time, bool) {
	for {
		if !h.current.usable(now) {
			if !h.spare.usable(now) {
				return 0, time.Time{}, false
			}
			h.current, h.spare = h.spare, block{}
		}
		next := h.current.next
		h.current.next++
		if !ended(next) {
			return next, h.current.until, true
		}
	}
}

// wants reports whether it is time for another block: half of this one is used,
// or its time is about to be over. h.mu is held.
func (h *holder) wants(now time.Time) bool {
	if h.spare.count != 0 && now.Before(h.spare.until.Add(-Term/8)) || now.Before(h.rest) {
		return false
	}
	left := uint32(h.current.end - h.current.next)
	return left <= h.current.count/2 || h.current.until.Sub(now) < Term/8
}

// begin leases a block on a goroutine of its own, so that whoever asked first
// can leave without taking the block from the others who wait. h.mu is held. It
// returns nil once the server stops.
func (s *Slots) begin(clientID string, h *holder) *leasing {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil
	}
	l := &leasing{done: make(chan struct{})}
	h.leasing = l
	size := h.size
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		ctx, cancel := context.WithTimeout(s.life, patience)
		defer cancel()
		b, err := s.lease(ctx, clientID, size)
		if err != nil && errors.Is(err, ctx.Err()) {
			// Its own patience ran out, in several round trips perhaps: whoever waits
			// is to come back, and not to take it for a failure of ours.
			late := fault.Wrap(fault.Unavailable, err, "the store does not answer")
			late.RetryAfter, err = time.Second, late
		}
		h.put(b, err, size)
		if err != nil {
			l.err = err
			if fault.KindOf(err) == fault.Denied {
				s.forget(clientID, h)
			} else {
				s.log.WarnContext(ctx, "leasing slots", slog.String("client", clientID), slog.Any("error", err))
			}
		}
		close(l.done)
	}()
	return l
}

// put takes the block in. The next one is twice as large when this one was
// wanted because slots ran out, not because time did.
func (h *holder) put(b block, err error, size uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leasing = nil
	now := time.Now()
	if err != nil {
		h.rest = now.Add(time.Second)
		return
	}
	half := h.current.end-h.current.next <= slot.Slot(h.current.count/2)
	if h.current.count == 0 || half && now.Before(h.current.until) {
		h.size = min(2*size, largestBlock)
	} else {
		h.size = max(size/2, firstBlock)
	}
	if h.current.usable(now) {
		h.spare = b
	} else {
		h.current = b
	}
}

// forget drops what the client has here: it is disabled or removed.
func (s *Slots) forget(clientID string, h *holder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holders[clientID] == h {
		delete(s.holders, clientID)
	}
}

// drop gives up the blocks of a client that an ending covers, so that nobody
// passes over them slot by slot.
func (s *Slots) drop(clientID string, ended []slot.Range) {
	s.mu.RLock()
	h := s.holders[clientID]
	s.mu.RUnlock()
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range []*block{&h.current, &h.spare} {
		for _, r := range ended {
			if b.next < b.end && r.First <= b.next && b.end <= r.First+slot.Slot(r.Len()) {
				*b = block{}
			}
		}
	}
}
