package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// flaky is a store whose reads fail while it is down, and whose watches can be
// cut.
type flaky struct {
	store.Store
	down atomic.Bool
	hold atomic.Pointer[chan struct{}] // List waits for it, if there is one
	mu   sync.Mutex
	cut  []func()
}

type cutWatch struct {
	store.Watch
	gap *atomic.Bool
}

func (w cutWatch) Err() error {
	if w.gap.Load() {
		return store.ErrGap
	}
	return w.Watch.Err()
}

func (f *flaky) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	if f.down.Load() {
		return nil, fault.New(fault.Unavailable, "down")
	}
	ctx, cancel := context.WithCancel(ctx)
	w, err := f.Store.Watch(ctx, prefix)
	gap := new(atomic.Bool)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = append(f.cut, func() { gap.Store(true); cancel() })
	return cutWatch{w, gap}, err
}

func (f *flaky) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	if f.down.Load() {
		return nil, fault.New(fault.Unavailable, "down")
	}
	records, err := f.Store.List(ctx, prefix, after, limit)
	if hold := f.hold.Load(); hold != nil {
		<-*hold
	}
	return records, err
}

// lose makes every Watch lose the thread.
func (f *flaky) lose() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, cut := range f.cut {
		cut()
	}
	f.cut = nil
}

func TestAMirrorRecoversFromAGapAndServesTheOldCopyMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T, inner store.Store) {
		s := &flaky{Store: inner}
		put(t, s, store.Put("p/a", []byte("1")), store.Put("p/b", []byte("2")))
		m := mirror(t, s, nil)

		s.down.Store(true)
		s.lose()
		synctest.Wait()
		put(t, s, store.Put("p/a", []byte("lost")), store.Put("p/c", []byte("3")))
		deleted := put(t, s, store.Delete("p/b")) // no record has this version
		time.Sleep(time.Hour)
		wantCopy(t, m, map[string]string{"p/a": "1", "p/b": "2"})

		s.down.Store(false)
		wait(t, m, deleted)
		wantCopy(t, m, map[string]string{"p/a": "lost", "p/c": "3"})
		wait(t, m, put(t, s, store.Put("p/d", []byte("4"))))
		wantCopy(t, m, map[string]string{"p/a": "lost", "p/c": "3", "p/d": "4"})
	})
}

// An event that arrives during the reload after a gap must not make Wait
// believe that the events before it have arrived as well.
func TestWaitIsNotFooledByAnEventAfterAGap(t *testing.T) {
	bubble(t, func(t *testing.T, inner store.Store) {
		s := &flaky{Store: inner}
		put(t, s, store.Put("p/a", []byte("old")))
		m := mirror(t, s, nil)

		s.down.Store(true)
		s.lose()
		synctest.Wait()
		lost := put(t, s, store.Put("p/a", []byte("lost")))
		hold := make(chan struct{})
		s.hold.Store(&hold)
		s.down.Store(false)
		time.Sleep(time.Minute) // the Watch is back, and List has not answered
		put(t, s, store.Put("p/b", []byte("seen")))
		synctest.Wait()
		if got, _ := m.Get("p/b"); got != "seen" {
			t.Errorf("during a reload the copy holds %q, want the event applied at once", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := m.Wait(ctx, lost); err == nil {
			t.Error("Wait returned before the lost change was in the copy")
		}
		s.hold.Store(nil)
		close(hold)
		wait(t, m, lost)
		wantCopy(t, m, map[string]string{"p/a": "lost", "p/b": "seen"})
	})
}

func TestAChangeWhileTheCopyIsLoadedIsNotLost(t *testing.T) {
	bubble(t, func(t *testing.T, inner store.Store) {
		s := &flaky{Store: inner}
		put(t, s, store.Put("p/a", []byte("1")), store.Put("p/b", []byte("1")))
		hold := make(chan struct{})
		s.hold.Store(&hold)
		go func() {
			time.Sleep(time.Second) // List has read, and not yet answered
			put(t, s, store.Put("p/a", []byte("2")), store.Delete("p/b"), store.Put("p/c", []byte("2")))
			synctest.Wait()
			s.hold.Store(nil)
			close(hold)
		}()
		wantCopy(t, mirror(t, s, nil), map[string]string{"p/a": "2", "p/c": "2"})
	})
}

func TestOpenMirrorFailsWithWhatPreventedIt(t *testing.T) {
	bubble(t, func(t *testing.T, inner store.Store) {
		s := &flaky{Store: inner}
		s.down.Store(true)
		if _, err := store.OpenMirror(t.Context(), s, "p/", text, nil); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("got %v, want the engine's own error", err)
		}
		s.down.Store(false)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 50 { // whichever of its ends is noticed first
			if _, err := store.OpenMirror(ctx, s, "p/", text, nil); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want the context's error", err)
			}
		}
	})
}
