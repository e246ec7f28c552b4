package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// Entry is one row as an operator sees it.
type Entry struct {
	ID       string // of the row; it stays the same until the row is gone
	Calls    []Call // one, or several that were not tried yet
	Created  time.Time
	Attempts int
	Next     time.Time // of the next attempt; zero when it was given up
	GivenUp  time.Time // zero while it is tried
	Error    string    // why it failed last, in our own words
}

// List returns up to limit rows behind after, which is the next of the page before
// and empty at first: those that were given up, and unless they are all that is
// asked for, those that wait, the next one to be tried first. There are more when
// next is not empty.
func (d *Delivery) List(ctx context.Context, givenUpOnly bool, after string, limit int) (page []Entry, next string, err error) {
	under := prefix
	if givenUpOnly {
		under = deadPrefix
	}
	if after != "" {
		after = prefix + after
	}
	recs, err := d.Store.List(ctx, under, after, limit)
	if err != nil {
		return nil, "", fmt.Errorf("listing the outbox: %w", err)
	}
	page = make([]Entry, 0, len(recs))
	for _, r := range recs {
		page = append(page, entry(r))
	}
	if len(recs) == limit {
		next = strings.TrimPrefix(recs[len(recs)-1].Key, prefix)
	}
	return page, next, nil
}

// entry shows even what can't be read: an operator must see that it is there.
func entry(r store.Record) Entry {
	e := Entry{ID: strings.TrimPrefix(r.Key, deadPrefix)}
	if at, id, ok := parseDue(r.Key); ok {
		e.ID, e.Next = id, at
	}
	it, err := readItem(r, e.ID)
	if err != nil {
		e.Error = "the row can't be read"
		return e
	}
	e.Calls, e.Created, e.Attempts, e.GivenUp, e.Error = it.Calls, it.Created, it.Attempts, it.GivenUp, it.Error
	return e
}

// Retry has the row named id tried now and as if it were new, or without an id every
// row that was given up, and returns how many rows those are.
func (d *Delivery) Retry(ctx context.Context, id string) (int, error) {
	if id == "" {
		return d.retryAll(ctx)
	}
	for {
		it, err := d.find(ctx, id)
		if err != nil {
			return 0, err
		}
		err = d.revive(ctx, it)
		if err == nil {
			return 1, nil
		}
		if !errors.Is(err, store.ErrConflict) { // else an attempt has moved it meanwhile
			return 0, fmt.Errorf("retrying the call %s: %w", id, err)
		}
	}
}

// retryAll goes through what is given up once: what fails meanwhile is not retried
// for ever.
func (d *Delivery) retryAll(ctx context.Context) (n int, err error) {
	for after := ""; ; {
		recs, err := d.Store.List(ctx, deadPrefix, after, perCommit)
		if err != nil {
			return n, fmt.Errorf("retrying what was given up: %w", err)
		}
		items := make([]item, 0, len(recs))
		for _, r := range recs {
			after = r.Key
			if it, err := readItem(r, strings.TrimPrefix(r.Key, deadPrefix)); err == nil {
				items = append(items, it)
			}
		}
		done, err := d.reviveAll(ctx, items)
		n += done
		if err != nil {
			return n, fmt.Errorf("retrying what was given up: %w", err)
		}
		if len(recs) < perCommit {
			return n, nil
		}
	}
}

func (d *Delivery) reviveAll(ctx context.Context, items []item) (int, error) {
	if len(items) == 0 {
		return 0, nil
	}
	err := d.revive(ctx, items...)
	if err == nil {
		return len(items), nil
	}
	if !errors.Is(err, store.ErrConflict) {
		return 0, err
	}
	n := 0
	for _, it := range items { // somebody else retries as well, or one has expired
		err := d.revive(ctx, it)
		if err == nil {
			n++
		} else if !errors.Is(err, store.ErrConflict) {
			return n, err
		}
	}
	return n, nil
}

func (d *Delivery) revive(ctx context.Context, items ...item) error {
	now := time.Now()
	ops := make([]store.Op, 0, 2*len(items))
	for _, it := range items {
		steps, err := it.move(it.revived(now), now)
		if err != nil {
			return err
		}
		ops = append(ops, steps...)
	}
	_, err := d.Store.Commit(ctx, ops...)
	return err
}

// find looks where a row is that was given up, and then among those that wait,
// which are in the order of their times.
func (d *Delivery) find(ctx context.Context, id string) (item, error) {
	none := fault.New(fault.NotFound, "no call in the outbox is named %q: it was delivered, or never was; see: signet outbox list", id).On("id")
	if len(deadKey(id)) > store.MaxKey {
		return item{}, none
	}
	recs, err := d.Store.Get(ctx, deadKey(id))
	if err != nil {
		return item{}, fmt.Errorf("reading the call %s: %w", id, err)
	}
	if recs[0].Exists() {
		return readItem(recs[0], id)
	}
	for after := ""; ; {
		recs, err := d.Store.List(ctx, duePrefix, after, pageSize)
		if err != nil {
			return item{}, fmt.Errorf("looking for the call %s: %w", id, err)
		}
		for _, r := range recs {
			after = r.Key
			if _, found, ok := parseDue(r.Key); ok && found == id {
				return readItem(r, id)
			}
		}
		if len(recs) < pageSize {
			return item{}, none
		}
	}
}
