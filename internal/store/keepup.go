package store

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

const (
	backoffMin = 50 * time.Millisecond
	backoffMax = 5 * time.Second
)

// subscription is a Watch and the way to end it.
type subscription struct {
	Watch
	end context.CancelFunc
}

// keepUp follows w, and connects anew whenever it ends, until life ends or the
// store closes: what a Mirror and a Tail have in common.
func keepUp(
	life context.Context, w subscription, logger *slog.Logger,
	follow func(context.Context, Watch) error, connect func() (subscription, error),
) {
	for {
		err := follow(life, w)
		w.end()
		if life.Err() != nil || errors.Is(err, ErrClosed) {
			return
		}
		logger.WarnContext(life, "a copy of the store lost touch; the old one serves while it is loaded anew", slog.Any("error", err))
		if w, err = reconnect(life, logger, connect); err != nil {
			return
		}
	}
}

// reconnect tries until it succeeds or there is no more use in trying.
func reconnect(life context.Context, logger *slog.Logger, connect func() (subscription, error)) (subscription, error) {
	for backoff := backoffMin; ; backoff = min(2*backoff, backoffMax) {
		pause := time.NewTimer(backoff)
		select {
		case <-pause.C:
		case <-life.Done():
			pause.Stop()
			return subscription{}, life.Err()
		}
		w, err := connect()
		if err == nil || life.Err() != nil || errors.Is(err, ErrClosed) {
			return w, err
		}
		logger.WarnContext(life, "loading a copy of the store; trying again", slog.Any("error", err))
	}
}
