package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signet-id/signet/internal/store"
)

const (
	// ahead is how soon a row must be due for a shift to go on for its sake.
	ahead = 15 * time.Second
	// linger is how long a shift goes on when there is nothing to do: the next
	// sign-out may be near, and taking the lease costs a Commit.
	linger = 10 * time.Second
)

// rests reports whether the shift is over: nothing is under way or due, and has not
// been for a while. Then nobody holds the lease, and the store has peace.
func (s *shift) rests(now time.Time) bool {
	busy := s.busy || s.desk.running+s.desk.waiting > 0 || len(s.chores.away)+len(s.chores.bundles) > 0
	if busy || s.reading.due().Before(now.Add(ahead)) {
		s.idle = time.Time{}
		return false
	}
	if s.idle.IsZero() {
		s.idle = now
	}
	return !s.worked || now.Sub(s.idle) >= linger
}

// next is how long the shift may sleep.
func (s *shift) next(now time.Time) time.Duration {
	at := s.reading.due()
	if !s.idle.IsZero() {
		at = earlier(at, s.idle.Add(linger))
	}
	return at.Sub(now)
}

// await returns when a row is due, whoever will deliver it, or with the reason why
// there will be none: ctx has ended, or the store is closed.
func (d *Delivery) await(ctx context.Context, b *bell) error {
	for {
		due, err := d.firstDue(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, store.ErrClosed):
			return err
		case err != nil:
			d.Log.WarnContext(ctx, "reading the outbox; trying again", slog.Any("error", err))
			due = time.Now().Add(again)
		case due.IsZero():
			// The bell will ring.
			due = time.Now().Add(forever)
		case !due.After(time.Now()):
			return nil
		default:
			due = earlier(due, time.Now().Add(anyway)) // a clock may jump
		}
		alarm := time.NewTimer(time.Until(due))
		select {
		case <-alarm.C:
		case <-b.rung:
			b.heard()
		case <-ctx.Done():
		}
		alarm.Stop()
	}
}

// forever is longer than any process lives.
const forever = 100 * 365 * 24 * time.Hour

// firstDue is when the first row is due, zero when there is none.
func (d *Delivery) firstDue(ctx context.Context) (time.Time, error) {
	recs, err := d.Store.List(ctx, duePrefix, "", 1)
	if err != nil || len(recs) == 0 {
		return time.Time{}, err
	}
	at, _, ok := parseDue(recs[0].Key)
	if !ok {
		return time.Time{}, fmt.Errorf("no row has the name %q", recs[0].Key)
	}
	return at, nil
}
