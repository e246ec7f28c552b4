package outbox

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/store"
)

// Chores are done beside the attempts, a bounded number at a time, in Commits of as
// many rows as fit: whoever waits for one client in thousands costs the others
// nothing.
const (
	maxAway    = 2048
	maxBundles = 16
	perCommit  = store.MaxOps / 2 // rows that are moved, by two ops each
	perBundle  = store.MaxOps - 1 // rows that are made of one
)

// chores are rows to be moved, and held by the desk until they are.
type chores struct {
	away    []move // their clients do not answer
	bundles []item // rows of several calls, to be made rows of one
	more    bool   // some were turned away
	// retry is when what could not be done may be tried again.
	retry time.Time
}

// move takes a row to another place.
type move struct {
	item
	to row
	at time.Time
}

func (c *chores) addAway(d *desk, m move) {
	if len(c.away) >= maxAway {
		c.more = true
		return
	}
	d.hold(m.item)
	c.away = append(c.away, m)
}

func (c *chores) addBundle(d *desk, it item) {
	if len(c.bundles) >= maxBundles {
		c.more = true
		return
	}
	d.hold(it)
	c.bundles = append(c.bundles, it)
}

func (c *chores) items() []item {
	all := slices.Clone(c.bundles)
	for _, m := range c.away {
		all = append(all, m.item)
	}
	return all
}

// tidy begins the chores that have come together.
func (s *shift) tidy(ctx context.Context) {
	if s.busy || len(s.chores.away)+len(s.chores.bundles) == 0 {
		return
	}
	work := s.chores
	s.chores, s.busy = chores{}, true
	work.retry = time.Now().Add(anyway)
	if work.more || len(work.bundles) > 0 { // the last call of a bundle stays where it was
		work.retry = time.Now()
	}
	s.working.Go(func() {
		s.do(ctx, &work)
		s.ended <- work
	})
}

// do does all of it that can be done; the rest stays as it is.
func (d *Delivery) do(ctx context.Context, c *chores) {
	var failed bool
	for _, it := range c.bundles {
		failed = d.unpack(ctx, it) != nil || failed
	}
	for batch := range slices.Chunk(c.away, perCommit) {
		if ctx.Err() != nil {
			return
		}
		err := d.moveAll(ctx, batch)
		if errors.Is(err, store.ErrConflict) { // the operator has moved one; the others move alone
			err = nil
			for one := range slices.Chunk(batch, 1) {
				if e := d.moveAll(ctx, one); !errors.Is(e, store.ErrConflict) {
					err = errors.Join(err, e)
				}
			}
		}
		failed = failed || err != nil
	}
	if failed {
		c.retry = time.Now().Add(again)
	}
}

// moveAll moves rows in one Commit.
func (d *Delivery) moveAll(ctx context.Context, batch []move) error {
	ops := make([]store.Op, 0, 2*len(batch))
	for _, m := range batch {
		steps, err := m.move(m.to, m.at)
		if err != nil {
			return err
		}
		ops = append(ops, steps...)
	}
	if err := d.commit(ctx, ops...); err != nil {
		return err
	}
	for _, m := range batch {
		if !m.to.GivenUp.IsZero() {
			d.noteGivenUp(ctx, m.item, m.to)
		}
	}
	return nil
}

// unpack makes a row of several calls into rows of one, so that each is tried, waits
// and is given up by itself. What does not fit into one Commit stays in the row.
func (d *Delivery) unpack(ctx context.Context, it item) error {
	due, _, _ := parseDue(it.key)
	for len(it.Calls) > 1 && ctx.Err() == nil {
		// One call at least stays, and keeps the name of the row.
		n := min(perBundle, len(it.Calls)-1)
		ops := make([]store.Op, 0, n+1)
		for _, call := range it.Calls[:n] {
			one := it.row
			one.Calls = []Call{call}
			op, err := one.put(dueKey(due, ident.New()))
			if err != nil {
				return err
			}
			ops = append(ops, op)
		}
		it.Calls = it.Calls[n:]
		op, err := it.put(it.key)
		if err != nil {
			return err
		}
		version, err := d.commitAs(ctx, append(ops, op.If(it.version))...)
		if err != nil {
			return err
		}
		it.version = version
	}
	return nil
}
