package transfer

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// CopyOptions say how a Copy ends.
type CopyOptions struct {
	Journals Journals
	// Freeze is for how long the source takes no changes at the end: enough to
	// carry over the last ones, and to point the servers at the target. 0 leaves it
	// alone: the copy is whole, and old as soon as somebody writes.
	Freeze time.Duration
	// Alone says that nobody else has the source open.
	Alone bool
	// Force replaces whatever the target holds.
	Force bool
	Tell  Tell
}

// Copied is what a Copy came to.
type Copied struct {
	Records int           // compared, each with its twin
	Changes int           // that came meanwhile and were carried over
	Version store.Version // of the source: the target is what it was then
	Frozen  time.Time     // the source takes no changes until then; zero: it takes them
	Held    time.Duration // how long it had taken none when the copy was whole
}

const (
	// settle is for nodes to hear of the freeze, and to end what they had begun.
	settle = time.Second
	// calm is how few changes a round of catching up has before the end begins.
	calm = 500
	// rounds is how often catching up is tried.
	rounds = 20
)

// Copy makes target hold what source holds, while source is used, and compares
// each record. It can be repeated, after an end of any kind: what is the same
// already is not written again. The copy is of one moment, the Version that it
// returns; with a freeze, nothing of source is newer until that has ended.
//
// A target holds nothing, or what an earlier Copy left there, as long as no server
// was started on it. When Copy fails, no server starts on it.
func Copy(ctx context.Context, source, target store.Store, o CopyOptions) (Copied, error) {
	if err := claim(ctx, target, "copy", o.Force); err != nil {
		return Copied{}, err
	}
	var done Copied
	err := again(func(int) (err error) {
		done, err = copyOnce(ctx, source, target, o)
		return err
	})
	if err != nil {
		return Copied{}, err
	}
	return done, writeState(ctx, target, state{By: "copy", Whole: true})
}

// copying is one attempt.
type copying struct {
	source, target store.Store
	CopyOptions
	changes *changes
	since   store.Version // what is older is in the first listing
	// doubtful are keys that were seen to differ, or to change, since the comparison
	// began; nil before it.
	doubtful map[string]struct{}
	touched  map[string]struct{} // in the last round
	carried  int
	compared int
}

