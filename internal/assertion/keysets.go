package assertion

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/signet-id/signet/internal/client"
)

const (
	// A set is kept for as long as its server says, within these bounds: less
	// would fetch at every request, more would trust a removed key for too long.
	minFresh = time.Minute
	maxFresh = 24 * time.Hour
	// maxStale is how much longer a set is used while its server can't be reached:
	// a client is not locked out by its own web server's bad quarter of an hour.
	maxStale = time.Hour
	// retry is the least time between two fetches for one client, whatever anybody
	// sends: an unknown kid costs nothing to write.
	retry = 10 * time.Second
	// maxSets bounds the memory; beyond it the least recently fetched one leaves.
	maxSets = 4096
)

// keySets keeps the keys that clients publish at their jwks_uri.
type keySets struct {
	fetch Fetcher

	mu   sync.Mutex
	sets map[string]*keySet // by client ID
}

// keySet is what is known of one client's keys. Its fields are guarded by
// keySets.mu; pending is not nil while somebody fetches, and closed afterwards.
type keySet struct {
	uri     string
	keys    []client.Key
	fresh   time.Time // the keys are good until then
	tried   time.Time // when the last fetch began
	failure error     // of the last fetch
	pending chan struct{}
}

func newKeySets(f Fetcher) *keySets {
	return &keySets{fetch: f, sets: map[string]*keySet{}}
}

// find returns the keys of the client, which holds says are the ones wanted if
// anybody has them. It fetches when the set is not known, not fresh any more or
// lacks what is wanted, at most once per client and retry; concurrent callers
// share one fetch.
func (k *keySets) find(ctx context.Context, id, uri string, now time.Time, holds func([]client.Key) bool) ([]client.Key, error) {
	for {
		k.mu.Lock()
		s := k.set(id, uri)
		switch {
		case now.Before(s.fresh) && holds(s.keys):
			defer k.mu.Unlock()
			return s.keys, nil
		case s.pending != nil:
			pending := s.pending
			k.mu.Unlock()
			select {
			case <-pending:
				continue
			case <-ctx.Done():
				return nil, fmt.Errorf("waiting for the keys: %w", ctx.Err())
			}
		case !s.tried.IsZero() && now.Before(s.tried.Add(retry)):
			defer k.mu.Unlock()
			return s.remembered(now)
		}
		s.tried, s.pending = now, make(chan struct{})
		k.mu.Unlock()
		k.refresh(ctx, s, now)
	}
}

// set returns what is known of the client, which is nothing when it moved its keys.
func (k *keySets) set(id, uri string) *keySet {
	s := k.sets[id]
	if s == nil || s.uri != uri {
		if s == nil && len(k.sets) >= maxSets {
			k.forget()
		}
		s = &keySet{uri: uri}
		k.sets[id] = s
	}
	return s
}

// forget removes the set that was fetched the longest time ago.
func (k *keySets) forget() {
	oldest := ""
	for id, s := range k.sets {
		if oldest == "" || s.tried.Before(k.sets[oldest].tried) {
			oldest = id
		}
	}
	delete(k.sets, oldest)
}

// remembered is what there is without a fetch.
func (s *keySet) remembered(now time.Time) ([]client.Key, error) {
	if s.keys != nil && now.Before(s.fresh.Add(maxStale)) {
		return s.keys, nil
	}
	if s.failure != nil {
		return nil, s.failure
	}
	return nil, errors.New("known no longer, and asked for a moment ago")
}

// refresh fetches the set. Whoever waits for it must not lose it because the one
// who asked first went away: the fetch has its own time limit.
func (k *keySets) refresh(ctx context.Context, s *keySet, now time.Time) {
	var keys []client.Key
	var maxAge time.Duration
	err := errors.New("the fetch did not end")
	defer func() { // whatever happens: those who wait must not wait for ever
		k.mu.Lock()
		defer k.mu.Unlock()
		s.failure = err
		if err == nil {
			// The whole set is replaced: a key that was removed is dead.
			s.keys, s.fresh = keys, now.Add(min(max(maxAge, minFresh), maxFresh))
		}
		close(s.pending)
		s.pending = nil
	}()
	keys, maxAge, err = k.load(context.WithoutCancel(ctx), s.uri)
}

func (k *keySets) load(ctx context.Context, uri string) ([]client.Key, time.Duration, error) {
	body, maxAge, err := k.fetch.Fetch(ctx, uri)
	if err != nil {
		return nil, 0, fmt.Errorf("fetching: %w", err)
	}
	keys, err := client.ParseJWKS(body)
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", uri, err)
	}
	return keys, maxAge, nil
}
