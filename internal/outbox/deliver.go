package outbox

import (
	"context"
	"sync"
	"time"
)

// again is the pause after a store that failed.
const again = time.Second

// shift is one time of holding the lease. Its fields belong to the goroutine of
// deliver; the others it starts send on the channels, which have room for all.
type shift struct {
	*Delivery
	desk    *desk
	bell    *bell
	results chan result
	chores  chores
	ended   chan chores
	busy    bool // chores are being done
	reading reading
	working sync.WaitGroup

	worked bool      // something was done
	idle   time.Time // since then there is nothing to do; zero: there is
}

// deliver works until there is nothing to do, ctx ends or the store closes. When it
// returns, nothing of it goes on.
func (d *Delivery) deliver(ctx context.Context, desk *desk) error {
	ctx, stop := context.WithCancel(ctx)
	s := &shift{Delivery: d, desk: desk, bell: newBell(), results: make(chan result, Concurrent), ended: make(chan chores, 1)}
	defer s.working.Wait()
	defer stop()
	s.working.Go(func() { d.listen(ctx, s.bell) })
	s.reading.atOnce()
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for {
		s.start(ctx)
		s.tidy(ctx)
		if s.desk.wantsMore() {
			s.reading.atOnce()
		}
		now := time.Now()
		if s.rests(now) {
			return nil
		}
		alarm.Reset(s.next(now))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-s.results:
			s.worked = true
			s.note(r)
		case done := <-s.ended:
			s.worked, s.busy = true, false
			s.desk.release(done.items()...)
			s.reading.notAfter(done.retry)
		case <-s.bell.rung:
			s.reading.written(s.bell.heard(), time.Now())
		case <-alarm.C:
			if err := s.read(ctx); err != nil {
				return err
			}
		}
	}
}

// start lets all attempts run that may.
func (s *shift) start(ctx context.Context) {
	for {
		it, failures, ok := s.desk.next()
		if !ok {
			return
		}
		s.working.Go(func() { s.results <- s.attempt(ctx, it, failures) })
	}
}

// note takes an attempt into account.
func (s *shift) note(r result) {
	for _, it := range s.desk.settle(r) {
		s.chores.away = append(s.chores.away, s.aside(it))
	}
	if r.unsettled {
		s.reading.notAfter(r.at.Add(again))
	}
}

// aside is the row as it must wait for its client.
func (s *shift) aside(it item) move {
	l := s.desk.lanes[it.call().ClientID]
	return move{item: it, to: it.failed(l.why, time.Now()), at: l.until}
}
