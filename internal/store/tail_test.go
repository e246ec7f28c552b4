package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
)

// taken is what a tail has handed over so far.
type taken struct {
	mu      sync.Mutex
	records []store.Record
	busy    bool
	hold    chan struct{} // take waits for it, if there is one
	wrong   []string
}

func (k *taken) take(records []store.Record) {
	k.mu.Lock()
	if k.busy {
		k.wrong = append(k.wrong, "take was called twice at once")
	}
	if len(records) == 0 {
		k.wrong = append(k.wrong, "take got nothing")
	}
	k.busy = true
	hold := k.hold
	k.mu.Unlock()
	if hold != nil {
		<-hold
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.busy = false
	k.records = append(k.records, records...)
}

// want checks that exactly the records of those versions came, each once, in
// their order.
func (k *taken) want(t *testing.T, versions []store.Version) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, w := range k.wrong {
		t.Error(w)
	}
	got := make([]store.Version, len(k.records))
	for i, r := range k.records {
		got[i] = r.Version
	}
	slices.Sort(versions)
	if slices.Equal(got, versions) {
		return
	}
	t.Errorf("got %d records, want %d", len(got), len(versions))
	for i := range min(len(got), len(versions)) {
		if got[i] != versions[i] {
			t.Errorf("the first to differ is number %d: version %d, want %d", i, got[i], versions[i])
			return
		}
	}
}

func tail(t *testing.T, s store.Store, k *taken) *store.Tail {
	t.Helper()
	tl, err := store.OpenTail(t.Context(), s, "j/", k.take, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tl.Close)
	return tl
}

// record adds one record to the journal, under a key anywhere in it.
func record(t *testing.T, s store.Store) store.Version {
	t.Helper()
	return put(t, s, store.Put(fmt.Sprintf("j/%016x", rand.Uint64()), []byte("x")).IfAbsent())
}

func records(t *testing.T, s store.Store, n int) []store.Version {
	t.Helper()
	versions := make([]store.Version, n)
	for i := range versions {
		versions[i] = record(t, s)
	}
	return versions
}

func caughtUp(t *testing.T, tl *store.Tail, v store.Version) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := tl.Wait(ctx, v); err != nil {
		t.Fatalf("Wait: %v", err)
	}
}

func TestATailHandsOverAllThatIsThereInTheOrderOfVersions(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		versions := records(t, s, 2*store.MaxList+17) // of shuffled keys, on three pages
		put(t, s, store.Put("k/other", nil))
		var k taken
		tl := tail(t, s, &k)
		k.want(t, versions)
		if got, want := tl.Head(), versions[len(versions)-1]; got != want {
			t.Errorf("Head = %d, want %d", got, want)
		}
	})
}

func TestATailHandsOverWhatIsAddedAndNothingElse(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var k taken
		tl := tail(t, s, &k)
		if tl.Head() != 0 {
			t.Errorf("Head of an empty journal = %d", tl.Head())
		}
		first := put(t, s, store.Put("k/other", nil), store.Put("j/b", []byte("value")).Until(time.Now().Add(time.Hour)))
		put(t, s, store.Put("k/other", nil))
		put(t, s, store.Delete("j/b"))
		second := record(t, s)
		caughtUp(t, tl, second)
		k.want(t, []store.Version{first, second})
		if r := k.records[0]; r.Key != "j/b" || string(r.Value) != "value" || !r.Expires.After(time.Now()) {
			t.Errorf("the record came as %+v", r)
		}
	})
}

func TestATailMissesAndRepeatsNothingWhileOthersWrite(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		versions := records(t, s, 1500)
		var (
			mu      sync.Mutex
			writers sync.WaitGroup
		)
		for range 4 {
			writers.Go(func() {
				for range 300 {
					v := record(t, s)
					mu.Lock()
					versions = append(versions, v)
					mu.Unlock()
				}
			})
		}
		var early, late taken
		one := tail(t, s, &early) // opens while they write
		two := tail(t, s, &late)
		writers.Wait()
		last := slices.Max(versions)
		caughtUp(t, one, last)
		caughtUp(t, two, last)
		early.want(t, versions)
		late.want(t, versions)
	})
}

// paged lets something happen after the first page of a List, and keeps what is
// watched back: an engine tells of a change a moment after it can be read.
type paged struct {
	store.Store
	between func()
	release chan struct{}
}

func (p *paged) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	recs, err := p.Store.List(ctx, prefix, after, limit)
	if after == "" {
		p.between()
	}
	return recs, err
}

type lateWatch struct {
	store.Watch
	events chan store.Event
}

