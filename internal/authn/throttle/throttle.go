// Package throttle slows guessing down: it says whether an attempt to sign in
// may be made now, and otherwise how long to wait.
//
//	Begin(account, address) ──▶ may try: an Attempt ──▶ Failed | Succeeded | Abandon
//	                       └──▶ fault.TooMany, RetryAfter
//
// Three tallies judge every attempt, and each must allow it:
//
//	tally                 free  then waits    forgets   guards against
//	account at an address   4   1 s … 15 min  1 an hour a person guesses, or types badly
//	address                29   1 s …  1 min  1 a min   one machine tries many accounts
//	account, anywhere      49   1 s …  5 min  6 an hour many machines try one account
//
// (IPv6 addresses count by their /64, which is what one subscriber has.)
//
// A limit on failures is also a weapon: who fails on purpose locks another out.
// So the strict tally holds for one account at one address, where a stranger
// cannot reach it, and the third does not hold where the account has signed in
// during the last month. From a place where you have been, nobody can lock you
// out but one who shares your address with you. Nothing is ever locked for
// good: every wait is short, and every failure is forgotten in time.
//
// An attempt in flight counts as a failure until it proves otherwise, or a
// hundred guesses sent together would all be judged before the first had
// failed. Whoever is held back by attempts in flight alone, waits for them and
// is then judged: right passwords are not refused because many came at once.
//
// Accounts are whatever was typed, whether or not such a user exists: a wait
// tells a stranger nothing about who is registered.
//
// Tallies live in the memory of one node and are bounded there: an attacker who
// cycles names makes old ones forgotten, not the memory grow. n nodes allow up
// to n times as many guesses, and a restart forgets; the waits are chosen so
// that neither matters to a password that passed the rules.
//
// It never sees a password and never learns who the user is.
package throttle

import (
	"context"
	"fmt"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"github.com/signet-id/signet/internal/fault"
)

// The sizes are per generation, and there are two (see generations). An entry
// takes some 150 bytes: all tables together stay under 100 MB.
const (
	pairsKept     = 1 << 16
	addressesKept = 1 << 16
	accountsKept  = 1 << 16
	placesKept    = 1 << 16
	placeLifetime = 30 * 24 * time.Hour
	// waitersMost bounds who waits for attempts in flight.
	waitersMost = 4096
)

// The rules of the three tallies, as the package comment tells them.
func pairRule() Rule {
	return Rule{Free: 4, First: time.Second, Cap: 15 * time.Minute, Forget: time.Hour}
}

func addressRule() Rule {
	return Rule{Free: 29, First: time.Second, Cap: time.Minute, Forget: time.Minute}
}

func accountRule() Rule {
	return Rule{Free: 49, First: time.Second, Cap: 5 * time.Minute, Forget: 10 * time.Minute}
}

// place is one account at one address. The account is a seeded hash: entries
// have one size however long the names are that strangers type.
type place struct {
	account uint64
	address netip.Prefix
}

// Throttle is safe for concurrent use. Make it with New.
type Throttle struct {
	seed maphash.Seed

	mu        sync.Mutex
	pairs     generations[place, *tally]
	addresses generations[netip.Prefix, *tally]
	accounts  generations[uint64, *tally]
	known     generations[place, time.Time] // when it last signed in there
	waiters   int
	settled   chan struct{} // closed, and made anew, when an attempt is settled
}

// New makes a Throttle that remembers nothing yet.
func New() *Throttle {
	return &Throttle{
		seed:      maphash.MakeSeed(),
		pairs:     newGenerations[place, *tally](pairsKept),
		addresses: newGenerations[netip.Prefix, *tally](addressesKept),
		accounts:  newGenerations[uint64, *tally](accountsKept),
		known:     newGenerations[place, time.Time](placesKept),
		settled:   make(chan struct{}),
	}
}

// Attempt is the permission to check one password. It must be settled, once the
// check is done, by exactly one of its methods; the first call counts.
type Attempt struct {
	throttle                *Throttle
	where                   place
	pair, address, anywhere *tally
	done                    bool
}

