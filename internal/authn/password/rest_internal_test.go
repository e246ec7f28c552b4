package password

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestHashingRestsWhereOthersWantTheProcessor(t *testing.T) {
	const quick = 24 * time.Millisecond
	for took, want := range map[time.Duration]time.Duration{
		quick:                  0, // nobody else was there
		35 * time.Millisecond:  0,
		36 * time.Millisecond:  60 * time.Millisecond, // 24 of 96: a quarter of the time
		60 * time.Millisecond:  36 * time.Millisecond,
		96 * time.Millisecond:  0, // it had no more than its share
		800 * time.Millisecond: 0,
	} {
		if got := restAfter(took, quick); got != want {
			t.Errorf("after %v it rests for %v, want %v", took, got, want)
		}
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
			h.leave(took)
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
