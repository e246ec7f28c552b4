package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// held bounds what has changed and was not carried over yet.
const held = 256 << 20

// silence is how long the event of a mark may take.
const silence = 30 * time.Second

// changes are all that was committed since it was made, in order. A goroutine
// drains the Watch, so that a slow target never makes the engine cut us off.
type changes struct {
	source store.Store
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	queue []store.Event
	size  int
	err   error         // why no more will come
	bell  chan struct{} // rings after each arrival
}

func watch(ctx context.Context, source store.Store) (*changes, error) {
	ctx, cancel := context.WithCancel(ctx)
	w, err := source.Watch(ctx, "")
	if err != nil {
		cancel()
		return nil, fmt.Errorf("watching the store: %w", err)
	}
	c := &changes{source: source, cancel: cancel, done: make(chan struct{}), bell: make(chan struct{}, 1)}
	go c.collect(w) // until close
	return c, nil
}

func (c *changes) close() {
	c.cancel()
	<-c.done
}

func (c *changes) collect(w store.Watch) {
	defer close(c.done)
	for e := range w.Events() {
		if err := c.add(e); err != nil {
			c.cancel()
			c.end(err)
			return
		}
	}
	c.end(w.Err())
}

func (c *changes) add(e store.Event) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size += len(e.Key) + len(e.Value)
	if c.size > held {
		return fmt.Errorf("the store changes faster than it can be carried over: %w", store.ErrGap)
	}
	c.queue = append(c.queue, e)
	c.ring()
	return nil
}

func (c *changes) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.ring()
}

// ring wakes until; c.mu is held.
func (c *changes) ring() {
	select {
	case c.bell <- struct{}{}:
	default:
	}
}

// take returns what has arrived, without waiting.
func (c *changes) take() ([]store.Event, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	queue := c.queue
	c.queue, c.size = nil, 0
	if len(queue) == 0 && c.err != nil {
		return nil, fmt.Errorf("watching the store: %w", c.err)
	}
	return queue, nil
}

// until hands over what arrives, up to and including version v, which is a mark's
// and so has an event. What lies beyond v stays.
func (c *changes) until(ctx context.Context, v store.Version, apply func([]store.Event) error) error {
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		events, err := c.take()
		if err != nil {
			return err
		}
		reached := false
		for i := range events {
			if events[i].Version > v {
				c.putBack(events[i:])
				events = events[:i]
				reached = true
				break
			}
			reached = reached || events[i].Version == v
		}
		if err := apply(foreign(events)); err != nil || reached {
			return err
		}
		if len(events) > 0 {
			quiet.Reset(silence)
			continue
		}
		select {
		case <-c.bell:
		case <-quiet.C:
			return fault.New(fault.Unavailable, "the engine does not tell what was changed; try again")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *changes) putBack(events []store.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(append([]store.Event{}, events...), c.queue...)
	for i := range events {
		c.size += len(events[i].Key) + len(events[i].Value)
	}
	c.ring()
}

// foreign leaves our own records out.
func foreign(events []store.Event) []store.Event {
	kept := make([]store.Event, 0, len(events))
	for _, e := range events {
		if !ours(e.Key) {
			kept = append(kept, e)
		}
	}
	return kept
}

// markKept is how long a mark stays: long enough to have an event.
const markKept = time.Minute

// mark returns the version of a Commit that is made now, and will have an event.
func mark(ctx context.Context, source store.Store) (store.Version, error) {
	v, err := commit(ctx, source, store.Put(markKey, []byte("{}")).Until(time.Now().Add(markKept)))
	if err != nil {
		return 0, fmt.Errorf("marking where the store is: %w", err)
	}
	return v, nil
}

// attempts is how often a transfer begins again because the Watch was lost.
const attempts = 5

// again runs work until it ends otherwise than by a gap.
func again(work func(attempt int) error) error {
	for attempt := 1; ; attempt++ {
		err := work(attempt)
		if !errors.Is(err, store.ErrGap) || attempt == attempts {
			return err
		}
	}
}

func recordOf(e store.Event) store.Record {
	return store.Record{Key: e.Key, Value: e.Value, Version: e.Version, Expires: e.Expires}
}