// Begin asks to try a password for account, in the normal form of its login,
// from an address. It fails with fault.TooMany when the caller must wait, and
// with ctx's error when ctx ends while attempts in flight are awaited.
func (t *Throttle) Begin(ctx context.Context, account string, from netip.Addr) (*Attempt, error) {
	where := place{account: maphash.String(t.seed, account), address: group(from)}
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		a := t.attempt(where)
		wait, free := t.judge(a, time.Now())
		if wait > 0 {
			return nil, tooMany(wait)
		}
		if free {
			a.enter()
			return a, nil
		}
		if err := t.await(ctx); err != nil {
			return nil, err
		}
	}
}

// attempt gathers the tallies of a place, and makes those that do not exist,
// without keeping them.
func (t *Throttle) attempt(where place) *Attempt {
	return &Attempt{
		throttle: t, where: where,
		pair:     t.pairs.peek(where, newTally(pairRule())),
		address:  t.addresses.peek(where.address, newTally(addressRule())),
		anywhere: t.accounts.peek(where.account, newTally(accountRule())),
	}
}

// enter counts the attempt as in flight. Only now are new tallies kept: if
// refused attempts left entries too, one address could push out everybody's by
// asking for many names and being refused.
func (a *Attempt) enter() {
	t := a.throttle
	t.pairs.put(a.where, a.pair)
	t.addresses.put(a.where.address, a.address)
	t.accounts.put(a.where.account, a.anywhere)
	for _, tally := range a.tallies() {
		tally.inFlight++
	}
}

// judge returns the longest wait that a tally demands and, if there is none,
// whether there is room beside the attempts in flight.
func (t *Throttle) judge(a *Attempt, now time.Time) (wait time.Duration, free bool) {
	free = true
	for _, tally := range a.tallies() {
		if tally == a.anywhere && t.knows(a.where, now) {
			continue
		}
		wait = max(wait, tally.wait(now))
		free = free && tally.room(now)
	}
	return wait, free
}

func (t *Throttle) knows(where place, now time.Time) bool {
	last := t.known.peek(where, func() time.Time { return time.Time{} })
	return now.Sub(last) < placeLifetime
}

// await returns when an attempt has been settled. It is called, and returns,
// with mu held.
func (t *Throttle) await(ctx context.Context) error {
	if t.waiters >= waitersMost {
		return tooMany(time.Second)
	}
	t.waiters++
	settled := t.settled
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		t.waiters--
	}()
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Failed settles the attempt: the password was wrong, or there was no such user.
func (a *Attempt) Failed() {
	a.settle(func(now time.Time) {
		for _, tally := range a.tallies() {
			tally.fail(now)
		}
	})
}

// Succeeded settles the attempt: the account starts afresh at this address. The
// other two tallies keep what they know: an attacker who signs in to an account
// of their own, or whose victim signs in, does not get new guesses for it.
func (a *Attempt) Succeeded() {
	a.settle(func(now time.Time) {
		a.pair.reset()
		a.throttle.known.put(a.where, now)
	})
}

// Abandon settles an attempt whose password was never checked: it counts for
// nothing. After another method it does nothing, so it can be deferred.
func (a *Attempt) Abandon() { a.settle(func(time.Time) {}) }

func (a *Attempt) settle(judgement func(now time.Time)) {
	t := a.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.done {
		return
	}
	a.done = true
	for _, tally := range a.tallies() {
		tally.inFlight--
	}
	judgement(time.Now())
	if t.waiters > 0 {
		close(t.settled)
		t.settled = make(chan struct{})
	}
}

func (a *Attempt) tallies() [3]*tally { return [3]*tally{a.pair, a.address, a.anywhere} }

// group returns what one subscriber has: an IPv4 address, an IPv6 /64. Callers
// whose address is not known share one group.
func group(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

// tooMany rounds up to the whole seconds that Retry-After has: who came back
// early would be refused again.
func tooMany(wait time.Duration) error {
	seconds := int((wait + time.Second - 1) / time.Second)
	span := fmt.Sprintf("%d seconds", seconds)
	switch {
	case seconds == 1:
		span = "a second"
	case seconds > 60:
		span = fmt.Sprintf("%d minutes", (seconds+59)/60)
	}
	e := fault.New(fault.TooMany, "Too many attempts. Please wait %s and try again.", span)
	e.RetryAfter = time.Duration(seconds) * time.Second
	return e
}
