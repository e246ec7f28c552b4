package interop

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// tooBusy is the share of the time that may be spent waiting for a processor
	// before this machine is no judge of seconds.
	tooBusy = 0.3
	// breath is how long it takes to catch up afterwards.
	breath = 3 * time.Second
	// anyhow is how long the machine may be too busy before that is no excuse.
	anyhow = time.Minute
)

// strain notes when this machine is too busy to be a judge of seconds: timers that
// fire late tell how long somebody has to wait for a processor.
type strain struct {
	at          atomic.Int64 // when it last was, in ns
	busy, heard atomic.Int64 // how long it was, and how long it was listened to, in ns
}

// newStrain listens until the test ends.
func newStrain(t *testing.T) *strain {
	t.Helper()
	s := new(strain)
	ctx, over := context.WithCancel(context.Background())
	var listening sync.WaitGroup
	listening.Go(func() { s.listen(ctx) })
	t.Cleanup(func() {
		over()
		listening.Wait()
	})
	return s
}

func (s *strain) listen(ctx context.Context) {
	const tick = 10 * time.Millisecond
	late := 0.0 // the average share of the last second that was waited
	for begun := time.Now(); ctx.Err() == nil; {
		time.Sleep(tick)
		now := time.Now()
		took := now.Sub(begun)
		weight := min(1, took.Seconds())
		late = late*(1-weight) + weight*float64(took-tick)/float64(took)
		s.heard.Add(int64(took))
		if begun = now; late > tooBusy {
			s.at.Store(now.UnixNano())
			s.busy.Add(int64(took))
		}
	}
}

// last is when the machine was last too busy.
func (s *strain) last() time.Time { return time.Unix(0, s.at.Load()) }

// share is the part of the time in which it was.
func (s *strain) share() float64 {
	return float64(s.busy.Load()) / float64(max(1, s.heard.Load()))
}

// passed reports whether it took longer than limit since begun, on a machine that
// can say.
func (s *strain) passed(begun time.Time, limit time.Duration) bool {
	over := func() bool { return time.Since(later(begun, s.last().Add(min(breath, limit)))) > limit }
	if time.Since(begun) > limit+anyhow {
		return true
	}
	if !over() {
		return false
	}
	time.Sleep(50 * time.Millisecond) // had this process to wait as well, that is noted by then
	return over()
}
