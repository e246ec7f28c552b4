package password

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestHashingRestsWhereOthersWantTheProcessor(t *testing.T) {
	const quick = 24 * time.Millisecond
	for _, c := range []struct{ took, others, want time.Duration }{
		{took: quick}, // nobody else was there
		{took: quick, others: 23 * time.Millisecond},
		{took: quick, others: 24 * time.Millisecond, want: 72 * time.Millisecond}, // 24 of 96: a quarter of the time
		{took: 35 * time.Millisecond},
		{took: 36 * time.Millisecond, want: 60 * time.Millisecond},
		{took: 60 * time.Millisecond, others: time.Second, want: 36 * time.Millisecond},
		{took: 96 * time.Millisecond, others: time.Second}, // it had no more than its share
		{took: 800 * time.Millisecond},
	} {
		if got := restAfter(c.took, quick, c.others); got != c.want {
			t.Errorf("after %v, in which others waited for %v, it rests for %v, want %v", c.took, c.others, got, c.want)
		}
	}
}

func TestThatOthersWaitForAProcessorIsSeen(t *testing.T) {
	const each = 50 * time.Millisecond
	before := waited()
	var all sync.WaitGroup
	for range 8 * runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for began := time.Now(); time.Since(began) < each; { //nolint:revive // it is to keep a processor busy
			}
		})
	}
	all.Wait()
	if got := waited() - before; got < each {
		t.Errorf("eight wanted each processor for %v, and waited for %v in all", each, got)
	}
}

func TestNobodyElseHashesWhileHashingRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := New(Options{Memory: 8, Time: 1, Concurrency: 1})
		if err != nil {
			t.Fatal(err)
		}
		turn := func(took time.Duration) (waited time.Duration) {
			began := time.Now()
			if err := h.enter(t.Context()); err != nil {
				t.Fatal(err)
			}
			waited = time.Since(began)
			h.leave(took, 0)
			return waited
		}
		turn(24 * time.Millisecond)
		if waited := turn(60 * time.Millisecond); waited != 0 {
			t.Errorf("after a quick hash the next waited for %v", waited)
		}
		if waited := turn(24 * time.Millisecond); waited != 36*time.Millisecond {
			t.Errorf("after one that was kept waiting the next waited for %v, want 36ms", waited)
		}
	})
}
