package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
)

func watchEndPromises() []promise {
	return []promise{
		{"a watcher that cannot keep up gets ErrGap and holds nobody up", proveGap},
		{"a Watch ends with the error of its context", func(t *testing.T, s store.Store) {
			ctx, cancel := context.WithCancel(t.Context())
			w, err := s.Watch(ctx, "")
			if err != nil {
				t.Fatalf("Watch: %v", err)
			}
			cancel()
			wantEnded(t, w, context.Canceled)
			commit(t, s, store.Put("a", nil)) // disturbs nobody
		}},
		{"a Watch that Close ends has ErrClosed", func(t *testing.T, s store.Store) {
			w := watch(t, s, "")
			if err := s.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			wantEnded(t, w, store.ErrClosed)
		}},
	}
}

// wantEnded drains w and fails unless it ends with want.
func wantEnded(t *testing.T, w store.Watch, want error) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, ok := <-w.Events():
			if ok {
				continue
			}
			if err := w.Err(); !errors.Is(err, want) {
				t.Errorf("the Watch ended with %v, want %v", err, want)
			}
			return
		case <-deadline:
			t.Fatalf("the Watch did not end, want %v", want)
		}
	}
}

// proveGap writes far more than anybody would queue, while one watcher sleeps
// and another reads.
func proveGap(t *testing.T, s store.Store) {
	const commits = 400
	slow, brisk := watch(t, s, "p/"), watch(t, s, "done")
	ops := make([]store.Op, store.MaxOps)
	for i := range ops {
		ops[i] = store.Put(fmt.Sprintf("p/%d", i), nil)
	}
	for range commits {
		commit(t, s, ops...)
	}
	commit(t, s, store.Put("done", nil))
	if e := next(t, brisk); e.Key != "done" {
		t.Errorf("the other watcher got %+v, want the event of done", e)
	}
	wantEnded(t, slow, store.ErrGap)
}

func closePromises() []promise {
	return []promise{
		{"after Close every call fails with ErrClosed, and a second Close does nothing", func(t *testing.T, s store.Store) {
			if err := s.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			_, errGet := s.Get(t.Context(), "a")
			_, errList := s.List(t.Context(), "", "", 1)
			_, errCommit := s.Commit(t.Context(), store.Put("a", nil))
			_, errWatch := s.Watch(t.Context(), "")
			for what, err := range map[string]error{"Get": errGet, "List": errList, "Commit": errCommit, "Watch": errWatch} {
				if !errors.Is(err, store.ErrClosed) {
					t.Errorf("%s after Close: got error %v, want ErrClosed", what, err)
				}
			}
			if err := s.Close(); err != nil {
				t.Errorf("a second Close: %v", err)
			}
		}},
		{"Close among callers leaves each with an answer", proveCloseUnderLoad},
		{"every call fails with the error of a context that has ended", func(t *testing.T, s store.Store) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, errGet := s.Get(ctx, "a")
			_, errList := s.List(ctx, "", "", 1)
			_, errCommit := s.Commit(ctx, store.Put("a", nil))
			_, errWatch := s.Watch(ctx, "")
			for what, err := range map[string]error{"Get": errGet, "List": errList, "Commit": errCommit, "Watch": errWatch} {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s: got error %v, want the context's", what, err)
				}
			}
			wantAbsent(t, s, "a")
		}},
		{"a Commit whose context ends meanwhile happens whole or not at all", proveCancelledCommits},
	}
}

func proveCloseUnderLoad(t *testing.T, s store.Store) {
	var callers sync.WaitGroup
	for i := range 16 {
		callers.Go(func() {
			for n := 0; ; n++ {
				_, err := s.Commit(context.Background(), store.Put(fmt.Sprintf("%d/%d", i, n), nil))
				if err == nil {
					_, err = s.Get(context.Background(), "a")
				}
				if errors.Is(err, store.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("got error %v, want none or ErrClosed", err)
					return
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	answered := make(chan struct{})
	go func() { callers.Wait(); close(answered) }()
	select {
	case <-answered:
	case <-time.After(patience):
		t.Fatal("somebody got no answer")
	}
}

// proveCancelledCommits also hands the engine slices that their owner changes
// as soon as Commit returns, which the race detector would notice.
func proveCancelledCommits(t *testing.T, s store.Store) {
	for i := range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(time.Duration(i)*10*time.Microsecond, cancel)
		value := []byte("whole")
		_, err := s.Commit(ctx, store.Put(fmt.Sprintf("%03d/a", i), value), store.Put(fmt.Sprintf("%03d/b", i), value))
		copy(value, "XXXXX")
		stop.Stop()
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("Commit: %v", err)
		}
	}
	commit(t, s, store.Put("last", nil)) // now the others have happened, or will not
	records, err := s.List(within(t), "", "", store.MaxList)
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	for i := 0; i < len(records)-1; i += 2 {
		a, b := records[i], records[i+1]
		if a.Key[:3] != b.Key[:3] || a.Version != b.Version || string(a.Value) != "whole" || string(b.Value) != "whole" {
			t.Fatalf("a Commit is there in part: %+v beside %+v", a, b)
		}
	}
}
