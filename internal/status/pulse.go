package status

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// pulseEvery is how often the engine is asked for a sign of life, and how long
	// it may take to answer.
	pulseEvery = 5 * time.Second
	// missedEvery is how often while there is none.
	missedEvery = time.Second
	// trusted is how long after the last sign of life this node speaks of now: less
	// than verifiers wait before they call themselves stale.
	trusted = 20 * time.Second
)

// pulse is how a node knows that it would hear of an ending. One that is cut off
// from the engine alone holds lists that look complete and a stream that is merely
// quiet, while others end what its verifiers accept. So it says of nothing that it
// is newer than the last sign of life: it does not beat, and dates its hellos and
// lists back to then. Its verifiers call themselves stale, as they are, and go by
// what their routes say of that.
type pulse struct {
	ask  func(context.Context) error // nil: the engine is in this process
	last atomic.Int64                // when the last answer was asked for
	log  *slog.Logger
}

func newPulse(ask func(context.Context) error, log *slog.Logger) *pulse {
	p := &pulse{ask: ask, log: log}
	p.last.Store(time.Now().UnixNano()) // what was just read was asked for now
	return p
}

// moment is the time of which this node can speak at now: now, or when it last
// heard of the engine.
func (p *pulse) moment(now time.Time) time.Time {
	if p.sound(now) {
		return now
	}
	return time.Unix(0, p.last.Load())
}

func (p *pulse) sound(now time.Time) bool {
	return p.ask == nil || now.Sub(time.Unix(0, p.last.Load())) < trusted
}

// run asks until ctx ends or stopping closes, and calls back when the engine is
// heard again after it was not.
func (p *pulse) run(ctx context.Context, stopping <-chan struct{}, again func()) {
	if p.ask == nil {
		return
	}
	for pause := pulseEvery; ; {
		select {
		case <-ctx.Done():
			return
		case <-stopping:
			return
		case <-time.After(pause):
		}
		began := time.Now()
		within, cancel := context.WithTimeout(ctx, pulseEvery)
		err := p.ask(within)
		cancel()
		if pause = pulseEvery; err != nil {
			pause = missedEvery
			continue // the store's own check tells the operator
		}
		was := p.sound(time.Now())
		p.last.Store(began.UnixNano())
		if !was {
			p.log.InfoContext(ctx, "the engine is heard again: the stream and the lists speak of now")
			again()
		}
	}
}
