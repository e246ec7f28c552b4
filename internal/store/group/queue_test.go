package group_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/group"
)

// keysOf is the work of an engine that counts keys.
func keysOf(ops []store.Op) ([]string, int) {
	keys, size := make([]string, len(ops)), 0
	for i, op := range ops {
		keys[i], size = op.Key, size+len(op.Key)
	}
	return keys, size
}

// answer is what a Commit returned.
type answer struct {
	version store.Version
	err     error
}

// commit lets somebody wait for the writer.
func commit(ctx context.Context, q *group.Queue[[]string], key string) <-chan answer {
	told := make(chan answer, 1)
	go func() {
		v, err := q.Commit(ctx, []store.Op{store.Put(key, nil)}, keysOf)
		told <- answer{v, err}
	}()
	return told
}

func TestAllWhoWaitAreGatheredAndEachGetsItsOwnOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := group.New[[]string](make(chan struct{}))
		told := make([]<-chan answer, 5)
		for i := range told {
			told[i] = commit(t.Context(), q, fmt.Sprint(i))
			synctest.Wait()
		}
		batch := q.Gather(<-q.Waiting(), 100, 100)
		if len(batch) != len(told) {
			t.Fatalf("%d of %d were gathered", len(batch), len(told))
		}
		for i, r := range batch {
			if r.Work[0] != fmt.Sprint(i) {
				t.Errorf("%v is in place %d: they are not served in their order", r.Work, i)
			}
			if r.Version = store.Version(i + 1); i == 3 {
				r.Err = store.ErrConflict
			}
			r.Done()
		}
		for i, c := range told {
			if got := <-c; got.version != store.Version(i+1) || (got.err != nil) != (i == 3) {
				t.Errorf("%d was told %d, %v", i, got.version, got.err)
			}
		}
	})
}

func TestABatchIsBounded(t *testing.T) {
	for name, c := range map[string]struct{ most, bytes, want int }{
		"in number": {3, 1000, 3}, "in bytes": {100, 4, 4}, "not at all": {100, 1000, 6},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := group.New[[]string](make(chan struct{}))
				for i := range 6 {
					commit(t.Context(), q, fmt.Sprint(i))
				}
				synctest.Wait()
				for served := 0; served < 6; {
					batch := q.Gather(<-q.Waiting(), c.most, c.bytes)
					if served == 0 && len(batch) != c.want {
						t.Errorf("%d are in the first batch, want %d", len(batch), c.want)
					}
					for _, r := range batch {
						r.Done()
					}
					served += len(batch)
				}
			})
		})
	}
}

func TestWhoLeavesWaitsNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		q := group.New[[]string](stop)
		ctx, leave := context.WithCancel(t.Context())
		early := commit(ctx, q, "early")
		synctest.Wait()
		leave()
		if got := <-early; !errors.Is(got.err, context.Canceled) {
			t.Errorf("who left before the writer came was told %v", got.err)
		}
		if got := <-commit(ctx, q, "gone"); !errors.Is(got.err, context.Canceled) {
			t.Errorf("who had left already was told %v", got.err)
		}
		ctx, leave = context.WithCancel(t.Context())
		late := commit(ctx, q, "late")
		r := <-q.Waiting()
		leave()
		if got := <-late; !errors.Is(got.err, context.Canceled) {
			t.Errorf("who left while the writer was at it was told %v", got.err)
		}
		r.Done() // nobody listens, and nobody minds
		waits := commit(t.Context(), q, "waits")
		synctest.Wait()
		close(stop)
		if got := <-waits; !errors.Is(got.err, store.ErrClosed) {
			t.Errorf("who waited when the store was closed was told %v", got.err)
		}
	})
}

func TestWhatIsNoCommitDoesNotReachTheWriter(t *testing.T) {
	q := group.New[[]string](make(chan struct{}))
	if _, err := q.Commit(t.Context(), nil, keysOf); fault.KindOf(err) != fault.Invalid {
		t.Errorf("nothing to commit: %v, want a refusal", err)
	}
}
