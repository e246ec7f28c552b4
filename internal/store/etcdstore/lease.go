package etcdstore

import (
	"context"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Leases only clear away: whether a record has expired is judged by its header.
// So one lease serves all records that this node lets expire at about the same
// time, and ends after the last of them.
//
//	expires ──roundUp──▶ end of the bucket ──+ slack──▶ end of the lease
//
// A bucket is as wide as a 64th of the time that its records live, at least a
// minute: a node has about a hundred leases per kind of record, however many
// records there are.
const (
	bucketMin   = time.Minute
	bucketShare = 64

	// leaseSlack is how long a lease lasts beyond its bucket. A record that is
	// removed by its lease has been expired for more than half of it, whichever
	// node's clock one asks, as long as they agree within the other half.
	leaseSlack = 5 * time.Minute
)

// roundUp returns the end of the bucket of records that expire at expires. The
// times within one bucket yield the same end from one minute to the next, or the
// lease would not be shared.
func roundUp(now, expires time.Time) time.Time {
	if expires.Before(now) {
		expires = now // it has expired already, and is to be removed soon
	}
	width := bucketMin
	for width < expires.Sub(now)/bucketShare {
		width *= 2
	}
	return expires.Truncate(width).Add(width)
}

// lease is one lease of this node's; what is behind ready is set before it closes.
type lease struct {
	ready chan struct{}
	id    clientv3.LeaseID
	ends  time.Time // with the monotonic clock's reading: see outlives
	err   error
}

// outlives reports whether the lease ends well after expires. It asks both
// clocks: the wall clock may have been set since the lease was granted, and the
// monotonic clock stands still while the machine sleeps.
func (l *lease) outlives(now, expires time.Time) bool {
	left := min(l.ends.Sub(now), l.ends.Round(0).Sub(now.Round(0)))
	return left >= max(0, expires.Sub(now.Round(0)))+leaseSlack/2
}

// settled reports whether the lease was granted, or refused.
func (l *lease) settled() bool {
	select {
	case <-l.ready:
		return true
	default:
		return false
	}
}

// leases are those that this node was granted and has use for.
type leases struct {
	client  clientv3.Lease
	life    context.Context // of the store: a grant outlives the Commit that asked first
	granted sync.WaitGroup

	mu    sync.Mutex
	byEnd map[int64]*lease // by the end of the bucket, in seconds since 1970
}

// take returns a lease for a record that expires at expires.
func (s *leases) take(ctx context.Context, expires time.Time) (clientv3.LeaseID, error) {
	expires = clamped(expires)
	for {
		now := time.Now()
		l := s.find(now, expires)
		select {
		case <-l.ready:
		case <-ctx.Done():
			return clientv3.NoLease, ctx.Err()
		}
		if l.err != nil || l.outlives(now, expires) {
			return l.id, l.err
		}
	}
}

// find returns the lease of the bucket, and asks for one if there is none.
func (s *leases) find(now, expires time.Time) *lease {
	end := roundUp(now, expires)
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.byEnd[end.Unix()]
	if known != nil && (!known.settled() || known.err == nil && known.outlives(now, expires)) {
		return known
	}
	for key, old := range s.byEnd {
		if old.settled() && !old.outlives(now, now) {
			delete(s.byEnd, key)
		}
	}
	l := &lease{ready: make(chan struct{})}
	s.byEnd[end.Unix()] = l
	ttl := (end.Add(leaseSlack).Sub(now) + time.Second - 1).Truncate(time.Second)
	s.granted.Go(func() { s.grant(l, ttl) }) // for at most answerWithin
	return l
}

func (s *leases) grant(l *lease, ttl time.Duration) {
	defer close(l.ready)
	// Taken first: etcd counts from a later moment.
	l.ends = time.Now().Add(ttl)
	l.err = repeat(s.life, func(ctx context.Context) error { // a lease that nobody uses ends by itself
		granted, err := s.client.Grant(ctx, int64(ttl/time.Second))
		if err == nil {
			l.id = granted.ID
		}
		return err
	})
}

// forget has the next Commits ask for new leases: etcd does not know one of
// these any more, because an operator revoked it or a backup was restored.
func (s *leases) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, l := range s.byEnd {
		if l.settled() {
			delete(s.byEnd, key)
		}
	}
}
