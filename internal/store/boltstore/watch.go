package boltstore

import (
	"bytes"
	"context"
	"sync"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/watching"
)

// watchers are the running subscriptions. The writer hands each durable
// transaction to dispatch, in version order.
type watchers struct {
	mu     sync.Mutex
	all    map[*watcher]struct{}
	closed bool
}

// watcher is one subscription.
type watcher struct {
	*watching.Queue
	prefix string
	leave  func() bool // stops waiting for ctx
}

func (s *watchers) add(ctx context.Context, prefix string) (*watcher, error) {
	w := &watcher{Queue: watching.New(), prefix: prefix}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	s.all[w] = struct{}{}
	w.leave = context.AfterFunc(ctx, func() {
		s.mu.Lock()
		delete(s.all, w)
		s.mu.Unlock()
		w.End(ctx.Err())
	})
	return w, nil
}

// watched reports whether anybody listens, so that the writer need not build
// events for nobody.
func (s *watchers) watched() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all) > 0
}

// dispatch queues the changes of one durable transaction, and cuts off who
// cannot take them.
func (s *watchers) dispatch(batch []*request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.all {
		if !w.take(batch) {
			s.drop(w, store.ErrGap)
		}
	}
}

func (w *watcher) take(batch []*request) bool {
	for _, r := range batch {
		if r.Err != nil {
			continue
		}
		var held *change // until it is known whether another one follows
		for i := range r.Work {
			c := &r.Work[i]
			if c.keep || len(c.key) < len(w.prefix) || string(c.key[:len(w.prefix)]) != w.prefix {
				continue
			}
			if held != nil && !w.Send(held.event(r.Version, true)) {
				return false
			}
			held = c
		}
		if held != nil && !w.Send(held.event(r.Version, false)) {
			return false
		}
	}
	return true
}

// event describes c to one watcher, with a copy of the value that nobody else
// holds.
func (c *change) event(v store.Version, more bool) store.Event {
	if c.raw == nil {
		return store.Event{Key: string(c.key), Version: v, Deleted: true, More: more}
	}
	return store.Event{Key: string(c.key), Value: bytes.Clone(valueOf(c.raw)), Version: v, Expires: toTime(expiresOf(c.raw)), More: more}
}

// gap cuts every watcher off: the writer no longer knows what was committed.
func (s *watchers) gap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.all {
		s.drop(w, store.ErrGap)
	}
}

func (s *watchers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for w := range s.all {
		s.drop(w, store.ErrClosed)
	}
}

// drop ends w; s.mu is held.
func (s *watchers) drop(w *watcher, err error) {
	delete(s.all, w)
	w.leave()
	w.End(err)
}