func (w lateWatch) Events() <-chan store.Event { return w.events }

func (p *paged) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	w, err := p.Store.Watch(ctx, prefix)
	if err != nil {
		return nil, err
	}
	late := lateWatch{w, make(chan store.Event)}
	go func() {
		defer close(late.events)
		<-p.release
		for e := range w.Events() {
			select {
			case late.events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return late, nil
}

// A record that lands on a page that was read already is not lost because a
// younger one was on a page that was not.
func TestPagesThatWereReadAtDifferentMomentsLoseNothing(t *testing.T) {
	bubble(t, func(t *testing.T, inner store.Store) {
		versions := make([]store.Version, 0, store.MaxList+3)
		for i := range store.MaxList + 1 {
			versions = append(versions, put(t, inner, store.Put(fmt.Sprintf("j/5%04d", i), nil)))
		}
		s := &paged{Store: inner, release: make(chan struct{})}
		s.between = func() {
			n := len(versions)
			if n > store.MaxList+4 { // twice: as often as opening reads
				return
			}
			versions = append(versions, put(t, inner, store.Put(fmt.Sprintf("j/1%d", n), nil))) // before the page that was read
			versions = append(versions, put(t, inner, store.Put(fmt.Sprintf("j/9%d", n), nil))) // on the next one
		}
		var k taken
		tl := tail(t, s, &k)
		close(s.release)
		caughtUp(t, tl, put(t, inner, store.Put("other", nil)))
		k.want(t, versions)
	})
}

// Who waits for a Commit of other rooms alone would wait for ever if only an
// event could end it.
func TestWaitReturnsForACommitWithoutARecord(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var k taken
		tl := tail(t, s, &k)
		v := put(t, s, store.Put("elsewhere", nil))
		var waiting sync.WaitGroup
		for range 8 {
			waiting.Go(func() { caughtUp(t, tl, v) })
		}
		waiting.Wait()
		k.want(t, nil)
	})
}

func TestWaitReturnsAfterTakeHasHadTheRecord(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		k := taken{hold: make(chan struct{})}
		tl := tail(t, s, &k)
		v := record(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := tl.Wait(ctx, v); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait = %v before the record was taken, want its context's error", err)
		}
		close(k.hold)
		caughtUp(t, tl, v)
		k.want(t, []store.Version{v})
	})
}

// The event is on its way and the reading that makes up for it has only begun.
func TestWaitDoesNotReturnBeforeTheReadingThatItAskedForIsDone(t *testing.T) {
	bubble(t, func(t *testing.T, inner store.Store) {
		s := &paged{Store: &flaky{Store: inner}, between: func() {}, release: make(chan struct{})}
		var k taken
		tl := tail(t, s, &k)
		v := record(t, inner)
		hold := make(chan struct{})
		s.Store.(*flaky).hold.Store(&hold)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := tl.Wait(ctx, v); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait = %v, want its context's error", err)
		}
		k.want(t, nil)
		s.Store.(*flaky).hold.Store(nil)
		close(hold)
		caughtUp(t, tl, v)
		k.want(t, []store.Version{v})
		close(s.release)
	})
}

func TestATailEndsWhenItIsClosedAndWithItsStore(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var k, other taken
		tl, left := tail(t, s, &k), tail(t, s, &other)
		tl.Close()
		tl.Close()
		if err := tl.Wait(t.Context(), 1<<60); !errors.Is(err, store.ErrClosed) {
			t.Errorf("Wait after Close = %v, want ErrClosed", err)
		}
		v := record(t, s)
		caughtUp(t, left, v)
		k.want(t, nil)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := left.Wait(t.Context(), v+1); !errors.Is(err, store.ErrClosed) {
			t.Errorf("Wait after the store's end = %v, want ErrClosed", err)
		}
	})
}

func TestATailOutlivesTheContextOfItsOpening(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		var k taken
		tl, err := store.OpenTail(ctx, s, "j/", k.take, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tl.Close()
		cancel()
		v := record(t, s)
		caughtUp(t, tl, v)
		k.want(t, []store.Version{v})
	})
}

func TestOpenTailFailsWithWhatPreventedIt(t *testing.T) {
	bubble(t, func(t *testing.T, inner store.Store) {
		s := &flaky{Store: inner}
		s.down.Store(true)
		var k taken
		if _, err := store.OpenTail(t.Context(), s, "j/", k.take, nil); err == nil {
			t.Error("a tail of an engine that is down was opened")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := store.OpenTail(ctx, inner, "j/", k.take, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("OpenTail = %v, want the context's error", err)
		}
	})
}
