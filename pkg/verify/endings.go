package verify

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	freshFor     = 2 * time.Minute  // how old iat may be in what counts as heard just now
	listPatience = 2 * time.Second  // how long a token waits for a list that is not held
	listEvery    = 10 * time.Second // between attempts at a list that cannot be had
	defaultTTL   = time.Minute
	keepUnnamed  = time.Hour // how long a list is kept that nothing speaks for
)

// endpoints is what the issuer's metadata say about endings. Either may be empty.
type endpoints struct{ aggregation, stream string }

// endings knows what has ended early. Two goroutines begin with the first use and
// end with close: one listens to the stream, one gathers lists.
//
//	stream ──hello, ended, beat──▶ listen ──bits, then the time──▶ lists ◀── every Verify
//	                                  │ a gap                       ▲
//	                                  └──────▶ gather ──fetch───────┘
//
// A list is held when it was complete to some position of the journal, and
// nothing that was told since is missing from it. What breaks the stream breaks
// nothing else: bits stay, and the time of the last confirmation stands still
// until the list is whole again.
type endings struct {
	issuer, prefix string
	client         *http.Client // for documents
	streaming      *http.Client // the same without a time limit
	keys           *follower
	open           func(ctx context.Context, text, typ string) ([]byte, *key, error)
	log            *slog.Logger
	born           time.Time // the beginning of the monotonic clock of moments

	begin    sync.Once
	ctx      context.Context // ends with close; set within begin
	stop     context.CancelFunc
	workers  sync.WaitGroup
	wake     chan struct{} // tells gather that something is due
	answered chan struct{} // closed when the first request for the stream has ended, well or not
	answer   sync.Once

	live atomic.Bool          // the stream is being heard
	span atomic.Pointer[span] // the current one; nil before the first hello
	heardCounts

	mu            sync.Mutex
	closed        bool             // guarded by mu
	lists         map[string]*list // guarded by mu
	position      uint64           // guarded by mu; complete to here
	synced        bool             // guarded by mu; every list belongs to the span
	aggregated    moment           // guarded by mu; when the aggregation was last read in this span
	aggregateNext time.Duration    // guarded by mu; not asked for again before, by the monotonic clock
	advanced      chan struct{}    // guarded by mu; closed when position grows, nil while nobody waits
}

// heardCounts are the counters that no request touches.
type heardCounts struct {
	told, applied, refusedEvents, fetched, refusedLists, connected, refetched atomic.Uint64
}

func newEndings(issuer string, client *http.Client, keys *follower, log *slog.Logger) *endings {
	streaming := *client
	streaming.Timeout = 0 // it would end every stream; a watchdog is there instead
	return &endings{
		issuer: issuer, prefix: strings.TrimSuffix(issuer, "/") + "/",
		client: client, streaming: &streaming, keys: keys, log: log, born: time.Now(),
		wake: make(chan struct{}, 1), answered: make(chan struct{}), lists: make(map[string]*list),
	}
}

// start begins following, the first time it is called.
func (e *endings) start() {
	e.begin.Do(func() {
		e.ctx, e.stop = context.WithCancel(context.Background())
		e.workers.Go(func() { e.listen(e.ctx) })
		e.workers.Go(func() { e.gather(e.ctx) })
	})
}

// close ends everything that start and later fetches have begun.
func (e *endings) close() {
	e.begin.Do(func() { e.ctx, e.stop = context.WithCancel(context.Background()) })
	e.stop()
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.workers.Wait()
}

// moment is now by both clocks.
func (e *endings) moment(now time.Time) moment {
	return moment{time.Duration(now.UnixNano()), now.Sub(e.born)}
}

// heardAt dates what the issuer signed at issuedAt and we have in hand now. What
// is older than clocks may disagree was kept back, or is played again, and tells
// only how things were then.
func heardAt(now moment, issuedAt int64) *moment {
	if age := now.wall - time.Duration(issuedAt)*time.Second; age > freshFor+leeway {
		return now.before(age)
	}
	return &now
}

// of returns the list called uri, of which a token lives until expiry.
func (e *endings) of(uri string, expiry int64) *list {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.entry(uri)
	l.use(expiry) // while drop cannot come between
	return l
}

