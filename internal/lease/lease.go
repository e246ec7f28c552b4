// Package lease owns the agreement of the nodes on who does what only one of them
// may do: a record that one node holds, and renews for as long as it works.
//
//	Hold ──absent or expired?──▶ Commit "must be absent" ──▶ work(ctx)
//	  │                               ▲                         │ renewed every Renew
//	  └──somebody else's──▶ Watch, timer until it is free       │ not renewed: ctx ends
//	                                                            ▼ before others see it free
//	                                              a clean stop deletes the record
//
// A lease never makes anything exclusive by itself: a machine that sleeps wakes up
// believing what it believed before. Whoever works under one guards its Commits by
// versions as well, and can bear that a thing is done twice.
package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/store"
)

const prefix = "lease/"

// TTL is how long after the death of its holder a lease is free at the latest.
// Margin is how long before the end that others see its holder has stopped: a
// clock may be off by that much, and work takes its time to stop.
const (
	TTL    = 15 * time.Second
	Renew  = 5 * time.Second
	Margin = 3 * time.Second
)

// again is the pause after a store that failed, soon the least that is waited for
// the end of a lease: the store's clock may be behind ours. patience is for a
// Commit that must be made although its caller has gone.
const (
	again    = time.Second
	soon     = 100 * time.Millisecond
	patience = 2 * time.Second
)

// ErrLost is the cause of the end of the context that work was given.
var ErrLost = errors.New("lease: it is another node's, or could not be renewed in time")

// record is what is stored. A holding has a name of its own, so that a node that
// was started anew does not take its former self's lease for its own.
type record struct {
	Node    string `json:"node"`
	Holding string `json:"holding"`
}

// Hold runs work whenever this node holds the lease called name, until ctx ends,
// the store closes, or work returns by itself, and returns the reason. The context
// of work ends when the lease is lost; Hold waits for work to return, and then for
// the lease. work must return promptly when its context ends.
func Hold(ctx context.Context, s store.Store, name, node string, log *slog.Logger, work func(context.Context) error) error {
	c := &contender{store: s, key: prefix + name, node: node, log: log.With("lease", name)}
	for {
		held, err := c.acquire(ctx)
		if err != nil {
			return fmt.Errorf("waiting for the lease %q: %w", name, err)
		}
		c.log.DebugContext(ctx, "lease taken", slog.String("node", node))
		err = held.run(ctx, work)
		if !errors.Is(err, ErrLost) {
			return err
		}
		c.log.WarnContext(ctx, "lease lost", slog.String("node", node))
	}
}

// contender is one caller of Hold.
type contender struct {
	store store.Store
	key   string
	node  string
	log   *slog.Logger
}

// acquire waits until the lease is ours.
func (c *contender) acquire(ctx context.Context) (*holding, error) {
	for {
		h, err := c.attempt(ctx)
		switch {
		case h != nil:
			return h, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, store.ErrClosed):
			return nil, err
		case err != nil:
			c.log.WarnContext(ctx, "asking for a lease; trying again", slog.Any("error", err))
			if err := sleep(ctx, again); err != nil {
				return nil, err
			}
		}
	}
}

// attempt takes the lease if it is free, and waits until it may be if it is not.
func (c *contender) attempt(ctx context.Context) (*holding, error) {
	inner, leave := context.WithCancel(ctx)
	defer leave()
	// First the Watch: a release between it and the look is not missed.
	w, err := c.store.Watch(inner, c.key)
	if err != nil {
		return nil, err
	}
	brief, cancel := context.WithTimeout(ctx, Renew)
	defer cancel()
	recs, err := c.store.Get(brief, c.key)
	if err != nil {
		return nil, err
	}
	if recs[0].Exists() {
		return nil, c.wait(ctx, w, recs[0].Expires)
	}
	h := &holding{contender: c, name: ident.New()}
	err = h.put(brief, 0)
	if errors.Is(err, store.ErrConflict) {
		return nil, nil // another was faster
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// wait returns when the lease was released, or its time is over.
func (c *contender) wait(ctx context.Context, w store.Watch, expires time.Time) error {
	over := time.NewTimer(max(soon, time.Until(expires)))
	defer over.Stop()
	for {
		select {
		case <-over.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-w.Events():
			switch {
			case !ok && errors.Is(w.Err(), store.ErrGap):
				return nil
			case !ok:
				return w.Err()
			case e.Key != c.key: // another lease, whose name begins like ours
			case e.Deleted:
				return nil
			default:
				over.Reset(max(soon, time.Until(e.Expires)))
			}
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
