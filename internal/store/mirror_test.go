package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

// bubble runs prove in virtual time on a store of its own.
func bubble(t *testing.T, prove func(t *testing.T, s store.Store)) {
	path := filepath.Join(t.TempDir(), "signet.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := boltstore.Open(path, boltstore.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		prove(t, s)
	})
}

// text decodes a record as its value, and refuses "bad".
func text(r store.Record) (string, error) {
	if string(r.Value) == "bad" {
		return "", errors.New("not a text")
	}
	return string(r.Value), nil
}

func mirror(t *testing.T, s store.Store, logger *slog.Logger) *store.Mirror[string] {
	t.Helper()
	m, err := store.OpenMirror(t.Context(), s, "p/", text, logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func put(t *testing.T, s store.Store, ops ...store.Op) store.Version {
	t.Helper()
	v, err := s.Commit(t.Context(), ops...)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	return v
}

func wait(t *testing.T, m *store.Mirror[string], v store.Version) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := m.Wait(ctx, v); err != nil {
		t.Fatalf("Wait(%d): %v", v, err)
	}
}

// wantCopy fails unless the mirror holds exactly want, by every way to read it.
func wantCopy(t *testing.T, m *store.Mirror[string], want map[string]string) {
	t.Helper()
	if got := maps.Collect(m.All()); !maps.Equal(got, want) {
		t.Errorf("the copy is %v, want %v", got, want)
	}
	if m.Len() != len(want) {
		t.Errorf("Len is %d, want %d", m.Len(), len(want))
	}
	for key, value := range want {
		if got, ok := m.Get(key); !ok || got != value {
			t.Errorf("Get(%q) = %q, %v, want %q", key, got, ok, value)
		}
	}
}

func TestAMirrorHoldsWhatIsUnderItsPrefix(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		put(t, s, store.Put("p/b", []byte("1")), store.Put("p/a", []byte("2")), store.Put("q", nil))
		m := mirror(t, s, nil)
		wantCopy(t, m, map[string]string{"p/a": "2", "p/b": "1"})
		if _, ok := m.Get("q"); ok {
			t.Error("the copy holds a record of another prefix")
		}
	})
}

func TestAMirrorLoadsMoreThanOnePage(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		want := map[string]string{}
		for i := range 2001 {
			key := fmt.Sprintf("p/%d", i)
			want[key] = fmt.Sprint(i)
			put(t, s, store.Put(key, []byte(want[key])))
		}
		wantCopy(t, mirror(t, s, nil), want)
	})
}

func TestAMirrorFollowsPutsAndDeletions(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		put(t, s, store.Put("p/a", []byte("1")), store.Put("p/b", []byte("2")))
		m := mirror(t, s, nil)
		put(t, s, store.Put("p/a", []byte("new")), store.Delete("p/b"))
		wait(t, m, put(t, s, store.Put("p/c", []byte("3"))))
		wantCopy(t, m, map[string]string{"p/a": "new", "p/c": "3"})
	})
}

func TestAllYieldsASnapshotInKeyOrder(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		put(t, s, store.Put("p/c", nil), store.Put("p/a", nil), store.Put("p/b", nil))
		m := mirror(t, s, nil)
		var seen []string
		for key := range m.All() {
			wait(t, m, put(t, s, store.Delete("p/c"), store.Put("p/d", nil)))
			seen = append(seen, key)
		}
		if got := strings.Join(seen, " "); got != "p/a p/b p/c" {
			t.Errorf("the loop saw %s, want what there was as it began, in order", got)
		}
	})
}

func TestAMirrorJudgesExpiryByItself(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		put(t, s, store.Put("p/listed", nil).Until(time.Now().Add(time.Minute)), store.Put("p/kept", nil))
		m := mirror(t, s, nil)
		wait(t, m, put(t, s, store.Put("p/watched", nil).Until(time.Now().Add(time.Minute))))
		time.Sleep(time.Minute - 1)
		wantCopy(t, m, map[string]string{"p/listed": "", "p/watched": "", "p/kept": ""})
		time.Sleep(1 * time.Nanosecond)
		wantCopy(t, m, map[string]string{"p/kept": ""})
		for _, key := range []string{"p/listed", "p/watched"} {
			if _, ok := m.Get(key); ok {
				t.Errorf("Get still yields %q", key)
			}
		}
	})
}