func copyOnce(ctx context.Context, source, target store.Store, o CopyOptions) (done Copied, err error) {
	changes, err := watch(ctx, source)
	if err != nil {
		return done, err
	}
	defer changes.close()
	c := &copying{source: source, target: target, CopyOptions: o, changes: changes}
	if err := c.carry(ctx); err != nil {
		return done, err
	}
	c.doubtful = map[string]struct{}{}
	if err := c.verify(ctx); err != nil {
		return done, err
	}
	begun := time.Now()
	if o.Freeze > 0 && !o.Alone {
		done.Frozen = begun.Add(o.Freeze)
		if err := Freeze(ctx, source, done.Frozen); err != nil {
			return done, err
		}
		defer func() {
			if err != nil { // the source goes on being used
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
				defer cancel()
				_ = Thaw(ctx, source) // or it ends by itself
			}
		}()
		if err := pause(ctx, settle); err != nil {
			return done, err
		}
	}
	if done.Version, err = c.finish(ctx, done.Frozen); err != nil {
		return done, err
	}
	done.Records, done.Changes, done.Held = c.compared, c.carried, time.Since(begun)
	return done, nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// carry makes target what source was a moment ago.
func (c *copying) carry(ctx context.Context) error {
	since, err := mark(ctx, c.source)
	if err != nil {
		return err
	}
	c.since = since
	if err := reconcile(ctx, records(ctx, c.source, ""), c.target, c.Journals, "copying", c.Tell); err != nil {
		return err
	}
	journals, err := c.Journals.inOrder(ctx, c.source, since)
	if err != nil {
		return err
	}
	if err := c.Journals.rewrite(ctx, journals, c.target, c.Tell); err != nil {
		return err
	}
	for last := math.MaxInt; ; {
		before := c.carried
		if _, err := c.catchUp(ctx); err != nil {
			return err
		}
		// When they do not become fewer the source is written to faster than the
		// target takes it: the rest is for the freeze.
		now := c.carried - before
		if now < calm || now >= last {
			return nil
		}
		last = now
	}
}

// catchUp carries over what was committed up to now, and returns the version.
func (c *copying) catchUp(ctx context.Context) (store.Version, error) {
	v, err := mark(ctx, c.source)
	if err != nil {
		return 0, err
	}
	c.touched = map[string]struct{}{}
	return v, c.changes.until(ctx, v, func(events []store.Event) error { return c.apply(ctx, events) })
}

// apply makes changes in target: of a journal each in its turn, of all else the
// last one of each key.
func (c *copying) apply(ctx context.Context, events []store.Event) error {
	last := map[string]store.Op{}
	var order []string
	var added []store.Record
	for _, e := range events {
		c.carried++
		c.touched[e.Key] = struct{}{}
		if c.doubtful != nil {
			c.doubtful[e.Key] = struct{}{}
		}
		if c.Journals.has(e.Key) && e.Version <= c.since {
			continue
		}
		if c.Journals.has(e.Key) && !e.Deleted {
			added = append(added, recordOf(e))
			continue
		}
		if _, twice := last[e.Key]; !twice {
			order = append(order, e.Key)
		}
		last[e.Key] = putOf(recordOf(e))
		if e.Deleted {
			last[e.Key] = store.Delete(e.Key)
		}
	}
	w := newWriter(ctx, c.target)
	for _, key := range order {
		if err := w.add(last[key]); err != nil {
			break // flush knows why
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	if len(events) > 0 {
		c.Tell.say(Progress{Stage: "carrying changes over", Records: c.carried, Changed: c.carried, At: events[len(events)-1].Key})
	}
	return c.Journals.appendInOrder(ctx, c.target, added, nil)
}

// verify compares every record with its twin. One that differs may have changed
// since it was carried over: it is looked at again at the end.
func (c *copying) verify(ctx context.Context) error {
	p := Progress{Stage: "comparing"}
	err := compare(records(ctx, c.source, ""), records(ctx, c.target, ""), func(d difference, same bool) error {
		if p.Records++; p.Records%store.MaxList == 0 {
			c.Tell.say(p)
		}
		p.At = d.key()
		if !same {
			p.Changed++
			c.doubtful[d.key()] = struct{}{}
		}
		return nil
	})
	c.compared = p.Records
	c.Tell.say(p)
	return err
}

// finish carries the last changes over, looks again at whatever was in doubt, and
// where the source stands still does so until nothing has changed meanwhile.
func (c *copying) finish(ctx context.Context, until time.Time) (store.Version, error) {
	still := c.Alone || !until.IsZero()
	for range rounds {
		v, err := c.catchUp(ctx)
		if err != nil {
			return 0, err
		}
		wrong, err := c.unequal(ctx)
		if err != nil {
			return 0, err
		}
		want, err := c.Journals.inOrder(ctx, c.source, v)
		if err != nil {
			return 0, err
		}
		have, err := c.Journals.inOrder(ctx, c.target, 0)
		if err != nil {
			return 0, err
		}
		// What has changed since it was carried over may differ.
		if v, err = c.catchUp(ctx); err != nil {
			return 0, err
		}
		wrong = slices.DeleteFunc(wrong, func(key string) bool { _, is := c.touched[key]; return is })
		wrong = append(wrong, differ(want, have, c.touched)...)
		switch {
		case !until.IsZero() && time.Now().After(until):
			return 0, fault.New(fault.Unavailable, "the freeze ended before the copy was whole; run it again with a longer one")
		case len(wrong) > 0:
			return 0, fault.New(fault.Internal, "%d records differ from their copy, %q is one; run the copy again", len(wrong), wrong[0])
		case !still || len(c.touched) == 0:
			return v, nil
		}
	}
	return 0, fault.New(fault.Unavailable, "the source went on changing; freeze it for longer, or stop its servers")
}

// unequal returns which of the doubtful keys are not the same in both.
func (c *copying) unequal(ctx context.Context) ([]string, error) {
	var wrong, keys []string
	look := func() error {
		var both [2][]store.Record
		for i, s := range []store.Store{c.source, c.target} {
			err := persist(ctx, func() (err error) {
				both[i], err = s.Get(ctx, keys...)
				return err
			})
			if err != nil {
				return fmt.Errorf("comparing: %w", err)
			}
		}
		for i := range keys {
			if d := (difference{both[0][i], both[1][i]}); !(!d.want.Exists() && !d.have.Exists()) && !same(d.want, d.have) {
				wrong = append(wrong, keys[i])
			}
		}
		keys = keys[:0]
		return nil
	}
	for key := range c.doubtful {
		if c.Journals.has(key) {
			continue // their order counts as well
		}
		if keys = append(keys, key); len(keys) == store.MaxGet {
			if err := look(); err != nil {
				return nil, err
			}
		}
	}
	err := look()
	return wrong, err
}
