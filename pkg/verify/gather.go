package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

const (
	fetchesAtOnce  = 4
	helloFirst     = 5 * time.Second  // how long the lists wait for the stream to say from where on
	aggregateLive  = time.Hour        // between looks at which lists there are, for lists that were retired
	aggregateAlone = time.Minute      // and without a stream, for new ones too
	firstLag       = time.Second / 4  // before a list is asked for again that a cache had answered
	minTTL         = 10 * time.Second // what a list may ask for,
	maxTTL         = 15 * time.Minute // at least and at most
)

// gather fetches lists until ctx ends: after each hello that demands it, and at
// their ttl while there is no stream.
func (e *endings) gather(ctx context.Context) {
	if _, err := e.keys.places(ctx); err != nil {
		return
	}
	timer := time.NewTimer(helloFirst)
	defer timer.Stop()
	select { // what was fetched before the first hello would be fetched again
	case <-e.answered:
	case <-timer.C:
	case <-ctx.Done():
		return
	}
	for failures := 0; ; {
		wait, err := e.round(ctx)
		if err != nil {
			wait = backoff(failures)
			if failures&(failures-1) == 0 && ctx.Err() == nil {
				e.log.WarnContext(ctx, "fetching the issuer's status lists", "issuer", e.issuer, "error", err, "retry", wait)
			}
			failures++
		} else {
			failures = 0
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-e.wake:
		case <-ctx.Done():
			return
		}
	}
}

// round fetches whatever is due, and says when something will be next. The error
// is that the issuer cannot be reached.
func (e *endings) round(ctx context.Context) (time.Duration, error) {
	if err := e.aggregate(ctx); err != nil {
		return 0, err
	}
	for due := e.due(); len(due) > 0; {
		some := due[:min(len(due), fetchesAtOnce)]
		due = due[len(some):]
		for _, l := range some {
			e.fetch(l)
		}
		for _, l := range some {
			if err := e.outcome(ctx, l); unreachable(err) {
				return 0, err // the others would fare no better
			}
		}
	}
	return e.settle(), nil
}

// unreachable tells an issuer that is away from one that gave a bad answer.
func unreachable(err error) bool {
	var transport *url.Error
	return errors.As(err, &transport)
}

// aggregate learns which lists there are (Token Status List §9.3), if it is time.
func (e *endings) aggregate(ctx context.Context) error {
	address := e.keys.known.Load().aggregation
	if address == "" || e.untilAggregation() > 0 {
		return nil
	}
	header := http.Header{"Accept": {"application/json"}}
	if e.live.Load() {
		header.Set("Cache-Control", "no-cache")
	}
	span := e.span.Load()
	named, err := e.askAggregation(ctx, address, header)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.moment(time.Now())
	if err != nil {
		e.aggregateNext = now.mono + listEvery
		if !unreachable(err) && ctx.Err() == nil {
			e.log.WarnContext(ctx, "asking which status lists there are", "issuer", e.issuer, "error", err)
			err = nil
		}
		return err
	}
	if span != e.span.Load() {
		return nil // another hello came meanwhile, and demands its own answer
	}
	for _, l := range e.lists {
		l.named = false
	}
	for _, uri := range named {
		if isListURI(uri, e.prefix) {
			e.entry(uri).named = true
		}
	}
	e.drop(now)
	e.aggregated = now
	return nil
}

func (e *endings) askAggregation(ctx context.Context, address string, header http.Header) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	resp, body, err := get(ctx, e.client, address, header)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d", address, resp.StatusCode)
	}
	var document struct {
		Lists []string `json:"status_lists"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return nil, fmt.Errorf("reading the aggregation: %w", err)
	}
	return document.Lists, nil
}

// untilAggregation is how long the last aggregation will do.
func (e *endings) untilAggregation() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.moment(time.Now())
	every := aggregateAlone
	if e.live.Load() {
		every = aggregateLive
	}
	wait := e.aggregateNext - now.mono
	if e.aggregated != (moment{}) {
		wait = max(wait, every-now.since(e.aggregated))
	}
	return wait
}

// due returns the lists that are to be fetched now.
func (e *endings) due() (due []*list) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.moment(time.Now())
	for _, l := range e.lists {
		if l.fetching == nil && (l.named || l.used(now)) && e.until(l, now) <= 0 {
			due = append(due, l)
		}
	}
	return due
}

// until is how long the knowledge of l will do. It is called with mu held.
func (e *endings) until(l *list, now moment) time.Duration {
	wait := l.next - now.mono
	if e.live.Load() && l.span.Load() != e.span.Load() {
		return wait // every beat could confirm it, were it whole
	}
	return max(wait, l.pause-l.age(now))
}

// settle takes stock after a round: how far everything is complete, and when the
// next fetch is due.
func (e *endings) settle() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, span, live := e.moment(time.Now()), e.span.Load(), e.live.Load()
	aggregation := e.keys.known.Load().aggregation
	whole, next := aggregation == "" || e.aggregated != (moment{}), aggregateLive
	if aggregation != "" {
		next = e.aggregateNext - now.mono
		if whole {
			next = max(next, aggregateAlone-now.since(e.aggregated), 0)
		}
	}
	to, any := uint64(0), false
	for _, l := range e.lists {
		if !l.named && !l.used(now) {
			continue
		}
		next = min(next, e.until(l, now))
		at := l.position
		if s := l.span.Load(); s != nil && s == span {
			at = span.to.Load()
		} else if live || !l.known() {
			whole = whole && !l.named && aggregation != ""
			continue
		}
		if !any || at < to {
			to, any = at, true
		}
	}
	if whole && live && span != nil {
		e.synced = true
		to, any = span.to.Load(), true
	}
	if whole && any {
		e.advance(to)
	}
	return max(next, time.Second/10)
}

// fetch begins a fetch of l, unless one is under way.
func (e *endings) fetch(l *list) <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.fetching == nil {
		l.fetching = make(chan struct{})
		if e.closed {
			close(l.fetching)
			return l.fetching
		}
		e.workers.Go(func() { e.fetchList(e.ctx, l) })
	}
	return l.fetching
}

// outcome waits for the fetch of l that is under way.
func (e *endings) outcome(ctx context.Context, l *list) error {
	e.mu.Lock()
	fetching := l.fetching
	e.mu.Unlock()
	if fetching != nil {
		select {
		case <-fetching:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return l.err
}

// expect waits for the first fetch of a list. Later ones are gather's, and no
// request waits for them: an issuer that is down must not slow its services.
func (e *endings) expect(ctx context.Context, l *list) {
	e.mu.Lock()
	tried := l.tried
	e.mu.Unlock()
	if tried {
		return
	}
	patience := time.NewTimer(listPatience)
	defer patience.Stop()
	select {
	case <-e.fetch(l):
	case <-patience.C:
	case <-ctx.Done():
	}
}

// pauseOf is how old a list with this ttl may grow, a little less than ttl and
// not the same everywhere.
func pauseOf(ttl int64) time.Duration {
	pause := defaultTTL
	if ttl > 0 && ttl < int64(maxTTL/time.Second) {
		pause = max(time.Duration(ttl)*time.Second, minTTL)
	} else if ttl > 0 {
		pause = maxTTL
	}
	return pause*3/4 + rand.N(pause/8) // spreads load, guards nothing
}
