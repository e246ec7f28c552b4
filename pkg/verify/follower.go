package verify

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxStale     = 24 * time.Hour   // how long keys serve while the issuer is silent
	askEvery     = 10 * time.Second // between fetches that unknown kids can cause
	askPatience  = 2 * time.Second  // how long a token with an unknown kid waits for one
	unknownFor   = 10 * time.Minute // how long a kid is remembered as unknown
	maxUnknown   = 1024             // how many are
	firstBackoff = time.Second
	lastBackoff  = 30 * time.Second
)

var errClosed = errors.New("the verifier is closed")

// keySet is the issuer's keys as last heard. It never changes: a fetch that
// succeeds puts a new one in its place, so a key that was removed is gone.
type keySet struct {
	byKid     map[string]*key
	all       []*key    // the same, faster to look through
	confirmed time.Time // by the wall clock: a suspended machine ages too
}

func newKeySet(keys map[string]*key, confirmed time.Time) *keySet {
	return &keySet{byKid: keys, all: slices.Collect(maps.Values(keys)), confirmed: confirmed}
}

// stale reports whether the issuer has been silent for too long.
func (s *keySet) stale(now time.Time) bool { return now.Sub(s.confirmed) > maxStale }

// holds reports whether k itself is still published.
func (s *keySet) holds(k *key) bool { return s.byKid[k.kid] == k }

// byHeader finds the key that has signed under these very header bytes before.
func (s *keySet) byHeader(encoded string) *key {
	for _, k := range s.all {
		if h := k.header.Load(); h != nil && *h == encoded {
			return k
		}
	}
	return nil
}

// follower keeps a keySet current. One goroutine, begun by the first use and
// ended by close, makes all fetches: so there is one at a time, and no request
// ever makes one itself.
//
//	first use ──▶ fetch ──ok──▶ wait for most of max-age ──▶ fetch …
//	                │                    ▲
//	                └─error─▶ back off ──┘◀── ask (a kid is unknown)
type follower struct {
	origin   *origin // owned by run
	snapshot *snapshot
	log      *slog.Logger

	set   atomic.Pointer[keySet] // nil until keys are known, and after close
	begin sync.Once
	stop  context.CancelFunc // set within begin
	done  chan struct{}      // closed when run has returned
	wake  chan struct{}      // tells run that pending was set
	news  chan struct{}      // tells run that the issuer says its keys have changed

	known   atomic.Pointer[endpoints] // nil until the issuer's metadata were read
	learned chan struct{}             // closed then

	mu       sync.Mutex
	pending  chan struct{}        // guarded by mu; closed when the fetch under way or asked for ends
	awaiting []chan struct{}      // guarded by mu; closed when the next fetch ends
	begun    time.Time            // guarded by mu; when the last fetch began
	lastErr  error                // guarded by mu; why the last fetch failed
	unknown  map[string]time.Time // guarded by mu; kids that the issuer did not publish, and since when
}

func newFollower(o *origin, s *snapshot, log *slog.Logger) *follower {
	return &follower{
		origin: o, snapshot: s, log: log,
		done: make(chan struct{}), wake: make(chan struct{}, 1), unknown: make(map[string]time.Time),
		news: make(chan struct{}, 1), learned: make(chan struct{}),
	}
}

// start begins following, the first time it is called.
func (f *follower) start() {
	f.begin.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		f.stop = cancel
		f.demand()
		go f.run(ctx)
	})
}

// close ends the goroutine and forgets the keys: nobody follows them any more.
func (f *follower) close() {
	f.begin.Do(func() { // never started, and now it never will be
		f.stop = func() {}
		close(f.done)
	})
	f.stop()
	<-f.done
	f.finish(errClosed)
	f.set.Store(nil)
}

func (f *follower) run(ctx context.Context) {
	defer close(f.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			f.demand()
		case <-f.wake:
		case <-f.news:
			if !f.awaitNews(ctx) {
				return
			}
			f.demand()
		}
		fresh, err := f.refresh(ctx)
		wait := ahead(fresh)
		if err != nil {
			wait = backoff(failures)
			failures++
			if ctx.Err() == nil {
				f.log.WarnContext(ctx, "fetching the issuer's keys", "issuer", f.origin.issuer, "error", err, "retry", wait)
			}
		} else {
			failures = 0
		}
		timer.Reset(wait)
		f.finish(err)
	}
}

// refresh fetches once and installs what came.
func (f *follower) refresh(ctx context.Context) (time.Duration, error) {
	a, err := f.origin.fetch(ctx)
	f.learn()
	if err != nil {
		return 0, err
	}
	before := f.set.Load()
	if !a.changed && before != nil {
		f.install(ctx, before.byKid, a)
		return a.fresh, nil
	}
	keys, skipped, err := parseKeys(a.document)
	if err != nil {
		f.origin.etag = "" // a 304 must not pass this document off as good
		f.origin.document = nil
		return 0, err
	}
	for _, reason := range skipped {
		f.log.WarnContext(ctx, "leaving out a key of the issuer", "issuer", f.origin.issuer, "error", reason)
	}
	if before != nil {
		for kid, k := range keys {
			// The same key stays the same pointer: remembered tokens hold on to it.
			if old := before.byKid[kid]; k.equal(old) {
				keys[kid] = old
			}
		}
	}
	f.install(ctx, keys, a)
	return a.fresh, nil
}

