package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

const (
	firstBackoff = time.Second
	lastBackoff  = time.Minute

	// attemptTimeout bounds one visit to the storage in the background, so that
	// a request into the void does not hold up the next one.
	attemptTimeout = 30 * time.Second
)

var errUnsubscribed = errors.New("the storage ended the subscription to changes")

// Run does the ring's background work until ctx ends: it carries out each step
// when it is due, sleeping in between, and follows what other nodes change. While
// the storage is away, or holds what cannot be read, Run logs it and tries again after
// 1 s, then less often down to once a minute; the ring signs on with the keys
// that it has, and a late step only happens late.
//
// It returns nil when ctx ends, having stopped all that it started, and at once
// with [ErrRunning] if it runs already. Nothing else makes it return.
func (r *Ring) Run(ctx context.Context) error {
	if !r.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer r.running.Store(false)
	for wait := firstBackoff; ; wait = min(2*wait, lastBackoff) {
		err := r.follow(ctx, func() { wait = firstBackoff })
		if ctx.Err() != nil {
			return nil
		}
		r.logger.LogAttrs(ctx, slog.LevelWarn, "key ring is cut off from its storage; it signs on and tries again",
			slog.Duration("after", wait), slog.Any("error", err))
		// Up to a quarter more, lest all nodes come back in the same instant.
		select {
		case <-time.After(wait + rand.N(wait/4)):
		case <-ctx.Done():
			return nil
		}
	}
}

// follow works until something fails, and says what. It calls healthy whenever
// the storage has answered.
func (r *Ring) follow(ctx context.Context, healthy func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, err := r.storage.Changes(ctx) // before loading, lest a change fall in between
	if err != nil {
		return fmt.Errorf("subscribing to changes: %w", err)
	}
	for {
		if err := r.advanceSoon(ctx); err != nil {
			return err
		}
		healthy()
		if err := r.wait(ctx, changes); err != nil {
			return err
		}
	}
}

// advanceSoon is advance within bounds. A commit must not come later than the
// policy's margin after the moment that it records as the key's creation.
func (r *Ring) advanceSoon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, min(attemptTimeout, r.policy.margin()))
	defer cancel()
	return r.advance(ctx)
}

// wait returns nil when there may be something to do: a step is due, or the ring
// is another (a change that this ring made itself arrives by changes too).
func (r *Ring) wait(ctx context.Context, changes <-chan struct{}) error {
	var due <-chan time.Time // nil, which is never, for an empty ring
	now := time.Now()
	if at := NextDue(r.List(), r.algorithms, r.policy, now); !at.IsZero() {
		timer := time.NewTimer(at.Sub(now))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case _, open := <-changes:
		if !open {
			return errUnsubscribed
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}
