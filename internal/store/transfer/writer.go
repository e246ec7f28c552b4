package transfer

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/signet-id/signet/internal/store"
)

// abreast is how many Commits are under way at once: engines share the cost of
// those that wait together.
const abreast = 8

// writer gathers changes of different keys into Commits, some of which are under
// way at once. flush waits for all of them.
type writer struct {
	target store.Store
	ops    []store.Op
	size   int
	group  *errgroup.Group
	ctx    context.Context
}

func newWriter(ctx context.Context, target store.Store) *writer {
	w := &writer{target: target}
	w.group, w.ctx = errgroup.WithContext(ctx)
	w.group.SetLimit(abreast)
	return w
}

func (w *writer) add(op store.Op) error {
	size := len(op.Key) + len(op.Value)
	if len(w.ops) == store.MaxOps || len(w.ops) > 0 && w.size+size > store.MaxCommit {
		w.send()
	}
	w.ops, w.size = append(w.ops, op), w.size+size
	return w.ctx.Err()
}

func (w *writer) send() {
	ops := w.ops
	w.ops, w.size = nil, 0
	if len(ops) == 0 {
		return
	}
	w.group.Go(func() error {
		if _, err := commit(w.ctx, w.target, ops...); err != nil {
			return fmt.Errorf("writing %d records from %q: %w", len(ops), ops[0].Key, err)
		}
		return nil
	})
}

func (w *writer) flush() error {
	w.send()
	return w.group.Wait()
}

func putOf(r store.Record) store.Op { return store.Put(r.Key, r.Value).Until(r.Expires) }

// reconcile makes target hold what want yields, but for journals, and nothing else.
// What is there already stays as it is, so that a second run writes little.
func reconcile(ctx context.Context, want feed, target store.Store, journals Journals, stage string, tell Tell) error {
	w := newWriter(ctx, target)
	p := Progress{Stage: stage}
	err := compare(want, records(ctx, target, ""), func(d difference, same bool) error {
		if journals.has(d.key()) {
			return nil
		}
		if p.Records++; p.Records%store.MaxList == 0 {
			tell.say(p)
		}
		p.At = d.key()
		if same {
			return nil
		}
		p.Changed++
		if !d.want.Exists() {
			return w.add(store.Delete(d.have.Key))
		}
		return w.add(putOf(d.want))
	})
	if failed := w.flush(); failed != nil {
		return failed // it is why the context ended, if it did
	}
	tell.say(p)
	return err
}
