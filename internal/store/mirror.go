package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// mirrorGrace is how long Wait trusts the Watch before it asks for a reload.
const mirrorGrace = 100 * time.Millisecond

// Mirror is a copy in memory of all records under a prefix, decoded, and kept
// fresh by Watch. Reads cost no round trip and never fail; they are as old as
// the newest event that arrived. It is for what is small and read by every
// request (clients, keys), not for what grows with the number of users.
//
//	Watch ─▶ events ──────────────┐ (kept while List runs, then applied)
//	List  ─▶ a full copy ─────────┴─▶ entries ─▶ Get, All, Len
//	  ▲                                  │
//	  └── a gap, an engine in trouble ◀──┘ the old copy serves meanwhile
//
// A record that decode refuses is logged once and is absent from the copy.
type Mirror[T any] struct {
	store  Store
	prefix string
	decode func(Record) (T, error)
	logger *slog.Logger

	cancel context.CancelFunc
	done   chan struct{} // closed when run has left
	reload chan struct{} // holds one wish of Wait for a fresh List

	mu       sync.RWMutex
	entries  map[string]entry[T]
	order    []item[T]     // All's snapshot; nil when entries changed since
	applied  Version       // every change up to this one is in entries
	started  uint64        // loads begun
	finished uint64        // the number of the last load that completed
	changed  chan struct{} // closed at the next change; nil when nobody asked
	roomy    int           // up to this many entries nobody looks for expired ones
}

// entry is one record as the mirror keeps it. One that is bad could not be
// decoded: it stays for its version, so that it is not logged again.
type entry[T any] struct {
	value   T
	version Version
	expires time.Time
	bad     bool
}

type item[T any] struct {
	key   string
	entry entry[T]
}

func (e entry[T]) live(now time.Time) bool {
	return !e.bad && (e.expires.IsZero() || now.Before(e.expires))
}

// OpenMirror returns once the first full copy is loaded, or with the error that
// prevented it. ctx bounds the opening alone; Close ends the mirror. decode is
// never called twice at once, and may keep the record's value.
func OpenMirror[T any](ctx context.Context, s Store, prefix string, decode func(Record) (T, error), logger *slog.Logger) (*Mirror[T], error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m := &Mirror[T]{
		store: s, prefix: prefix, decode: decode, logger: logger.With("prefix", prefix),
		cancel: cancel, done: make(chan struct{}), reload: make(chan struct{}, 1),
	}
	w, err := m.connect(ctx, life)
	for errors.Is(err, ErrGap) { // more was written than a Watch holds: the next may do
		w, err = m.connect(ctx, life)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("loading a copy of %q: %w", prefix, err)
	}
	go m.run(life, w) // until Close
	return m, nil
}

// Close ends the mirror and waits until it has. The copy can still be read; it
// is not kept fresh any more.
func (m *Mirror[T]) Close() {
	m.cancel()
	<-m.done
}

// Get returns the value under key, the full key with its prefix, unless the
// record is absent, has expired or could not be decoded.
func (m *Mirror[T]) Get(key string) (T, bool) {
	m.mu.RLock()
	e, ok := m.entries[key]
	m.mu.RUnlock()
	if !ok || !e.live(time.Now()) {
		var none T
		return none, false
	}
	return e.value, true
}

// All yields the records that exist as the loop begins, in byte order of their
// keys. The loop holds no lock.
func (m *Mirror[T]) All() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		now := time.Now()
		for _, it := range m.snapshot() {
			if it.entry.live(now) && !yield(it.key, it.entry.value) {
				return
			}
		}
	}
}

// Len returns how many records All would yield.
func (m *Mirror[T]) Len() int {
	n, now := 0, time.Now()
	for _, it := range m.snapshot() {
		if it.entry.live(now) {
			n++
		}
	}
	return n
}

// snapshot sorts once per change, not once per reader.
func (m *Mirror[T]) snapshot() []item[T] {
	m.mu.RLock()
	order := m.order
	m.mu.RUnlock()
	if order != nil {
		return order
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.order == nil {
		m.order = make([]item[T], 0, len(m.entries))
		for key, e := range m.entries {
			m.order = append(m.order, item[T]{key, e})
		}
		slices.SortFunc(m.order, func(a, b item[T]) int { return cmp.Compare(a.key, b.key) })
	}
	return m.order
}

// Changed returns a channel that is closed at the next change of the copy.
// Changes coalesce: take the channel, read the copy, wait, take it anew, and no
// change is missed. It may also close without one (after a reload), it does not
// tell of an expiry, and after Close it closes no more.
func (m *Mirror[T]) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.waiting()
}

// waiting is Changed with m.mu held.
func (m *Mirror[T]) waiting() <-chan struct{} {
	if m.changed == nil {
		m.changed = make(chan struct{})
	}
	return m.changed
}

// notify wakes all who wait; m.mu is held.
func (m *Mirror[T]) notify() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// Wait returns once the copy holds every change up to v, the version of a
// Commit that has returned: so one reads one's own write. Usually the event is
// there already. When it does not come (it was lost in a gap, or the Commit
// did not touch the prefix, so that there is none) Wait has the copy loaded
// afresh, which costs a List and always suffices. Name therefore versions of
// Commits that touched the prefix.
func (m *Mirror[T]) Wait(ctx context.Context, v Version) error {
	grace := time.NewTimer(mirrorGrace)
	defer grace.Stop()
	var enough uint64 // the first load that began after Wait did; 0: none yet
	for {
		m.mu.Lock()
		reached := m.applied >= v || enough != 0 && m.finished >= enough
		changed := m.waiting()
		m.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-changed:
		case <-grace.C:
			enough = m.askReload()
		case <-ctx.Done():
			return ctx.Err()
		case <-m.done:
			return ErrClosed
		}
	}
}

// askReload returns the number of the load that it asks for.
func (m *Mirror[T]) askReload() uint64 {
	m.mu.RLock()
	next := m.started + 1
	m.mu.RUnlock()
	select {
	case m.reload <- struct{}{}:
	default: // somebody else has asked, and the load has not begun
	}
	return next
}
