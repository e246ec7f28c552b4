package throttle

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/fault"
)

var (
	home  = netip.MustParseAddr("192.0.2.1")
	other = netip.MustParseAddr("192.0.2.2")
)

// far returns the nth address of a botnet.
func far(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

func begin(t *testing.T, th *Throttle, account string, from netip.Addr) *Attempt {
	t.Helper()
	a, err := th.Begin(t.Context(), account, from)
	if err != nil {
		t.Fatalf("%s from %s: %v", account, from, err)
	}
	return a
}

func refused(t *testing.T, th *Throttle, account string, from netip.Addr) time.Duration {
	t.Helper()
	a, err := th.Begin(t.Context(), account, from)
	if err == nil {
		a.Abandon()
		t.Errorf("%s from %s may try; want it refused", account, from)
		return 0
	}
	if fault.KindOf(err) != fault.TooMany || fault.RetryAfter(err) <= 0 {
		t.Errorf("got %v, retry after %v; want too_many with a time", err, fault.RetryAfter(err))
	}
	return fault.RetryAfter(err)
}

func failures(t *testing.T, th *Throttle, n int, account string, from netip.Addr) {
	t.Helper()
	for range n {
		begin(t, th, account, from).Failed()
	}
}

func TestWrongPasswordsSlowAnAccountDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New()
		failures(t, th, 5, "alice", home)
		for _, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
			if got := refused(t, th, "alice", home); got != want {
				t.Errorf("retry after %v, want %v", got, want)
			}
			time.Sleep(want - time.Millisecond)
			refused(t, th, "alice", home)
			time.Sleep(time.Millisecond)
			begin(t, th, "alice", home).Failed()
		}
		begin(t, th, "bob", home).Failed() // another account at the same address
		begin(t, th, "alice", other).Failed()
	})
}

func TestWhoComesBackWhenToldIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New()
		failures(t, th, 5, "alice", home)
		for range 20 {
			time.Sleep(300 * time.Millisecond)
			time.Sleep(refused(t, th, "alice", home))
			begin(t, th, "alice", home).Failed()
		}
		if got := refused(t, th, "alice", home); got != 15*time.Minute {
			t.Errorf("retry after %v, want the cap of 15m", got)
		}
	})
}

func TestSuccessStartsTheAccountAfreshButNotTheAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New()
		failures(t, th, 4, "alice", home)
		begin(t, th, "alice", home).Succeeded()
		failures(t, th, 4, "alice", home) // would be refused at the fifth of eight
		begin(t, th, "alice", home).Succeeded()
		for n := range 22 { // 30 in all
			begin(t, th, fmt.Sprint("user", n), home).Failed()
		}
		refused(t, th, "alice", home)
		refused(t, th, "somebody", home)
		begin(t, th, "somebody", other).Abandon()
	})
}

func TestOneMachineCannotTryManyAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New()
		start, tried := time.Now(), 0
		for time.Since(start) < time.Hour {
			a, err := th.Begin(t.Context(), fmt.Sprint("user", tried), home)
			if err != nil {
				time.Sleep(fault.RetryAfter(err))
				continue
			}
			a.Failed()
			tried++
		}
		if tried > 110 {
			t.Errorf("%d accounts tried in an hour, want about 30 + 60", tried)
		}
	})
}

func TestManyMachinesCannotTryOneAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New()
		start, tried := time.Now(), 0
		for time.Since(start) < 24*time.Hour {
			a, err := th.Begin(t.Context(), "alice", far(tried))
			if err != nil {
				time.Sleep(fault.RetryAfter(err))
				continue
			}
			a.Failed()
			tried++
		}
		if tried > 400 {
			t.Errorf("%d passwords tried in a day, want about 50 + 288", tried)
		}
	})
}

func TestNobodyElsewhereLocksAUserOutOfWhereTheySignedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New()
		begin(t, th, "alice", home).Succeeded()
		for n := range 50 {
			begin(t, th, "alice", far(n)).Failed()
		}
		refused(t, th, "alice", other)
		begin(t, th, "alice", home).Succeeded()
		refused(t, th, "alice", far(51)) // and the attack gains nothing by it

		failures(t, th, 5, "alice", home) // the place has a limit of its own all the same
		refused(t, th, "alice", home)

		// After a month the place is like any other.
		time.Sleep(placeLifetime)
		for n := range 50 {
			begin(t, th, "alice", far(100+n)).Failed()
		}
		refused(t, th, "alice", home)
	})
}

func TestGuessesSentTogetherDoNotSlipThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New()
		var tried, turnedAway atomic.Int64
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				a, err := th.Begin(t.Context(), "alice", home)
				if err != nil {
					turnedAway.Add(1)
					return
				}
				tried.Add(1)
				time.Sleep(25 * time.Millisecond) // the hash
				a.Failed()
			})
		}
		wg.Wait()
		if tried.Load() != 5 || turnedAway.Load() != 95 {
			t.Errorf("%d tried, %d turned away; want 5 and 95", tried.Load(), turnedAway.Load())
		}
	})
}

func TestAfterTheFreeFailuresOneGuessIsInFlightAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New()
		failures(t, th, 5, "alice", home)
		time.Sleep(time.Second)
		first := begin(t, th, "alice", home)
		second := make(chan error, 1)
		go func() {
			_, err := th.Begin(t.Context(), "alice", home)
			second <- err
		}()
		synctest.Wait()
		select {
		case err := <-second:
			t.Fatalf("the second did not wait for the first: %v", err)
		default:
		}
		first.Failed()
		if err := <-second; fault.RetryAfter(err) != 2*time.Second {
			t.Errorf("the second got %v after %v, want to wait 2s", err, fault.RetryAfter(err))
		}
	})
}

func TestRightPasswordsThatComeTogetherAreAllHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New()
		var atOnce, most, heard atomic.Int64
		var wg sync.WaitGroup
		for n := range 200 {
			wg.Go(func() {
				a, err := th.Begin(t.Context(), fmt.Sprint("user", n), home)
				if err != nil {
					t.Error(err)
					return
				}
				now := atOnce.Add(1)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				time.Sleep(25 * time.Millisecond)
				atOnce.Add(-1)
				a.Succeeded()
				heard.Add(1)
			})
		}
		wg.Wait()
		if heard.Load() != 200 || most.Load() != 30 {
			t.Errorf("%d heard, at most %d at once; want 200 and 30", heard.Load(), most.Load())
		}
	})
}

func TestWhoWaitsForOthersLeavesWhenTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New()
		for range 5 {
			defer begin(t, th, "alice", home).Abandon()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := th.Begin(ctx, "alice", home); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		if th.waiters != 0 {
			t.Errorf("%d still wait", th.waiters)
		}
	})
}

func TestThoseWhoWaitAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New()
		for range 5 {
			defer begin(t, th, "alice", home).Abandon()
		}
		th.waiters = waitersMost
		refused(t, th, "alice", home)
	})
}

func TestAnAbandonedAttemptCountsForNothingAndSettlingTwiceForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New()
		for range 100 {
			begin(t, th, "alice", home).Abandon()
		}
		a := begin(t, th, "alice", home)
		for range 10 {
			a.Failed()
			a.Abandon()
		}
		failures(t, th, 4, "alice", home)
		refused(t, th, "alice", home)
		a.Succeeded() // too late
		refused(t, th, "alice", home)
	})
}

func TestOneSubscriberIsOneAddress(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
	} {
		if got := group(netip.MustParseAddr(c.a)) == group(netip.MustParseAddr(c.b)); got != c.same {
			t.Errorf("%s and %s are one: %v, want %v", c.a, c.b, got, c.same)
		}
	}
	if group(netip.Addr{}) != (netip.Prefix{}) {
		t.Error("an address that is not known has a group of its own")
	}
}

func TestRefusedAttemptsLeaveNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New()
		for n := range 30 {
			begin(t, th, fmt.Sprint("user", n), home).Failed()
		}
		pairs, accounts := len(th.pairs.young), len(th.accounts.young)
		for n := range 1000 {
			refused(t, th, fmt.Sprint("name", n), home)
		}
		if len(th.pairs.young) != pairs || len(th.accounts.young) != accounts {
			t.Errorf("%d pairs and %d accounts, want %d and %d", len(th.pairs.young), len(th.accounts.young), pairs, accounts)
		}
	})
}