func (f *follower) install(ctx context.Context, keys map[string]*key, a answer) {
	set := newKeySet(keys, time.Now().Round(0)) // without the monotonic part, see keySet
	f.set.Store(set)
	if err := f.snapshot.save(a.document, a.changed, set.confirmed); err != nil {
		f.log.WarnContext(ctx, "saving the snapshot of the issuer's keys", "error", err)
	}
}

// demand marks a fetch as due and returns the channel that its end closes.
func (f *follower) demand() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.demandLocked()
}

func (f *follower) demandLocked() <-chan struct{} {
	if f.pending == nil {
		f.pending, f.begun = make(chan struct{}), time.Now()
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
	return f.pending
}

// finish ends the fetch that was pending and lets its waiters go.
func (f *follower) finish(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select { // a wake for this very fetch, when the timer came first
	case <-f.wake:
	default:
	}
	f.lastErr = err
	for _, fetched := range f.awaiting {
		close(fetched)
	}
	f.awaiting = nil
	if f.pending != nil {
		close(f.pending)
		f.pending = nil
	}
}

// current returns the keys to check tokens with. Only before there are any does
// it wait, for the fetch under way; between failed attempts it does not wait at
// all, because a request is better refused now than late.
func (f *follower) current(ctx context.Context) (*keySet, *Error) {
	set := f.set.Load()
	if set == nil {
		f.mu.Lock()
		pending := f.pending
		f.mu.Unlock()
		if pending != nil {
			select {
			case <-pending:
			case <-f.done:
			case <-ctx.Done():
				return nil, &Error{Reason: KeysUnavailable, cause: ctx.Err()}
			}
		}
		if set = f.set.Load(); set == nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			return nil, &Error{Reason: KeysUnavailable, cause: f.lastErr}
		}
	}
	if set.stale(time.Now()) {
		return nil, &Error{Reason: KeysUnavailable, cause: errors.New("the issuer has been silent for too long")}
	}
	return set, nil
}

// find returns the key called kid. If the issuer has published it since the
// last fetch, one more fetch may find it, and only the token that names it waits.
func (f *follower) find(ctx context.Context, kid string) (*key, *Error) {
	set, refusal := f.current(ctx)
	if refusal != nil {
		return nil, refusal
	}
	if k := set.byKid[kid]; k != nil {
		return k, nil
	}
	asked := f.ask(kid)
	if asked == nil {
		return nil, failOn(UnknownKey, "kid")
	}
	patience := time.NewTimer(askPatience)
	defer patience.Stop()
	select {
	case <-asked:
	case <-patience.C:
	case <-ctx.Done():
	}
	newer, refusal := f.current(ctx)
	if refusal != nil {
		return nil, refusal
	}
	if k := newer.byKid[kid]; k != nil {
		return k, nil
	}
	if newer != set { // the issuer did answer, and does not know it
		f.markUnknown(kid)
	}
	return nil, failOn(UnknownKey, "kid")
}

// ask demands a fetch on behalf of an unknown kid and returns the channel that
// its end closes, or nil when the last fetch is recent enough to be believed or
// has already said no to this kid. So strangers who invent kids cause one fetch
// per askEvery, however many they are.
func (f *follower) ask(kid string) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if since, known := f.unknown[kid]; known && time.Since(since) < unknownFor {
		return nil
	}
	if f.pending == nil && time.Since(f.begun) < askEvery {
		return nil
	}
	return f.demandLocked()
}

// markUnknown remembers kid as unknown. When too many are, it starts over: the limit
// on fetches holds without this memory too.
func (f *follower) markUnknown(kid string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.unknown) >= maxUnknown {
		clear(f.unknown)
	}
	f.unknown[kid] = time.Now()
}

// live returns the keys if there are any to be believed at now, else nil.
func (f *follower) live(now time.Time) *keySet {
	if set := f.set.Load(); set != nil && !set.stale(now) {
		return set
	}
	return nil
}

// staleness is how long ago the issuer last confirmed the keys.
func (f *follower) staleness() time.Duration {
	set := f.set.Load()
	if set == nil {
		return math.MaxInt64
	}
	return max(0, time.Since(set.confirmed))
}

// ahead is when to fetch again: before the keys' freshness ends, at a moment
// that differs from service to service, so that they do not all come at once.
func ahead(fresh time.Duration) time.Duration {
	return fresh*7/10 + rand.N(max(fresh/5, 1)) // spreads load, guards nothing
}

// backoff is when to try again after so many failures, with the same spread.
func backoff(failures int) time.Duration {
	wait := lastBackoff
	if failures < 5 {
		wait = firstBackoff << failures
	}
	return wait*3/4 + rand.N(wait/4) // spreads load, guards nothing
}
