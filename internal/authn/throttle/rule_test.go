package throttle

import (
	"testing"
	"time"
)

func TestTheFifthFailureCostsASecondAndEachFurtherOneTwice(t *testing.T) {
	r := pairRule()
	for failures, want := range map[int]time.Duration{
		0: 0, 1: 0, 4: 0,
		5: time.Second, 6: 2 * time.Second, 7: 4 * time.Second, 14: 512 * time.Second,
		15: 15 * time.Minute, 16: 15 * time.Minute, 1 << 30: 15 * time.Minute,
	} {
		if got := r.Wait(failures); got != want {
			t.Errorf("%d failures: wait %v, want %v", failures, got, want)
		}
	}
}

func TestFailuresAreForgottenOneByOne(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	tally := newTally(pairRule())()
	for range 6 {
		tally.fail(now)
	}
	for _, c := range []struct {
		after    time.Duration
		failures int
		wait     time.Duration
	}{
		{0, 6, 2 * time.Second},
		{time.Second, 6, time.Second},
		{2 * time.Second, 6, 0},
		{time.Hour, 5, 0},
		{2 * time.Hour, 4, 0},
		{5*time.Hour + time.Minute, 1, 0},
		{6 * time.Hour, 0, 0},
		{1000 * time.Hour, 0, 0},
	} {
		at := now.Add(c.after)
		if tally.failures(at) != c.failures || tally.wait(at) != c.wait {
			t.Errorf("after %v: %d failures, wait %v; want %d, %v", c.after, tally.failures(at), tally.wait(at), c.failures, c.wait)
		}
	}
}

// However long an attack went on, its end is felt soon.
func TestCountingStopsWhereMoreFailuresWouldChangeNothing(t *testing.T) {
	for _, r := range []Rule{pairRule(), addressRule(), accountRule()} {
		now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		tally := newTally(r)()
		for range 10_000 {
			tally.fail(now)
		}
		if got, most := tally.failures(now), r.Free+12; got > most || r.Wait(got) != r.Cap {
			t.Errorf("%+v: %d failures, wait %v; want at most %d, and the cap", r, got, r.Wait(got), most)
		}
	}
}

func TestMemoryIsBoundedAndWhatIsUsedIsKept(t *testing.T) {
	g := newGenerations[int, string](10)
	for i := range 1000 {
		g.put(0, "kept") // used all the time
		g.put(1+i, "passing")
	}
	if got := len(g.young) + len(g.old); got > 20 {
		t.Errorf("%d entries, want at most 20", got)
	}
	absent := func() string { return "" }
	if g.peek(0, absent) != "kept" {
		t.Error("what was used all the time is gone")
	}
	if g.peek(1, absent) != "" {
		t.Error("what was never used again is still there")
	}
}
