package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signet-id/signet/internal/store"
)

// holding is the time in which the lease is ours. One goroutine uses it.
type holding struct {
	*contender
	name    string
	version store.Version
	until   time.Time // when we have stopped, which is before others see it free
}

// run lets work work for as long as the lease is held, and gives it back.
func (h *holding) run(ctx context.Context, work func(context.Context) error) error {
	inner, stop := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() { done <- work(inner) }() // run does not return before it has
	err := h.keep(ctx, done)
	if errors.Is(err, ErrLost) {
		stop(ErrLost)
		return errors.Join(ErrLost, <-done)
	}
	stop(nil)
	h.release(ctx)
	return err
}

// keep renews the lease until work has returned, and returns work's error, or
// ErrLost before. It goes on while work winds down after ctx has ended.
func (h *holding) keep(ctx context.Context, done <-chan error) error {
	next := time.NewTimer(Renew)
	defer next.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-next.C:
		}
		// By the clock on the wall: a timer does not run while the machine sleeps.
		if !time.Now().Round(0).Before(h.until) {
			return ErrLost
		}
		err := h.renew(ctx)
		switch {
		case err == nil:
			next.Reset(Renew)
		case errors.Is(err, ErrLost), errors.Is(err, store.ErrClosed):
			return ErrLost
		default:
			h.log.WarnContext(ctx, "renewing a lease; trying again", slog.Any("error", err))
			next.Reset(min(again, max(0, time.Until(h.until))))
		}
	}
}

// renew moves the end of the lease. It is over with ErrLost when the record is no
// longer ours.
func (h *holding) renew(ctx context.Context) error {
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), h.until)
	defer cancel()
	err := h.put(ctx, h.version)
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	// An earlier Commit whose outcome we never learned may have happened.
	recs, err := h.store.Get(ctx, h.key)
	if err != nil {
		return err
	}
	var found record
	if !recs[0].Exists() || json.Unmarshal(recs[0].Value, &found) != nil || found.Holding != h.name {
		return ErrLost
	}
	h.version = recs[0].Version
	return h.put(ctx, h.version)
}

// put writes the record, on condition that it has version must.
func (h *holding) put(ctx context.Context, must store.Version) error {
	value, err := json.Marshal(record{Node: h.node, Holding: h.name})
	if err != nil {
		return fmt.Errorf("writing a lease: %w", err)
	}
	expires := time.Now().Round(0).Add(TTL) // as of before the Commit: it may take long
	version, err := h.store.Commit(ctx, store.Put(h.key, value).Until(expires).If(must))
	if err != nil {
		return err
	}
	h.version, h.until = version, expires.Add(-Margin)
	return nil
}

// release lets another node take over at once. When it fails, the record's end
// does it.
func (h *holding) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_, err := h.store.Commit(ctx, store.Delete(h.key).If(h.version))
	if err != nil && !errors.Is(err, store.ErrClosed) && !errors.Is(err, store.ErrConflict) {
		h.log.WarnContext(ctx, "releasing a lease; it ends by itself", slog.Any("error", err))
	}
}
