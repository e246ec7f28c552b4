package status_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/status"
)

// link is the road to an engine, which can be cut.
type link struct{ cut atomic.Bool }

func (l *link) ask(context.Context) error {
	if l.cut.Load() {
		return errors.New("no route to the engine")
	}
	return nil
}

// A node that is cut off alone can't hear of what ends elsewhere: it must not say
// that nothing did.
func TestANodeThatIsCutOffDoesNotSayThatNothingHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &link{}
		n := start(t, newStore(t), func(o *status.Options) { o.Ask = l.ask })
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = n.Run(ctx, nil) }()
		defer func() { cancel(); synctest.Wait() }()
		e := newEar()
		listener := n.join(t, "")
		go listener.Serve(ctx, e)
		synctest.Wait()
		<-e.frames // hello
		e.next(t)  // a beat
		l.cut.Store(true)
		time.Sleep(time.Hour)
		if got := len(e.frames); got > 1 { // one may have been due within the time that is trusted
			t.Fatalf("cut off for an hour, the stream has said %d times that nothing has ended", got)
		}
		for len(e.frames) > 0 {
			<-e.frames
		}
		l.cut.Store(false)
		began := time.Now()
		if beat := e.next(t); beat.Event != "beat" || time.Since(began) > 10*time.Second {
			t.Errorf("%v after the engine is back: %+v, want a beat", time.Since(began), beat)
		}
	})
}

func TestANodeThatIsCutOffVouchesForNoToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := &link{}, newStore(t)
		n := start(t, s, func(o *status.Options) { o.Ask = l.ask })
		n.register(t, "robot")
		over, lives := n.take(t, "robot"), n.take(t, "robot")
		n.end(t, s, only(over))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = n.Run(ctx, nil) }()
		defer func() { cancel(); synctest.Wait() }()
		want := func(at slot.Slot, ended bool) {
			t.Helper()
			if got, err := n.Board.HasEnded(at); got != ended || err != nil {
				t.Errorf("HasEnded = %t, %v, want %t", got, err, ended)
			}
		}
		synctest.Wait()
		want(over, true)
		want(lives, false)
		l.cut.Store(true)
		time.Sleep(time.Minute)
		want(over, true) // what has ended does not come back
		if got, err := n.Board.HasEnded(lives); got || fault.KindOf(err) != fault.Unavailable || fault.RetryAfter(err) == 0 {
			t.Errorf("cut off for a minute: HasEnded = %t, %v, want fault unavailable, and when to ask again", got, err)
		}
		l.cut.Store(false)
		time.Sleep(10 * time.Second)
		want(lives, false)
	})
}

func TestANodeThatIsCutOffDatesWhatItSaysBackToWhenItHeardLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := &link{}, newStore(t)
		n := start(t, s, func(o *status.Options) { o.Ask = l.ask })
		n.register(t, "robot")
		at := n.take(t, "robot")
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = n.Run(ctx, nil) }()
		defer func() { cancel(); synctest.Wait() }()
		time.Sleep(time.Minute)
		l.cut.Store(true)
		cut := time.Now()
		time.Sleep(10 * time.Minute)
		if _, c := n.list(t, at.List()); notOf(c.IssuedAt, cut) {
			t.Errorf("the list says that it is of %v, want the last sign of life, at most 10 s before %v", time.Unix(c.IssuedAt, 0), cut)
		}
		e := newEar()
		listener := n.join(t, "")
		go listener.Serve(ctx, e)
		synctest.Wait()
		if hello := parse(t, <-e.frames); notOf(hello.IssuedAt, cut) {
			t.Errorf("hello says that it is of %v, want the last sign of life, at most 10 s before %v", time.Unix(hello.IssuedAt, 0), cut)
		}
		l.cut.Store(false)
		time.Sleep(10 * time.Second)
		n.end(t, s, only(at))
		if _, c := n.list(t, at.List()); c.IssuedAt != time.Now().Unix() {
			t.Errorf("the engine is back, and a new list is of %v", time.Unix(c.IssuedAt, 0))
		}
	})
}

// notOf reports whether iat is not the last sign of life before the cut.
func notOf(iat int64, cut time.Time) bool {
	at := time.Unix(iat, 0)
	return at.After(cut) || cut.Sub(at) > 10*time.Second
}
