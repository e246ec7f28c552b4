package lease_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/lease"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

func newStore(t *testing.T) store.Store {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// node is one caller of Hold.
type node struct {
	name   string
	cut    func()
	ended  chan struct{}
	err    error
	works  atomic.Bool
	begins atomic.Int32
}

// start lets a node work, when it holds the lease, until its context ends.
func start(t *testing.T, s store.Store, name string, one *sync.Mutex) *node {
	t.Helper()
	ctx, cut := context.WithCancel(t.Context())
	n := &node{name: name, cut: cut, ended: make(chan struct{})}
	go func() {
		defer close(n.ended)
		n.err = lease.Hold(ctx, s, "outbox", name, slog.New(slog.DiscardHandler), func(ctx context.Context) error {
			if !one.TryLock() {
				t.Errorf("%s works while another does", name)
				return nil
			}
			defer one.Unlock()
			n.works.Store(true)
			n.begins.Add(1)
			<-ctx.Done()
			n.works.Store(false)
			return ctx.Err()
		})
	}()
	return n
}

// flaky is a node's way to the store, which can be cut.
type flaky struct {
	store.Store
	down  atomic.Bool
	hangs atomic.Bool // a Commit is never answered
	loses atomic.Bool // a Commit happens, its answer is lost
}

var errDown = errors.New("the network is down")

func (f *flaky) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	switch {
	case f.hangs.Load():
		<-ctx.Done()
		return 0, ctx.Err()
	case f.down.Load():
		return 0, errDown
	}
	v, err := f.Store.Commit(ctx, ops...)
	if f.loses.CompareAndSwap(true, false) {
		return 0, errDown
	}
	return v, err
}

func (f *flaky) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	if f.down.Load() {
		return nil, errDown
	}
	return f.Store.Get(ctx, keys...)
}

// meeting is a store that shows nobody what it holds before so many have asked.
type meeting struct {
	store.Store
	all *sync.WaitGroup
	met sync.Once // of one node: it asks for itself once
}

func (m *meeting) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	records, err := m.Store.Get(ctx, keys...)
	m.met.Do(func() {
		m.all.Done()
		m.all.Wait()
	})
	return records, err
}

func TestOfNodesThatFoundTheLeaseFreeTogetherOneTakesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, one, both := newStore(t), &sync.Mutex{}, &sync.WaitGroup{}
		both.Add(2)
		a, b := start(t, &meeting{Store: s, all: both}, "a", one), start(t, &meeting{Store: s, all: both}, "b", one)
		synctest.Wait()
		if a.works.Load() == b.works.Load() {
			t.Errorf("a works: %t, b works: %t, want one of them", a.works.Load(), b.works.Load())
		}
		a.cut()
		b.cut()
		<-a.ended
		<-b.ended
	})
}

func TestOneNodeWorksAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, one := newStore(t), &sync.Mutex{}
		a, b := start(t, s, "a", one), start(t, s, "b", one)
		for range 100 {
			time.Sleep(7 * time.Second)
			if a.works.Load() == b.works.Load() {
				t.Fatalf("a works: %t, b works: %t, want one of them", a.works.Load(), b.works.Load())
			}
		}
		if a.begins.Load()+b.begins.Load() != 1 {
			t.Errorf("the work began %d times, want once: it is renewed", a.begins.Load()+b.begins.Load())
		}
		a.cut()
		b.cut()
		for _, n := range []*node{a, b} {
			if <-n.ended; !errors.Is(n.err, context.Canceled) {
				t.Errorf("%s ended with %v, want context.Canceled", n.name, n.err)
			}
		}
	})
}

func TestACleanStopLetsAnotherTakeOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, one := newStore(t), &sync.Mutex{}
		a := start(t, s, "a", one)
		time.Sleep(8 * time.Second)
		b := start(t, s, "b", one)
		time.Sleep(time.Second)
		if !a.works.Load() || b.works.Load() {
			t.Fatal("a does not work alone")
		}
		a.cut()
		<-a.ended
		synctest.Wait()
		if !b.works.Load() {
			t.Error("b does not work at once")
		}
		b.cut()
		<-b.ended
	})
}

func TestADeadNodeIsReplacedWhenItsLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, one := newStore(t), &sync.Mutex{}
		// What a node leaves that was killed.
		_, err := s.Commit(t.Context(), store.Put("lease/outbox", []byte(`{"node":"dead","holding":"x"}`)).Until(time.Now().Add(lease.TTL)))
		if err != nil {
			t.Fatal(err)
		}
		b := start(t, s, "b", one)
		time.Sleep(lease.TTL - time.Second)
		if b.works.Load() {
			t.Error("b works while the other may live")
		}
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		if !b.works.Load() {
			t.Error("b does not take over")
		}
		b.cut()
		<-b.ended
	})
}

// The mutex in start is what is tested: a must have stopped before b begins.
func TestANodeThatCannotRenewStopsBeforeAnotherBegins(t *testing.T) {
	for name, fail := range map[string]func(*flaky){
		"the store refuses": func(f *flaky) { f.down.Store(true) },
		"the store hangs":   func(f *flaky) { f.hangs.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, one := newStore(t), &sync.Mutex{}
				way := &flaky{Store: s}
				a := start(t, way, "a", one)
				time.Sleep(time.Second)
				b := start(t, s, "b", one)
				fail(way)
				time.Sleep(lease.TTL - lease.Margin - time.Second - time.Millisecond)
				if !a.works.Load() {
					t.Error("a gave up too early")
				}
				time.Sleep(2 * time.Millisecond)
				synctest.Wait()
				if a.works.Load() || b.works.Load() {
					t.Errorf("at the end: a works: %t, b works: %t, want neither", a.works.Load(), b.works.Load())
				}
				time.Sleep(lease.Margin + time.Second)
				if !b.works.Load() {
					t.Error("b does not take over")
				}
				way.down.Store(false)
				way.hangs.Store(false)
				time.Sleep(time.Minute)
				if a.works.Load() || !b.works.Load() {
					t.Error("a took it back")
				}
				b.cut()
				<-b.ended
				time.Sleep(time.Second)
				if !a.works.Load() {
					t.Error("a does not wait for its turn")
				}
				a.cut()
				<-a.ended
			})
		})
	}
}

func TestALeaseThatWasTakenFromAboveIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, one := newStore(t), &sync.Mutex{}
		a := start(t, s, "a", one)
		time.Sleep(time.Second)
		_, err := s.Commit(t.Context(), store.Put("lease/outbox", []byte(`{"node":"b","holding":"x"}`)).Until(time.Now().Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(lease.Renew)
		synctest.Wait()
		if a.works.Load() {
			t.Error("a works although the lease is another's")
		}
		a.cut()
		<-a.ended
	})
}

func TestARenewalWhoseAnswerWasLostLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, one := newStore(t), &sync.Mutex{}
		way := &flaky{Store: s}
		a := start(t, way, "a", one)
		time.Sleep(time.Second)
		way.loses.Store(true)
		time.Sleep(10 * lease.TTL)
		if !a.works.Load() || a.begins.Load() != 1 {
			t.Errorf("a works: %t, began %d times", a.works.Load(), a.begins.Load())
		}
		a.cut()
		<-a.ended
	})
}

// Winding down takes time; nobody else begins while it lasts.
func TestTheLeaseIsKeptWhileTheWorkWindsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, one := newStore(t), &sync.Mutex{}
		ctx, cut := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = lease.Hold(ctx, s, "outbox", "a", slog.New(slog.DiscardHandler), func(ctx context.Context) error {
				one.Lock()
				defer one.Unlock()
				<-ctx.Done()
				time.Sleep(3 * lease.TTL)
				return nil
			})
		}()
		time.Sleep(time.Second)
		b := start(t, s, "b", one)
		cut()
		<-ended
		synctest.Wait()
		if !b.works.Load() {
			t.Error("b does not take over")
		}
		b.cut()
		<-b.ended
	})
}

func TestHoldReturnsWhatTheWorkReturns(t *testing.T) {
	s, want := newStore(t), errors.New("done")
	for range 2 {
		err := lease.Hold(t.Context(), s, "outbox", "a", slog.New(slog.DiscardHandler), func(context.Context) error { return want })
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	err := lease.Hold(t.Context(), s, "outbox", "a", slog.New(slog.DiscardHandler), func(context.Context) error { return want })
	if !errors.Is(err, store.ErrClosed) {
		t.Errorf("after Close: got %v, want store.ErrClosed", err)
	}
}