func TestARecordThatCannotBeDecodedIsLoggedOnceAndLeftOut(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		var log strings.Builder
		put(t, s, store.Put("p/a", []byte("good")), store.Put("p/b", []byte("bad")), store.Put("p/c", []byte("good")))
		m := mirror(t, s, slog.New(slog.NewTextHandler(&log, nil)))
		other := put(t, s, store.Put("q", nil))
		wait(t, m, other) // a version without an event: the copy is loaded anew
		wantCopy(t, m, map[string]string{"p/a": "good", "p/c": "good"})
		if n := strings.Count(log.String(), "p/b"); n != 1 {
			t.Errorf("the record is logged %d times, want once:\n%s", n, log.String())
		}
		// What was good and is not any more is left out, too: the old value is not
		// what the store holds.
		wait(t, m, put(t, s, store.Put("p/a", []byte("bad")), store.Put("p/b", []byte("good"))))
		wantCopy(t, m, map[string]string{"p/b": "good", "p/c": "good"})
	})
}

func TestWaitReturnsForAVersionThatDidNotTouchThePrefix(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		m := mirror(t, s, nil)
		began := time.Now()
		wait(t, m, put(t, s, store.Put("elsewhere", nil)))
		if took := time.Since(began); took > time.Second {
			t.Errorf("Wait took %s", took)
		}
	})
}

func TestWaitEndsWithItsContextAndWithTheMirror(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		m := mirror(t, s, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := m.Wait(ctx, 1<<40); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait returned %v, want its context's error", err)
		}
		m.Close()
		if err := m.Wait(t.Context(), 1<<40); !errors.Is(err, store.ErrClosed) {
			t.Errorf("Wait on a closed mirror returned %v, want ErrClosed", err)
		}
	})
}

func TestChangedCoalescesAndMissesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		m := mirror(t, s, nil)
		changed := m.Changed()
		synctest.Wait()
		select {
		case <-changed:
			t.Error("a change is told that nobody made")
		default:
		}
		put(t, s, store.Put("p/a", nil))
		put(t, s, store.Put("p/b", nil))
		synctest.Wait()
		<-changed
		wantCopy(t, m, map[string]string{"p/a": "", "p/b": ""})
	})
}

func TestAMirrorEndsWithItsStore(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		put(t, s, store.Put("p/a", []byte("1")))
		m := mirror(t, s, nil)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := m.Wait(t.Context(), 1<<40); !errors.Is(err, store.ErrClosed) {
			t.Errorf("Wait returned %v, want ErrClosed", err)
		}
		wantCopy(t, m, map[string]string{"p/a": "1"})
	})
}

func TestAMirrorOutlivesTheContextOfItsOpening(t *testing.T) {
	bubble(t, func(t *testing.T, s store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		m, err := store.OpenMirror(ctx, s, "p/", text, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		cancel()
		synctest.Wait()
		wait(t, m, put(t, s, store.Put("p/a", []byte("1"))))
		wantCopy(t, m, map[string]string{"p/a": "1"})
	})
}

// The real thing: several writers, a reader that always waits for its own
// write, and at the end a copy that is the store.
func TestAMirrorUnderLoadEqualsItsStore(t *testing.T) {
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m := mirror(t, s, nil)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for n := range 200 {
				key := fmt.Sprintf("p/%d/%d", i, n%17)
				op := store.Put(key, fmt.Append(nil, n))
				if n%5 == 4 {
					op = store.Delete(key)
				}
				v, err := s.Commit(t.Context(), op, store.Put("p/shared", fmt.Append(nil, i, n)))
				if err == nil {
					err = m.Wait(t.Context(), v)
				}
				if err != nil {
					t.Error(err)
					return
				}
				if got, ok := m.Get(key); ok == op.Delete || ok && got != fmt.Sprint(n) {
					t.Errorf("after Wait %q is %q, %v, want the write before it", key, got, ok)
				}
			}
		})
	}
	writers.Wait()
	records, err := s.List(t.Context(), "p/", "", store.MaxList)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, r := range records {
		want[r.Key] = string(r.Value)
	}
	wantCopy(t, m, want)
}