// entry returns the list called uri, perhaps a new one that is not held. It is
// called with mu held.
func (e *endings) entry(uri string) *list {
	l := e.lists[uri]
	if l == nil {
		l = &list{uri: strings.Clone(uri), born: e.moment(time.Now()), pause: defaultTTL * 3 / 4}
		if s := e.span.Load(); s != nil {
			l.since = s.to.Load()
		}
		e.lists[l.uri] = l
	}
	return l
}

// apply takes in messages that were found genuine and follow on the span.
func (e *endings) apply(s *span, messages ...message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range messages {
		m := &messages[i]
		for _, uri := range m.Opened {
			// No bit of it was set before, so there is nothing to fetch.
			e.entry(uri).span.Store(s)
		}
		for _, one := range m.Ended {
			e.told.Add(uint64(one.apply(e.entry(one.URI))))
		}
		s.to.Store(m.Position)
	}
	e.applied.Add(uint64(len(messages)))
	// Last of all, see weigh.
	newest := messages[len(messages)-1]
	now := e.moment(time.Now())
	if at, before := heardAt(now, newest.IssuedAt), s.heard.Load(); at.wall > before.wall || *at == now {
		s.heard.Store(at)
	}
	if e.synced {
		e.advance(s.to.Load())
	}
}

// advance moves position on and tells who waits for it. It is called with mu held.
func (e *endings) advance(to uint64) {
	if to <= e.position {
		return
	}
	e.position = to
	if e.advanced != nil {
		close(e.advanced)
		e.advanced = nil
	}
}

// await waits until position has been reached.
func (e *endings) await(ctx context.Context, position uint64) error {
	for {
		e.mu.Lock()
		if e.position >= position {
			e.mu.Unlock()
			return nil
		}
		if e.advanced == nil {
			e.advanced = make(chan struct{})
		}
		advanced := e.advanced
		e.mu.Unlock()
		select {
		case <-advanced:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the endings up to position %d: %w", position, ctx.Err())
		case <-e.ctx.Done():
			return fmt.Errorf("waiting for the endings up to position %d: %w", position, errClosed)
		}
	}
}

// turn notes that the stream is heard from now on, or no longer.
func (e *endings) turn(live bool) {
	e.live.Store(live)
	e.answer.Do(func() { close(e.answered) })
	e.rouse()
}

// rouse makes gather look for what is due.
func (e *endings) rouse() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// staleness is how old the oldest knowledge is that some token may depend on.
func (e *endings) staleness() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, oldest := e.moment(time.Now()), time.Duration(-1)
	for _, l := range e.lists {
		if l.known() && (l.named || l.used(now)) {
			oldest = max(oldest, l.age(now))
		}
	}
	if s := e.span.Load(); oldest < 0 && s != nil && e.synced {
		oldest = now.since(*s.heard.Load())
	}
	if oldest < 0 {
		return never
	}
	return oldest
}

// held counts the lists that are.
func (e *endings) held() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.lists {
		if l.known() {
			n++
		}
	}
	return n
}

// drop forgets the lists that the issuer has retired: those that nothing names,
// of which no token that was seen may be alive, so that no remembered token
// points to bits that nobody keeps any more. It is called with mu held.
func (e *endings) drop(now moment) {
	for uri, l := range e.lists {
		if !l.named && !l.used(now) && l.fetching == nil && now.since(l.born) > keepUnnamed {
			delete(e.lists, uri)
		}
	}
}

// EndingsStaleness is how old the knowledge of endings is: the time since the
// issuer last confirmed the list that it has confirmed least recently. Before it
// ever confirmed any, it is the longest Duration there is.
func (v *Verifier) EndingsStaleness() time.Duration {
	v.start()
	return v.endings.staleness()
}

// Position is the position of the issuer's journal up to which every ending is
// known here.
func (v *Verifier) Position() uint64 {
	v.start()
	v.endings.mu.Lock()
	defer v.endings.mu.Unlock()
	return v.endings.position
}

// Await waits until every ending up to a position of the issuer's journal is
// known here: afterwards what ended there is refused. It fails when ctx ends or
// the Verifier is closed.
func (v *Verifier) Await(ctx context.Context, position uint64) error {
	v.start()
	return v.endings.await(ctx, position)
}
