// Package etcdstore keeps the promises of package store with an etcd cluster. It
// is the engine of a deployment that has an etcd already, or that wants to lose
// a machine without a failover to be done by anybody.
//
// It owns the keys under one prefix, and how a record is written there:
//
//	Commit ──one transaction: compares, puts, deletes──▶ leader ──quorum──▶ done
//	Get ────one transaction of ranges, linearizable────▶ any member
//	List ───a range at one revision, linearizable──────▶ any member
//	Watch ◀─events from a revision on, resumed at it──── any member
//
// The version of a Commit is etcd's revision, which every transaction that
// writes has to itself. Expiry is judged by the clock of the node that asks,
// because etcd tells no time: the nodes' clocks have to agree within a minute or
// two. It is written in front of each value, so that etcd can judge a guard's
// record within the transaction. Leases only clear away what has expired.
//
// It never interprets a value, never needs an old revision, never compacts,
// defragments or changes the cluster: that is for those who run it.
package etcdstore

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/signet-id/signet/internal/store"
)

// A cluster that answers is given answerWithin, for its disks may be slow; what
// may be repeated asks another member after attemptWithin, which may be quicker.
// A cluster that cannot be reached or has no leader is given patience, which
// outlasts an election.
const (
	answerWithin  = 8 * time.Second
	attemptWithin = 1500 * time.Millisecond
	patience      = 3 * time.Second
	retryPause    = 50 * time.Millisecond
)

// longRun is how many records a List goes on to read at least when it has met
// expired ones: where there are some, there are more.
const longRun = 128

var _ store.Store = (*Store)(nil)

// Store is a store.Store in an etcd cluster; make it with Open.
type Store struct {
	client *clientv3.Client
	space  space
	leases *leases
	logger *slog.Logger

	finish  context.CancelFunc // ends what outlives a single call
	closing chan struct{}      // closed as Close begins: watches end

	mu       sync.Mutex // orders enter and Close
	closed   bool
	calls    sync.WaitGroup // under way
	watching sync.WaitGroup
}

// enter admits a call, which Close will wait for until it leaves.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	s.calls.Add(1)
	return nil
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	if err := store.CheckKeys(keys...); err != nil {
		return nil, err
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	found, err := s.get(ctx, keys)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	records := make([]store.Record, len(keys))
	for i, r := range found {
		records[i].Key = keys[i]
		if r.live(now) {
			records[i] = r.Record
		}
	}
	return records, nil
}

// get reads keys at one revision, expired records included.
func (s *Store) get(ctx context.Context, keys []string) ([]stored, error) {
	if len(keys) == 0 || ctx.Err() != nil {
		return nil, ctx.Err()
	}
	ranges := make([]clientv3.Op, len(keys))
	for i, key := range keys {
		ranges[i] = clientv3.OpGet(s.space.record(key))
	}
	var answer *clientv3.TxnResponse
	err := s.read(ctx, func(ctx context.Context) (err error) {
		answer, err = s.client.Txn(ctx).Then(ranges...).Commit()
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.space.found(answer)
}

// found decodes the answers of a transaction's ranges of one key each.
func (s space) found(answer *clientv3.TxnResponse) ([]stored, error) {
	records := make([]stored, len(answer.Responses))
	for i, r := range answer.Responses {
		kvs := r.GetResponseRange().GetKvs()
		if len(kvs) == 0 {
			continue
		}
		var err error
		if records[i], err = s.decode(kvs[0]); err != nil {
			return nil, foreign(err)
		}
	}
	return records, nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	if err := store.CheckList(prefix, after, limit); err != nil {
		return nil, err
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	for {
		records, err := s.list(ctx, prefix, after, limit)
		if !errors.Is(err, rpctypes.ErrCompacted) {
			return records, err
		}
		// The revision went while it was read: an expired page took that long.
	}
}

// list reads until it has limit records that have not expired, all of them as
// of the revision of the first range.
func (s *Store) list(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	from, end := s.space.span(prefix)
	if after != "" && after >= prefix {
		from = s.space.record(after) + "\x00" // the least key that is greater than after
	}
	var records []store.Record
	var revision int64
	page := limit
	for from < end {
		var answer *clientv3.GetResponse
		err := s.read(ctx, func(ctx context.Context) (err error) {
			answer, err = s.client.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(int64(page)), clientv3.WithRev(revision))
			return err
		})
		if err != nil {
			return nil, err
		}
		now := time.Now()
		for _, kv := range answer.Kvs {
			r, err := s.space.decode(kv)
			if err != nil {
				return nil, foreign(err)
			}
			if r.live(now) && len(records) < limit {
				records = append(records, r.Record)
			}
			from = string(kv.Key) + "\x00"
		}
		if !answer.More || len(records) == limit {
			return records, nil
		}
		revision = answer.Header.Revision
		page = max(limit-len(records), longRun)
	}
	return records, nil
}

// read asks until somebody answers.
func (s *Store) read(ctx context.Context, ask func(context.Context) error) error {
	err := repeat(ctx, ask)
	if err == nil || errors.Is(err, rpctypes.ErrCompacted) {
		return err
	}
	return unavailable(ctx, err, "read")
}

// repeat is for what may be asked as often as one likes. The client library
// takes another member each time.
func repeat(ctx context.Context, ask func(context.Context) error) error {
	began := time.Now()
	for {
		attempt, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), attemptWithin)
		err := ask(attempt)
		limit := patience
		if attempt.Err() != nil {
			limit = answerWithin // it was reached, and is slow
		}
		cancel()
		if err == nil || !transient(err) || time.Since(began) > limit || !rest(ctx, retryPause) {
			return err
		}
	}
}

// rest waits, and reports false when ctx ended first.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Close implements store.Store. What is under way has answerWithin to end.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	close(s.closing)
	s.calls.Wait()
	s.finish()
	s.leases.granted.Wait()
	s.watching.Wait()
	if err := s.client.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return unavailable(context.Background(), err, "closed")
	}
	return nil
}
