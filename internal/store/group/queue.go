// Package group owns what the engines with one writer have in common: how Commits
// wait for it, and how it takes all who wait into one transaction.
//
//	Commit ─┐
//	Commit ─┼─▶ Queue ──Gather──▶ writer ──one transaction──▶ Done, for each
//	Commit ─┘
//
// It judges nothing and knows no record: what a Commit asks for is the engine's
// own, and so is its outcome.
package group

import (
	"context"
	"runtime"

	"github.com/signet-id/signet/internal/store"
)

// Request is one Commit on its way through the writer. Its Work shares no memory
// with the caller, who may leave while the writer still holds it.
type Request[W any] struct {
	Ctx  context.Context
	Work W
	Size int // bytes, by the engine's own measure

	Version store.Version // the outcome, set by the writer …
	Err     error
	done    chan struct{} // … before Done
}

// Done tells the caller the outcome.
func (r *Request[W]) Done() { close(r.done) }

// Queue is where they wait. Make it with New.
type Queue[W any] struct {
	waiting chan *Request[W]
	stop    <-chan struct{}
}

// New makes a queue that admits nobody once stop is closed.
func New[W any](stop <-chan struct{}) *Queue[W] {
	return &Queue[W]{waiting: make(chan *Request[W]), stop: stop}
}

// Waiting yields those whom the writer has not taken.
func (q *Queue[W]) Waiting() <-chan *Request[W] { return q.waiting }

// Commit implements store.Store: it waits for the writer and then for the outcome,
// or until ctx ends, which leaves the outcome unknown once the writer has the
// request. work copies ops into what the writer needs, and says how large it is.
func (q *Queue[W]) Commit(ctx context.Context, ops []store.Op, work func([]store.Op) (W, int)) (store.Version, error) {
	if err := store.Check(ops...); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	r := &Request[W]{Ctx: ctx, done: make(chan struct{})}
	r.Work, r.Size = work(ops)
	select {
	case q.waiting <- r:
	case <-q.stop:
		return 0, store.ErrClosed
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case <-r.done:
		return r.Version, r.Err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Gather takes all who wait, up to so many and about so many bytes. Those whom the
// last transaction released are often about to ask again and need only a moment
// on a processor to do so; yielding once lets them share this one instead of
// waiting for the next.
func (q *Queue[W]) Gather(first *Request[W], most, mostBytes int) []*Request[W] {
	batch, size, yielded := []*Request[W]{first}, first.Size, false
	for len(batch) < most && size < mostBytes {
		select {
		case r := <-q.waiting:
			batch, size = append(batch, r), size+r.Size
		default:
			if yielded {
				return batch
			}
			yielded = true
			runtime.Gosched()
		}
	}
	return batch
}
