package store

import (
	"context"
	"time"
)

// mirrorPage is how many records one List of a load reads.
const mirrorPage = 500

// run keeps the copy fresh until life ends or the store closes.
func (m *Mirror[T]) run(life context.Context, w subscription) {
	defer close(m.done)
	keepUp(life, w, m.logger, m.follow, func() (subscription, error) { return m.connect(life, life) })
}

// connect subscribes for as long as life lasts, then loads within ctx: in this
// order no change falls between the two.
func (m *Mirror[T]) connect(ctx, life context.Context) (subscription, error) {
	inner, end := context.WithCancel(life)
	w, err := m.store.Watch(inner, m.prefix)
	if err == nil {
		err = m.load(ctx, w)
	}
	if err != nil {
		end()
		return subscription{}, err
	}
	return subscription{Watch: w, end: end}, nil
}

// follow applies events until the Watch ends, and reloads when Wait asks.
func (m *Mirror[T]) follow(life context.Context, w Watch) error {
	for {
		select {
		case e, ok := <-w.Events():
			if !ok {
				return w.Err()
			}
			reached := e.Version
			if e.More {
				reached = 0 // the copy holds a part of the Commit, and nobody may take it for the whole
			}
			m.apply(m.interpret(e), reached)
		case <-m.reload:
			if err := m.load(life, w); err != nil {
				return err
			}
		}
	}
}

// step is one change, decoded.
type step[T any] struct {
	key     string
	deleted bool
	entry   entry[T]
}

func (m *Mirror[T]) interpret(e Event) step[T] {
	if e.Deleted {
		return step[T]{key: e.Key, deleted: true, entry: entry[T]{version: e.Version}}
	}
	return step[T]{key: e.Key, entry: m.entryOf(Record{Key: e.Key, Value: e.Value, Version: e.Version, Expires: e.Expires})}
}

// entryOf decodes r, unless this very version is in the copy already.
func (m *Mirror[T]) entryOf(r Record) entry[T] {
	m.mu.RLock()
	known, ok := m.entries[r.Key]
	m.mu.RUnlock()
	if ok && known.version == r.Version {
		return known
	}
	value, err := m.decode(r)
	if err != nil {
		m.logger.Error("a record cannot be read and is left out", "key", r.Key, "version", uint64(r.Version), "error", err)
		return entry[T]{version: r.Version, expires: r.Expires, bad: true}
	}
	return entry[T]{value: value, version: r.Version, expires: r.Expires}
}

// change carries out s, unless entries has it or something newer.
func (s step[T]) change(entries map[string]entry[T]) {
	if known, ok := entries[s.key]; ok && known.version >= s.entry.version {
		return
	}
	if s.deleted {
		delete(entries, s.key)
		return
	}
	entries[s.key] = s.entry
}

// apply changes the copy, of which every change up to reached is then there.
func (m *Mirror[T]) apply(s step[T], reached Version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		return // the first load is under way and keeps the step itself
	}
	s.change(m.entries)
	m.order = nil
	m.applied = max(m.applied, reached)
	m.forgetExpired()
	m.notify()
}

// forgetExpired bounds the copy: expiry is not an event, so what has expired is
// thrown out whenever the copy has doubled. m.mu is held.
func (m *Mirror[T]) forgetExpired() {
	if len(m.entries) <= m.roomy {
		return
	}
	now := time.Now()
	for key, e := range m.entries {
		if !e.expires.IsZero() && !now.Before(e.expires) {
			delete(m.entries, key)
		}
	}
	m.roomy = 2*len(m.entries) + mirrorPage
}

// load replaces the copy by a full List. Events that arrive meanwhile go into
// the old copy at once and into the new one at its end, the last one per key.
func (m *Mirror[T]) load(ctx context.Context, w Watch) error {
	m.mu.Lock()
	m.started++
	number := m.started
	m.mu.Unlock()

	ctx, cancel := context.WithCancel(ctx)
	pages := m.pages(ctx)
	defer func() {
		cancel()
		for range pages { // until its goroutine has left
		}
	}()
	fresh, late := map[string]entry[T]{}, map[string]step[T]{}
	var reached Version // what the first page has seen, all later ones have seen too
	for first := true; ; first = false {
		page, err := m.nextPage(pages, w, late)
		if err == nil {
			err = ctx.Err() // the pages may have ended because of it
		}
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			fresh[r.Key] = m.entryOf(r)
			if first {
				reached = max(reached, r.Version)
			}
		}
	}
	for _, s := range late {
		s.change(fresh)
		reached = max(reached, s.entry.version)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries, m.order, m.roomy = fresh, nil, 0
	m.applied = max(m.applied, reached)
	m.finished = number
	m.notify()
	return nil
}

// listed is one answer of List.
type listed struct {
	records []Record
	err     error
}

// pages lists the prefix on a goroutine of its own, which ends with ctx, so
// that the Watch does not overflow while a long List is under way. The channel
// closes after the last page or the first error.
func (m *Mirror[T]) pages(ctx context.Context) <-chan listed {
	pages := make(chan listed)
	go func() {
		defer close(pages)
		for after := ""; ; {
			records, err := m.store.List(ctx, m.prefix, after, mirrorPage)
			select {
			case pages <- listed{records, err}:
			case <-ctx.Done():
				return
			}
			if err != nil || len(records) < mirrorPage {
				return
			}
			after = records[len(records)-1].Key
		}
	}()
	return pages
}

// nextPage returns the next page, an empty one after the last, and keeps the
// events that arrive before it.
func (m *Mirror[T]) nextPage(pages <-chan listed, w Watch, late map[string]step[T]) ([]Record, error) {
	for {
		select {
		case p := <-pages:
			return p.records, p.err
		case e, ok := <-w.Events():
			if !ok {
				return nil, w.Err()
			}
			s := m.interpret(e)
			m.apply(s, 0) // a gap may lie between the old copy and s
			late[e.Key] = s
		}
	}
}
