package verify

import (
	"context"
	"time"
)

// newsEvery is between fetches that the issuer's own news can cause.
const newsEvery = time.Second

// renew makes the follower fetch the keys, because the issuer says that they
// have changed. Unlike a kid that a stranger made up, this is not made to wait.
func (f *follower) renew() {
	select {
	case f.news <- struct{}{}:
	default: // the fetch that is still to come will do
	}
}

// renewed is renew for who waits for the outcome, whatever it is.
func (f *follower) renewed(ctx context.Context) {
	fetched := make(chan struct{})
	f.mu.Lock()
	f.awaiting = append(f.awaiting, fetched)
	f.mu.Unlock()
	f.renew()
	patience := time.NewTimer(askPatience)
	defer patience.Stop()
	select {
	case <-fetched:
	case <-patience.C:
	case <-f.done:
	case <-ctx.Done():
	}
}

// awaitNews keeps fetches apart, and lets the next one pass by every cache: what
// they hold is what has changed. It reports whether ctx is still good.
func (f *follower) awaitNews(ctx context.Context) bool {
	f.mu.Lock()
	wait := newsEvery - time.Since(f.begun)
	f.mu.Unlock()
	f.origin.revalidate = true
	return wait <= 0 && ctx.Err() == nil || sleep(ctx, wait)
}

// learn publishes what the origin has read in the metadata.
func (f *follower) learn() {
	found := f.origin.endpoints
	if found == nil || found == f.known.Load() {
		return
	}
	if f.known.Swap(found) == nil {
		close(f.learned)
	}
}

// places returns where endings are told, once the metadata were read.
func (f *follower) places(ctx context.Context) (*endpoints, error) {
	select {
	case <-f.learned:
		return f.known.Load(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
