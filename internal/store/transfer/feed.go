package transfer

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/signet-id/signet/internal/store"
)

// feed yields records in the order of their keys, or the error that ended it.
type feed = iter.Seq2[store.Record, error]

// records is every record of s but those of this package.
func records(ctx context.Context, s store.Store, prefix string) feed {
	return func(yield func(store.Record, error) bool) {
		for after := ""; ; {
			page, err := list(ctx, s, prefix, after)
			if err != nil {
				yield(store.Record{}, err)
				return
			}
			for _, r := range page {
				after = r.Key
				if !ours(r.Key) && !yield(r, nil) {
					return
				}
			}
			if len(page) < store.MaxList {
				return
			}
		}
	}
}

func list(ctx context.Context, s store.Store, prefix, after string) (page []store.Record, err error) {
	err = persist(ctx, func() error {
		page, err = s.List(ctx, prefix, after, store.MaxList)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing records after %q: %w", after, err)
	}
	return page, nil
}

// difference is a key of which two stores do not hold the same. A record without
// a version is absent there.
type difference struct{ want, have store.Record }

func (d difference) key() string { return cmp.Or(d.want.Key, d.have.Key) }

// compare walks two feeds side by side and calls visit for every key: once with
// what both have, same or not.
func compare(want, have feed, visit func(d difference, same bool) error) error {
	nextWant, stopWant := iter.Pull2(want)
	defer stopWant()
	nextHave, stopHave := iter.Pull2(have)
	defer stopHave()
	w, errW, moreW := nextWant()
	h, errH, moreH := nextHave()
	for moreW || moreH {
		if errW != nil {
			return errW
		}
		if errH != nil {
			return errH
		}
		var d difference
		if moreW && (!moreH || w.Key <= h.Key) {
			d.want = w
		}
		if moreH && (!moreW || h.Key <= w.Key) {
			d.have = h
		}
		if err := visit(d, same(d.want, d.have)); err != nil {
			return err
		}
		if d.want.Exists() {
			w, errW, moreW = nextWant()
		}
		if d.have.Exists() {
			h, errH, moreH = nextHave()
		}
	}
	return nil
}

// Engines keep times in units of their own, of a microsecond at most.
const timeUnit = time.Millisecond

// expiring is how close its end must be for a record to count as the same whether
// or not it is there: engines judge that by clocks of their own.
const expiring = time.Minute

func same(want, have store.Record) bool {
	if !want.Exists() || !have.Exists() {
		r := want
		if !r.Exists() {
			r = have
		}
		return leaves(r, time.Now().Add(expiring))
	}
	return bytes.Equal(want.Value, have.Value) && sameTime(want.Expires, have.Expires)
}

func sameTime(a, b time.Time) bool {
	if a.IsZero() || b.IsZero() {
		return a.IsZero() && b.IsZero()
	}
	return a.Sub(b).Abs() < timeUnit
}

// leaves reports whether r has expired at t.
func leaves(r store.Record, t time.Time) bool { return !r.Expires.IsZero() && !t.Before(r.Expires) }
