package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Tail follows the records under a prefix to which they are only ever added, one
// at most per Commit: a journal. Each is handed over exactly once, in the order
// of the versions.
//
//	Watch ─▶ events ──────────────┐ (kept while List runs)
//	List, twice ─▶ what was there ┴─▶ sorted, without what is known ─▶ take
//	  ▲                                                                 │
//	  └── a gap, an engine in trouble ◀─────────────────────────────────┘
//
// What expires is not reported; a record that expires while nobody could follow
// is never handed over.
type Tail struct {
	store  Store
	prefix string
	take   func([]Record)
	logger *slog.Logger

	cancel context.CancelFunc
	done   chan struct{}
	reload chan struct{} // holds one wish of Wait to read what there is

	mu       sync.Mutex
	head     Version
	started  uint64 // readings begun
	finished uint64 // the number of the last reading that completed
	changed  chan struct{}
}

// OpenTail returns once take has had all that is there, or with the error that
// prevented it. ctx bounds the opening alone; Close ends the tail. take is never
// called twice at once, gets at least one record, and may keep what it gets.
func OpenTail(ctx context.Context, s Store, prefix string, take func([]Record), logger *slog.Logger) (*Tail, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	t := &Tail{
		store: s, prefix: prefix, take: take, logger: logger.With("prefix", prefix), cancel: cancel,
		done: make(chan struct{}), reload: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	w, err := t.connect(ctx, life)
	for errors.Is(err, ErrGap) { // more was written than a Watch holds: the next may do
		w, err = t.connect(ctx, life)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("reading the journal %q: %w", prefix, err)
	}
	go func() { // until Close
		defer close(t.done)
		keepUp(life, w, t.logger, t.follow, func() (subscription, error) { return t.connect(life, life) })
	}()
	return t, nil
}

// Close ends the tail and waits until it has.
func (t *Tail) Close() {
	t.cancel()
	<-t.done
}

// Head is the version of the last record that take has had: all up to it have
// been handed over.
func (t *Tail) Head() Version {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head
}

// Wait returns once take has had every record up to v, the version of a Commit
// that has returned. When the event does not come, what is there is read, which
// always suffices.
func (t *Tail) Wait(ctx context.Context, v Version) error {
	grace := time.NewTimer(mirrorGrace)
	defer grace.Stop()
	var enough uint64 // the first reading that began after Wait did; 0: none yet
	for {
		t.mu.Lock()
		reached := t.head >= v || enough != 0 && t.finished >= enough
		changed, next := t.changed, t.started+1
		t.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-changed:
		case <-grace.C:
			enough = next
			select {
			case t.reload <- struct{}{}:
			default: // somebody else has asked, and the reading has not begun
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-t.done:
			return ErrClosed
		}
	}
}

// connect subscribes for as long as life lasts, then reads within ctx: in this
// order nothing falls between the two.
func (t *Tail) connect(ctx, life context.Context) (subscription, error) {
	inner, end := context.WithCancel(life)
	w, err := t.store.Watch(inner, t.prefix)
	if err == nil {
		err = t.read(ctx, w)
	}
	if err != nil {
		end()
		return subscription{}, err
	}
	return subscription{Watch: w, end: end}, nil
}

func (t *Tail) follow(life context.Context, w Watch) error {
	for {
		select {
		case e, ok := <-w.Events():
			if !ok {
				return w.Err()
			}
			t.deliver(added(nil, e))
		case <-t.reload:
			if err := t.read(life, w); err != nil {
				return err
			}
		}
	}
}

// read hands over what there is and was not handed over yet, together with the
// events that arrive meanwhile.
func (t *Tail) read(ctx context.Context, w Watch) error {
	t.mu.Lock()
	t.started++
	number := t.started
	t.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type listed struct {
		records []Record
		err     error
	}
	lists := make(chan listed, 1) // so that the goroutine ends even if nobody reads
	go func() {
		records, err := t.list(ctx)
		lists <- listed{records, err}
	}()
	var late []Record
	for {
		select {
		case e, ok := <-w.Events():
			if !ok {
				return w.Err()
			}
			late = added(late, e)
		case l := <-lists:
			if l.err != nil {
				return l.err
			}
			t.deliver(append(l.records, late...))
			t.mu.Lock()
			t.finished = number
			t.notify()
			t.mu.Unlock()
			return nil
		}
	}
}

// list reads all records up to the newest that it met at first. A List of many
// pages is no view of one moment: a record may be missing from an early page and
// a younger one be on a late page. The second reading began when all up to the
// newest of the first were there, so up to that one it is complete.
func (t *Tail) list(ctx context.Context) ([]Record, error) {
	var newest Version
	if err := t.each(ctx, func(r Record) { newest = max(newest, r.Version) }); err != nil {
		return nil, err
	}
	var records []Record
	err := t.each(ctx, func(r Record) {
		if r.Version <= newest {
			records = append(records, r)
		}
	})
	return records, err
}

func (t *Tail) each(ctx context.Context, visit func(Record)) error {
	for after := ""; ; {
		records, err := t.store.List(ctx, t.prefix, after, MaxList)
		if err != nil {
			return err
		}
		for _, r := range records {
			visit(r)
			after = r.Key
		}
		if len(records) < MaxList {
			return nil
		}
	}
}

// deliver hands over what is new of records, in order.
func (t *Tail) deliver(records []Record) {
	t.mu.Lock()
	head := t.head
	t.mu.Unlock()
	records = slices.DeleteFunc(records, func(r Record) bool { return r.Version <= head })
	if len(records) == 0 {
		return
	}
	slices.SortFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Key, b.Key))
	})
	records = slices.CompactFunc(records, func(a, b Record) bool { return a.Key == b.Key && a.Version == b.Version })
	t.take(records)
	t.mu.Lock()
	t.head = records[len(records)-1].Version
	t.notify()
	t.mu.Unlock()
}

// notify wakes all who wait; t.mu is held.
func (t *Tail) notify() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// added appends the record that e is about, unless it was removed.
func added(to []Record, e Event) []Record {
	if e.Deleted {
		return to
	}
	return append(to, Record{Key: e.Key, Value: e.Value, Version: e.Version, Expires: e.Expires})
}
