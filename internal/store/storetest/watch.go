package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
)

func watchPromises() []promise {
	return []promise{
		{"Watch reports the puts and deletions under its prefix alone", proveWatchPrefix},
		{"Watch reports no Commit that failed and none from before it", func(t *testing.T, s store.Store) {
			v := commit(t, s, store.Put("p/a", []byte("before")))
			w := watch(t, s, "p/")
			_, err := s.Commit(within(t), store.Put("p/b", nil), store.Put("p/a", nil).If(v+1))
			wantConflict(t, err, "p/a")
			last := commit(t, s, store.Put("p/c", nil))
			if e := next(t, w); e.Key != "p/c" || e.Version != last {
				t.Errorf("the first event is %+v, want that of p/c", e)
			}
		}},
		{"when Watch has returned no later change is missed", proveWatchMissesNothing},
		{"events arrive in the order of versions and those of one Commit are neighbours", proveWatchOrder},
		{"all events of a Commit but the last say that more follow", func(t *testing.T, s store.Store) {
			commit(t, s, store.Put("p/gone", nil))
			w := watch(t, s, "p/")
			commit(t, s, store.Put("p/a", nil), store.Put("other", nil), store.Delete("p/gone"), store.Put("p/b", nil), store.Unchanged("p/c", 0))
			commit(t, s, store.Put("p/z", nil), store.Put("q", nil))
			for i, want := range []bool{true, true, false, false} {
				if e := next(t, w); e.More != want {
					t.Errorf("event %d, %q: more follow: %t, want %t", i, e.Key, e.More, want)
				}
			}
		}},
		{"every watcher gets every event with a value of its own", func(t *testing.T, s store.Store) {
			one, two := watch(t, s, "p/"), watch(t, s, "")
			commit(t, s, store.Put("p/a", []byte("value")))
			first, second := next(t, one), next(t, two)
			first.Value[0] = 'X'
			if string(second.Value) != "value" {
				t.Errorf("the other watcher sees %q, want %q", second.Value, "value")
			}
			wantValue(t, s, "p/a", "value")
		}},
	}
}

// watch subscribes until the test ends.
func watch(t *testing.T, s store.Store, prefix string) store.Watch {
	t.Helper()
	w, err := s.Watch(t.Context(), prefix)
	if err != nil {
		t.Fatalf("Watch(%q): %v", prefix, err)
	}
	return w
}

// next returns the next event, which must come.
func next(t *testing.T, w store.Watch) store.Event {
	t.Helper()
	select {
	case e, ok := <-w.Events():
		if !ok {
			t.Fatalf("the Watch ended: %v", w.Err())
		}
		return e
	case <-time.After(patience):
		t.Fatal("no event came")
	}
	return store.Event{}
}

func proveWatchPrefix(t *testing.T, s store.Store) {
	commit(t, s, store.Put("p/gone", nil))
	w := watch(t, s, "p/")
	until := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	commit(t, s, store.Put("other", nil))
	put := commit(t, s, store.Put("p/a", []byte("value")).Until(until), store.Put("q", nil))
	deleted := commit(t, s, store.Delete("p/gone"))
	commit(t, s, store.Put("p", nil))
	last := commit(t, s, store.Put("p/z", nil))

	if e := next(t, w); e.Key != "p/a" || string(e.Value) != "value" || e.Version != put || !e.Expires.Equal(until) || e.Deleted {
		t.Errorf("the put is reported as %+v", e)
	}
	if e := next(t, w); e.Key != "p/gone" || e.Value != nil || e.Version != deleted || !e.Expires.IsZero() || !e.Deleted {
		t.Errorf("the deletion is reported as %+v", e)
	}
	if e := next(t, w); e.Key != "p/z" || e.Version != last {
		t.Errorf("the last event is %+v, want that of p/z", e)
	}
}

// proveWatchMissesNothing subscribes in the midst of traffic, again and again:
// whatever a Commit began after Watch had returned must arrive.
func proveWatchMissesNothing(t *testing.T, s store.Store) {
	const writers, each = 4, 30
	ctx := within(t)
	together(writers, func(i int) {
		for n := range each {
			w, err := s.Watch(ctx, fmt.Sprintf("p/%d/", i))
			if err != nil {
				t.Errorf("Watch: %v", err)
				return
			}
			v, err := s.Commit(ctx, store.Put(fmt.Sprintf("p/%d/%d", i, n), nil))
			if err != nil {
				t.Errorf("Commit: %v", err)
				return
			}
			select {
			case e := <-w.Events():
				if e.Version > v {
					t.Errorf("the first event has version %d, want that of the Commit, %d", e.Version, v)
				}
			case <-ctx.Done():
				t.Error("the change was missed")
				return
			}
		}
	})
}

func proveWatchOrder(t *testing.T, s store.Store) {
	const writers, each, ops = 8, 10, 3
	w := watch(t, s, "p/")
	ctx := within(t)
	together(writers, func(i int) {
		for n := range each {
			_, err := s.Commit(ctx, store.Put(fmt.Sprintf("p/%d/%d/a", i, n), nil), store.Put("p/shared", nil),
				store.Put(fmt.Sprintf("elsewhere/%d/%d", i, n), nil), store.Put(fmt.Sprintf("p/%d/%d/b", i, n), nil))
			if err != nil {
				t.Errorf("Commit: %v", err)
				return
			}
		}
	})
	seen := map[string]int{} // per version and key, because an event may arrive twice
	var last store.Version
	for len(seen) < writers*each*ops {
		e := next(t, w)
		if e.Version < last {
			t.Fatalf("an event of version %d came after one of %d", e.Version, last)
		}
		if e.Version > last && last != 0 && len(seen)%ops != 0 {
			t.Fatalf("version %d interrupts the events of version %d", e.Version, last)
		}
		if !strings.HasPrefix(e.Key, "p/") {
			t.Fatalf("an event of key %q came to a Watch of p/", e.Key)
		}
		last = e.Version
		seen[fmt.Sprint(e.Version, " ", e.Key)]++
	}
}
