package outbox

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/signet-id/signet/internal/store"
)

// bell says that rows were written, and when the first of them is due. However many
// there were, it is rung once.
type bell struct {
	rung chan struct{} // holds one ring

	mu    sync.Mutex
	first time.Time
}

func newBell() *bell { return &bell{rung: make(chan struct{}, 1)} }

func (b *bell) ring(due time.Time) {
	b.mu.Lock()
	if b.first.IsZero() || due.Before(b.first) {
		b.first = due
	}
	b.mu.Unlock()
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

// heard returns when the first is due of those that were written since it was last
// asked; zero when that is none.
func (b *bell) heard() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := b.first
	b.first = time.Time{}
	return first
}

// listen rings for every row that is written, by any node, until ctx ends or the
// store closes. It rings as well whenever it may have missed some.
func (d *Delivery) listen(ctx context.Context, b *bell) {
	for ctx.Err() == nil {
		err := d.follow(ctx, b)
		if ctx.Err() != nil || errors.Is(err, store.ErrClosed) {
			return
		}
		if !errors.Is(err, store.ErrGap) {
			d.Log.WarnContext(ctx, "watching the outbox; trying again", slog.Any("error", err))
			pause(ctx, again)
		}
	}
}

func (d *Delivery) follow(ctx context.Context, b *bell) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	w, err := d.Store.Watch(ctx, duePrefix)
	if err != nil {
		return err
	}
	b.ring(time.Now())
	for e := range w.Events() {
		if at, _, ok := parseDue(e.Key); ok && !e.Deleted {
			b.ring(at)
		}
	}
	return w.Err()
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
