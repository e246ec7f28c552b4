package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signet-id/signet/internal/store"
)

// Reading all that is due takes at most a fifth of the time, however long the list:
// the next reading begins after leisure times as long as the last one took, and
// after breath at least. It goes by steps of a few pages; in between attempts begin
// and end, and what was written meanwhile is read, whatever there is before it.
const (
	pageSize = 100 // rows per List
	step     = 5   // pages
	leisure  = 4
	breath   = 5 * time.Millisecond
	// anyway is when all is read though nothing calls for it: a clock may jump.
	anyway = time.Minute
)

// reading is how far the list of what is due was read, and when it is read again.
type reading struct {
	next  time.Time // when all that is due is to be read
	rest  time.Time // though not before this
	fresh time.Time // zero, or: what is due from then on was written, and is to be read
	pause time.Time // though not before this
	after string    // not empty in the middle of a reading
	spent time.Duration
}

func (r *reading) atOnce() { r.notAfter(time.Now()) }

func (r *reading) notAfter(t time.Time) { r.next = earlier(r.next, t) }

// written notes that rows were written, the first of them due at first.
func (r *reading) written(first, now time.Time) {
	switch {
	case first.IsZero(): // it was noted with an earlier ring
	case first.After(now):
		r.notAfter(first)
	case r.fresh.IsZero():
		r.fresh = first
	default:
		r.fresh = earlier(r.fresh, first)
	}
}

// due is when to read next.
func (r *reading) due() time.Time {
	at := later(r.next, r.rest)
	if r.after != "" {
		at = time.Time{}
	}
	if !r.fresh.IsZero() {
		at = earlier(at, r.pause)
	}
	return at
}

// read makes one step of the reading that is due. Only a closed store is an error.
func (s *shift) read(ctx context.Context) error {
	r, began := &s.reading, time.Now()
	var err error
	switch {
	case !r.fresh.IsZero() && !began.Before(r.pause):
		err = s.readFresh(ctx, began)
	case r.after != "" || !began.Before(later(r.next, r.rest)):
		if r.after == "" {
			r.next, r.spent = began.Add(anyway), 0
		}
		r.after, err = s.offerDue(ctx, r.after, began)
		r.spent += time.Since(began)
		r.rest = time.Now().Add(max(breath, leisure*r.spent))
	}
	switch {
	case err == nil || ctx.Err() != nil:
		return nil
	case errors.Is(err, store.ErrClosed):
		return fmt.Errorf("reading the outbox: %w", err)
	}
	s.Log.WarnContext(ctx, "reading the outbox; trying again", slog.Any("error", err))
	r.rest = began.Add(again)
	r.notAfter(r.rest)
	return nil
}

// readFresh reads what was written since the last look, which is at the end of what
// is due. What does not fit into a step is left to a reading of everything.
func (s *shift) readFresh(ctx context.Context, now time.Time) error {
	r := &s.reading
	from := dueKey(r.fresh, "") // before every key of that millisecond
	r.fresh = time.Time{}
	rest, err := s.offerDue(ctx, from, now)
	if rest != "" {
		r.atOnce()
	}
	r.pause = time.Now().Add(max(breath, leisure*time.Since(now)))
	return err
}

// offerDue puts what is due behind after on the desk, a step of it, and returns
// where to go on: nowhere when all was read, or there is no more room.
func (s *shift) offerDue(ctx context.Context, after string, now time.Time) (string, error) {
	for range step {
		recs, err := s.Store.List(ctx, duePrefix, after, pageSize)
		if err != nil {
			return "", err
		}
		for _, r := range recs {
			after = r.Key
			if at, _, ok := parseDue(r.Key); ok && at.After(now) {
				s.reading.notAfter(at)
				return "", nil
			}
			if !s.offer(ctx, r, now) {
				return "", nil
			}
		}
		if len(recs) < pageSize {
			return "", nil
		}
	}
	return after, nil
}

// offer finds the place of one row, and reports whether there was room.
func (s *shift) offer(ctx context.Context, r store.Record, now time.Time) bool {
	if s.desk.holds(r.Key) {
		return true
	}
	_, id, ok := parseDue(r.Key)
	it, err := readItem(r, id)
	if err != nil || !ok {
		// It stays held, so that it is told once.
		s.desk.hold(it)
		s.Log.ErrorContext(ctx, "a logout call can't be read and is left where it is", slog.String("key", r.Key), slog.Any("error", err))
		return true
	}
	if len(it.Calls) > 1 {
		s.chores.addBundle(s.desk, it)
		return true
	}
	switch s.desk.offer(it, now) {
	case full:
		return false
	case paused:
		s.chores.addAway(s.desk, s.aside(it))
	case accepted, known, enough:
	}
	return true
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
