package etcdstore

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/signet-id/signet/internal/store"
)

// Commit implements store.Store: one round trip, mostly. Another one precedes it
// when this node needs a new lease, and follows when a guard demands the absence
// of a record that has expired and is still there.
func (s *Store) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	if err := store.Check(ops...); err != nil {
		return 0, err
	}
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.calls.Done()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	for attempt := 1; ; attempt++ {
		version, err := s.commit(ctx, ops)
		switch {
		case errors.Is(err, rpctypes.ErrLeaseNotFound) && attempt < 3:
			s.leases.forget() // nothing was applied: etcd looks for the leases first
		case err == nil, errors.Is(err, store.ErrConflict):
			return version, err
		default:
			return 0, unavailable(ctx, err, "written")
		}
	}
}

// commit is Commit with etcd's errors.
func (s *Store) commit(ctx context.Context, ops []store.Op) (store.Version, error) {
	changes, err := s.changes(ctx, ops)
	if err != nil {
		return 0, err
	}
	expired := map[string]store.Version{} // records that are there and count as absent
	for {
		now := time.Now()
		compares, alive := s.compares(ops, expired, now)
		if len(compares)+len(alive) <= store.MaxOps { // what etcd takes, by its --max-txn-ops
			compares = append(compares, alive...)
		} else if err := s.judgeBefore(ctx, ops, now); err != nil {
			return 0, err
		}
		answer, err := s.transact(ctx, compares, changes, s.look(ops))
		if err != nil {
			return 0, err
		}
		if answer.Succeeded {
			return s.version(ctx, answer)
		}
		found, err := s.space.found(answer)
		if err != nil {
			return 0, err
		}
		if err := judge(ops, found, expired, now); err != nil {
			return 0, err
		}
	}
}

// judgeBefore judges guards of which there are too many for etcd to judge the
// expiry as well. A record that still has its version has the expiry that it had
// when it was read, so it makes no difference.
func (s *Store) judgeBefore(ctx context.Context, ops []store.Op, now time.Time) error {
	var keys []string
	for i := range ops {
		if ops[i].Guarded {
			keys = append(keys, ops[i].Key)
		}
	}
	found, err := s.get(ctx, keys)
	if err != nil {
		return err
	}
	return judge(ops, found, map[string]store.Version{}, now)
}

// changes are what a Commit does when its guards hold.
func (s *Store) changes(ctx context.Context, ops []store.Op) ([]clientv3.Op, error) {
	changes := make([]clientv3.Op, 0, len(ops)+1)
	puts := false
	for i := range ops {
		op := &ops[i]
		switch key := s.space.record(op.Key); {
		case op.Keep:
		case op.Delete:
			changes = append(changes, clientv3.OpDelete(key))
		default:
			puts = true
			var options []clientv3.OpOption
			if !op.Expires.IsZero() {
				lease, err := s.leases.take(ctx, op.Expires)
				if err != nil {
					return nil, err
				}
				options = append(options, clientv3.WithLease(lease))
			}
			changes = append(changes, clientv3.OpPut(key, encode(op.Value, op.Expires), options...))
		}
	}
	if !puts && len(changes) < store.MaxOps {
		// Demanding and deleting what is absent would leave the revision as it
		// is, and two Commits with one version.
		changes = append(changes, clientv3.OpPut(s.space.pulse(), ""))
	}
	return changes, nil
}

// compares are the guards as etcd judges them.
func (s *Store) compares(ops []store.Op, expired map[string]store.Version, now time.Time) (versions, alive []clientv3.Cmp) {
	for i := range ops {
		op := &ops[i]
		switch {
		case !op.Guarded:
		case op.Must == 0:
			versions = append(versions, s.space.has(op.Key, expired[op.Key]))
		default:
			versions = append(versions, s.space.has(op.Key, op.Must))
			alive = append(alive, s.space.alive(op.Key, now))
		}
	}
	return versions, alive
}

// look asks for all records that are guarded: what a Commit is told when its
// guards do not hold.
func (s *Store) look(ops []store.Op) []clientv3.Op {
	var ranges []clientv3.Op
	for i := range ops {
		if ops[i].Guarded {
			ranges = append(ranges, clientv3.OpGet(s.space.record(ops[i].Key)))
		}
	}
	return ranges
}

// judge finds the first guard that fails on the records found, or notes whose
// expired record was in the way: then the Commit is to be tried again.
func judge(ops []store.Op, found []stored, expired map[string]store.Version, now time.Time) error {
	clear(expired)
	for i := range ops {
		op := &ops[i]
		if !op.Guarded {
			continue
		}
		r := found[0]
		found = found[1:]
		var have store.Version
		if r.live(now) {
			have = r.Version
		} else if r.Exists() {
			expired[op.Key] = r.Version
		}
		if have != op.Must {
			return &store.ConflictError{Key: op.Key}
		}
	}
	return nil
}

// transact sends one transaction. It is repeated only after an answer that says
// that etcd did not even propose it; whatever else happens leaves the outcome
// open, and the caller is told so.
func (s *Store) transact(ctx context.Context, compares []clientv3.Cmp, then, otherwise []clientv3.Op) (*clientv3.TxnResponse, error) {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), answerWithin)
	defer cancel()
	began := time.Now()
	for {
		answer, err := s.client.Txn(ctx).If(compares...).Then(then...).Else(otherwise...).Commit()
		if !errors.Is(err, rpctypes.ErrNoLeader) || time.Since(began) > patience || !rest(ctx, retryPause) {
			return answer, err
		}
	}
}

// version is that of a Commit whose guards held. MaxOps deletions leave no room
// for a pulse; if they removed nothing it is given afterwards.
func (s *Store) version(ctx context.Context, answer *clientv3.TxnResponse) (store.Version, error) {
	for _, r := range answer.Responses {
		if r.GetResponsePut() != nil || r.GetResponseDeleteRange().GetDeleted() > 0 {
			return store.Version(answer.Header.Revision), nil
		}
	}
	answer, err := s.transact(ctx, nil, []clientv3.Op{clientv3.OpPut(s.space.pulse(), "")}, nil)
	if err != nil {
		return 0, err
	}
	return store.Version(answer.Header.Revision), nil
}
