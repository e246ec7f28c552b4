package demo

import (
	"crypto/rand"
	"sync"
	"time"
)

// shelf keeps values under names for a while: in memory, and never more than
// its room. When it is full the oldest leaves, so that nobody can lock others
// out for good by beginning many things.
type shelf[V any] struct {
	room int
	life time.Duration

	mu     sync.Mutex
	places map[string]place[V] // guarded by mu
}

type place[V any] struct {
	value V
	since time.Time
}

func newShelf[V any](room int, life time.Duration) *shelf[V] {
	return &shelf[V]{room: room, life: life, places: make(map[string]place[V])}
}

// add keeps v under a new random name, 128 bits and more, and returns the name.
func (s *shelf[V]) add(v V) string {
	name := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if len(s.places) >= s.room {
		s.tidy(now)
	}
	s.places[name] = place[V]{value: v, since: now}
	return name
}

// tidy makes room: all that is over leaves, and if nothing is, the oldest.
func (s *shelf[V]) tidy(now time.Time) {
	oldest, since := "", now
	for name, p := range s.places {
		if now.Sub(p.since) >= s.life {
			delete(s.places, name)
		} else if !p.since.After(since) {
			oldest, since = name, p.since
		}
	}
	if len(s.places) >= s.room {
		delete(s.places, oldest)
	}
}

func (s *shelf[V]) get(name string) (V, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live(name)
}

// take returns what is there and removes it, in one step: of two callers with
// one name, one gets it.
func (s *shelf[V]) take(name string) (V, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.live(name)
	delete(s.places, name)
	return v, ok
}

func (s *shelf[V]) live(name string) (V, bool) {
	p, ok := s.places[name]
	if !ok || time.Since(p.since) >= s.life {
		var none V
		return none, false
	}
	return p.value, true
}
