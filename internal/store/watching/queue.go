// Package watching owns what the engines' watchers have in common: a queue of
// events for one subscriber that never keeps an engine waiting.
//
//	engine ──Send──▶ Queue ──Events──▶ subscriber
//	       ◀─ false: it cannot keep up, or has ended
//
// It knows no prefix and no order: what is sent, and when a queue ends, is the
// engine's to decide.
package watching

import (
	"sync"

	"github.com/signet-id/signet/internal/store"
)

// Lag is how many events a subscriber may be behind before it is cut off. It
// bounds memory.
const Lag = 1024

// Queue is one subscription, a store.Watch. Its lock orders the engine's sends, the
// end of the subscriber's context and the engine's Close: whoever ends it first
// decides its error.
type Queue struct {
	events chan store.Event

	mu    sync.Mutex
	ended bool
	err   error
}

// New makes a queue with room for Lag events.
func New() *Queue { return &Queue{events: make(chan store.Event, Lag)} }

// Events implements store.Watch.
func (q *Queue) Events() <-chan store.Event { return q.events }

// Err implements store.Watch.
func (q *Queue) Err() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

// End closes the channel, once; what is queued can still be read.
func (q *Queue) End(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return
	}
	q.ended, q.err = true, err
	close(q.events)
}

// Send queues e, whose value nobody else may hold, and reports false when the queue
// has ended or is full.
func (q *Queue) Send(e store.Event) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return false
	}
	select {
	case q.events <- e:
		return true
	default:
		return false
	}
}
