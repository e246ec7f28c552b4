package pgstore

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/watching"
)

// watchers are the running subscriptions of this node, and how far they have
// been served.
type watchers struct {
	mu     sync.Mutex
	all    map[*watcher]struct{}
	served place  // all events up to this one are queued
	joined uint64 // grows with every new one
	closed bool
}

// place is a point in the history: a version, and when it was committed, by which
// one knows it again. The zero time is unknown.
type place struct {
	version store.Version
	at      time.Time
}

// watcher is one subscription.
type watcher struct {
	*watching.Queue
	prefix string
	after  store.Version // what it is not told of: it was there before
	leave  func() bool   // stops waiting for ctx
}

// add begins a subscription with what is newer than newest, which was read
// during this call to Watch. Where the follower is further already, what it has
// told the others was committed during the call as well, and is no later change.
func (s *watchers) add(ctx context.Context, prefix string, newest place) (*watcher, error) {
	w := &watcher{Queue: watching.New(), prefix: prefix, after: newest.version}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	if len(s.all) == 0 {
		s.served = newest // nobody needs what lies between
	}
	s.joined++
	s.all[w] = struct{}{}
	w.leave = context.AfterFunc(ctx, func() {
		s.mu.Lock()
		delete(s.all, w)
		s.mu.Unlock()
		w.End(ctx.Err())
	})
	return w, nil
}

// want is what the follower has to read next.
type want struct {
	after    place
	from, to [][]byte // the keys that somebody watches, as ranges
	joined   uint64
}

// next returns false when nobody watches.
func (s *watchers) next() (want, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := want{after: s.served, joined: s.joined}
	seen := map[string]struct{}{}
	for w := range s.all {
		if _, again := seen[w.prefix]; again {
			continue
		}
		seen[w.prefix] = struct{}{}
		from, to := span(w.prefix)
		n.from, n.to = append(n.from, from), append(n.to, to)
	}
	return n, len(s.all) > 0
}

// dispatch queues what was read for n, everything up to and including the
// version upTo, and cuts off who cannot take it. It reports false when somebody
// joined meanwhile, for whom too little may have been read.
func (s *watchers) dispatch(n want, events []store.Event, upTo place) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.joined != n.joined || s.served != n.after {
		return false
	}
	s.served = upTo
	for w := range s.all {
		if !w.take(events) {
			s.drop(w, store.ErrGap)
		}
	}
	return true
}

func (w *watcher) take(events []store.Event) bool {
	var held *store.Event // until it is known whether more of its Commit follow
	for i := range events {
		e := &events[i]
		if e.Version <= w.after || !strings.HasPrefix(e.Key, w.prefix) {
			continue
		}
		if held != nil && !w.tell(*held, held.Version == e.Version) {
			return false
		}
		held = e
	}
	return held == nil || w.tell(*held, false)
}

// tell queues e, with a value that no other watcher holds.
func (w *watcher) tell(e store.Event, more bool) bool {
	e.Value, e.More = bytes.Clone(e.Value), more
	return w.Send(e)
}

// gap cuts every watcher off: what it was to be told next is not there any more.
func (s *watchers) gap() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served = place{} // the next watcher begins with what it finds
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
