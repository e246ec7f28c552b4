// Package password is the sign-in method that everybody knows: it keeps
// passwords as argon2id hashes, says which passwords may be chosen, and checks
// the one that was typed.
//
//	SignIn ──▶ throttle.Begin ──▶ find the user ──▶ one hash ──▶ Attempt settled
//	           (may one try?)     (two reads)       (always one)
//
// No enumeration: an unknown login, a wrong password, a disabled user and a user
// without a password take the same steps, one hash included, and end in the
// same words. The throttle judges them alike.
//
// Hashing is slow on purpose, so it is also the cheapest way to exhaust an
// issuer. A bounded number of hashes runs at once, a bounded number waits, and
// beyond that the answer is fault.TooMany at once. Where others want the
// processors too, hashing rests in between: a storm of sign-ins takes a quarter
// of one from token requests.
//
// It never makes a session, never decides whether a second factor is due, and
// never writes a user: what is to be stored is returned to the caller.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/user"
)

// Options of a Hasher. The zero value of each field means its default.
type Options struct {
	Memory      uint32 // KiB per hash; default 19 MiB, and
	Time        uint32 // passes over it; default 2: OWASP's argon2id profile
	Concurrency int    // hashes at once; default one less than there are processors
	Queue       int    // callers who wait; default 100 per hash at once
}

const (
	saltBytes = 16 // RFC 9106 §3.1
	tagBytes  = 32
)

// Hasher makes and checks hashes, so many at a time. Make it with New; it is
// safe for concurrent use.
type Hasher struct {
	cost    cost
	running chan struct{}
	queue   int64
	waiting atomic.Int64
	hashes  atomic.Uint64
	quick   atomic.Int64 // ns, the quickest hash so far
	nobody  hash         // its tag is random, so no password is right
}

// New makes a Hasher. Costs beyond what Check accepts are fault.Invalid.
func New(o Options) (*Hasher, error) {
	if o.Memory == 0 {
		o.Memory = 19 << 10
	}
	if o.Time == 0 {
		o.Time = 2
	}
	if o.Concurrency == 0 {
		// One processor stays free for everything that is not a password.
		// GOMAXPROCS, unlike NumCPU, knows a container's limit.
		o.Concurrency = max(1, runtime.GOMAXPROCS(0)-1)
	}
	if o.Queue == 0 {
		// At some 25 ms a hash the last in the queue waits a few seconds, which
		// is as long as a person does.
		o.Queue = 100 * o.Concurrency
	}
	c := cost{memory: o.Memory, time: o.Time, threads: 1}
	if !c.within() {
		return nil, fault.New(fault.Invalid, "argon2id with %d KiB and %d passes is outside the bounds: 8 to %d KiB, 1 to %d passes, %d KiB in all",
			o.Memory, o.Time, mostMemory, mostTime, mostWork)
	}
	if o.Concurrency < 0 || o.Queue < 0 {
		return nil, fault.New(fault.Invalid, "concurrency and queue must not be negative")
	}
	h := &Hasher{cost: c, running: make(chan struct{}, o.Concurrency), queue: int64(o.Queue)}
	h.nobody = hash{cost: c, salt: random(saltBytes), tag: random(tagBytes)}
	return h, nil
}

// Hash makes a hash of pw, whatever its quality: Choose also asks for that.
// fault.TooMany means that the queue is full.
func (h *Hasher) Hash(ctx context.Context, pw string) (user.PasswordHash, error) {
	normal, err := normalise(pw)
	if err != nil {
		return user.PasswordHash{}, err
	}
	made := hash{cost: h.cost, salt: random(saltBytes), tag: make([]byte, tagBytes)}
	tag, err := h.run(ctx, made, normal)
	if err != nil {
		return user.PasswordHash{}, err
	}
	made.tag = tag
	return user.NewPasswordHash(made.String()), nil
}

// Check reports whether pw is the password that kept is the hash of, and if so,
// whether it should be hashed anew because our costs have changed. When kept is
// not set it does the same work and says no: nobody's password is never right,
// and never faster wrong. So it is with one that cannot be read, which is
// ErrUnreadable. fault.TooMany means that the queue is full.
func (h *Hasher) Check(ctx context.Context, kept user.PasswordHash, pw string) (ok, rehash bool, err error) {
	against, unread := h.nobody, error(nil)
	if kept.IsSet() {
		if against, unread = parse(kept.Reveal()); unread != nil {
			against = h.nobody
		}
	}
	// What cannot be a password is checked all the same, in the same time.
	normal, unfit := normalise(pw)
	tag, err := h.run(ctx, against, normal)
	if err != nil {
		return false, false, err
	}
	if unread != nil {
		return false, false, fmt.Errorf("reading a stored password: %w", unread)
	}
	ok = subtle.ConstantTimeCompare(tag, against.tag) == 1 && unfit == nil
	return ok, ok && (against.cost != h.cost || len(against.tag) != tagBytes || len(against.salt) < saltBytes), nil
}

// Hashes returns how many hashes were computed, for the metrics.
func (h *Hasher) Hashes() uint64 { return h.hashes.Load() }

// run computes a tag when it is its turn.
func (h *Hasher) run(ctx context.Context, with hash, pw string) ([]byte, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	h.hashes.Add(1)
	began, before := time.Now(), waited()
	tag := with.of(pw)
	h.leave(time.Since(began), waited()-before)
	return tag, nil
}

// enter waits for a turn to hash, in a queue of bounded length.
func (h *Hasher) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err // even if there is room: nobody waits for the answer
	}
	select {
	case h.running <- struct{}{}:
		return nil
	default:
	}
	if h.waiting.Add(1) > h.queue {
		h.waiting.Add(-1)
		e := fault.New(fault.TooMany, "Very many people are signing in. Please try again in a moment.")
		e.RetryAfter = 2 * time.Second
		return e
	}
	defer h.waiting.Add(-1)
	select {
	case h.running <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return b
}
