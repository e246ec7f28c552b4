package throttle

import "time"

// Rule says how failures become a wait: the first Free cost nothing, the next
// costs First, each further one twice the one before, up to Cap. One failure is
// forgotten per Forget.
type Rule struct {
	Free   int
	First  time.Duration
	Cap    time.Duration
	Forget time.Duration
}

// Wait returns how long after the last of so many failures to wait.
func (r Rule) Wait(failures int) time.Duration {
	if failures <= r.Free {
		return 0
	}
	wait := r.First
	for n := r.Free + 1; n < failures && wait < r.Cap; n++ {
		wait *= 2
	}
	return min(wait, r.Cap)
}

// most is the number of failures beyond which more change nothing. Counting on
// would only make them take longer to be forgotten.
func (r Rule) most() int {
	n := r.Free + 1
	for r.Wait(n) < r.Cap {
		n++
	}
	return n
}

// tally counts the failures of one account or address. A leak of one failure
// per Forget needs no timer: it is enough to know when all will be forgotten.
type tally struct {
	rule      Rule
	forgotten time.Time // when no failure is left
	last      time.Time // the last failure
	inFlight  int
}

func newTally(r Rule) func() *tally { return func() *tally { return &tally{rule: r} } }

// failures returns how many are not forgotten.
func (t *tally) failures(now time.Time) int {
	left := t.forgotten.Sub(now)
	if left <= 0 {
		return 0
	}
	return int((left + t.rule.Forget - 1) / t.rule.Forget)
}

// wait returns how long nobody may try, 0 if one may now.
func (t *tally) wait(now time.Time) time.Duration {
	return max(0, t.last.Add(t.rule.Wait(t.failures(now))).Sub(now))
}

// room reports whether one more attempt may be in flight: as many as would
// still be free if all of them failed, and one when nothing is free any more.
func (t *tally) room(now time.Time) bool {
	return t.inFlight < max(1, t.rule.Free+1-t.failures(now))
}

func (t *tally) fail(now time.Time) {
	if t.forgotten.Before(now) {
		t.forgotten = now
	}
	t.forgotten = t.forgotten.Add(t.rule.Forget)
	if most := now.Add(time.Duration(t.rule.most()) * t.rule.Forget); t.forgotten.After(most) {
		t.forgotten = most
	}
	t.last = now
}

// reset forgets every failure, but not the attempts in flight: they will be
// settled by themselves.
func (t *tally) reset() { t.forgotten, t.last = time.Time{}, time.Time{} }
