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

// A stream asks its member for a sign of life every pingEvery, and takes another
// member when nothing came for deafAfter: a member that hangs, or that lost the
// others, breaks no connection, and a node that hears of no endings goes on
// honouring what has ended. After giveUp the watcher is told of a gap, so that
// whoever keeps a copy notices, and says so in the log.
const (
	pingEvery = time.Second
	deafAfter = 4 * time.Second
	giveUp    = 20 * time.Second
)

// stream follows etcd for one watcher, and resumes where it was when it broke.
type stream struct {
	client    *clientv3.Client
	space     space
	logger    *slog.Logger
	from, end string
	next      int64 // the revision to go on from
	batches   chan []store.Event
	heard     time.Time // the last sign of life
}

// run follows until ctx ends or the thread is lost.
func (f *stream) run(ctx context.Context) {
	f.heard = time.Now()
	for {
		err := f.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, rpctypes.ErrCompacted):
			f.logger.InfoContext(ctx, "etcd has compacted what a watch had not seen yet", "revision", f.next)
			return
		case time.Since(f.heard) > giveUp:
			f.logger.WarnContext(ctx, "a watch cannot go on: etcd does not answer", "error", err)
			return
		}
		f.logger.DebugContext(ctx, "a watch goes on with another connection", "revision", f.next, "error", err)
		if !rest(ctx, retryPause) {
			return
		}
	}
}

// errDeaf says that a member gave no sign of life.
var errDeaf = errors.New("etcdstore: a member of etcd is silent")

// follow opens a stream of its own, so that giving it up disturbs nobody, and
// hands over what it brings until it ends.
func (f *stream) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(clientv3.WithRequireLeader(ctx))
	defer cancel(nil)
	silence := time.AfterFunc(attemptWithin, func() { cancel(errDeaf) }) // a member says at once that a stream has begun
	defer silence.Stop()
	etcd := clientv3.NewWatcher(f.client)
	var pinging sync.WaitGroup
	pinging.Go(func() { ping(ctx, etcd) }) // until ctx ends
	defer func() {
		cancel(nil)
		pinging.Wait()
		if err := etcd.Close(); err != nil {
			f.logger.DebugContext(ctx, "closing a watch", "error", err)
		}
	}()
	answers := etcd.Watch(ctx, f.from, clientv3.WithRange(f.end), clientv3.WithRev(f.next),
		clientv3.WithPrevKV(), clientv3.WithFragment(), clientv3.WithCreatedNotify())
	for answer := range answers {
		if err := answer.Err(); err != nil {
			return err
		}
		f.heard = time.Now()
		silence.Reset(deafAfter)
		if batch := f.understand(ctx, answer.Events); len(batch) > 0 {
			select {
			case f.batches <- batch:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if !answer.Created { // which tells of a revision that is still to be sent
			f.next = max(f.next, answer.Header.Revision+1)
		}
	}
	return context.Cause(ctx)
}

// ping asks for signs of life. The first ones may come before there is a stream.
func ping(ctx context.Context, etcd clientv3.Watcher) {
	for rest(ctx, pingEvery) {
		if etcd.RequestProgress(ctx) != nil {
			return
		}
	}
}

// understand turns etcd's events into ours.
func (f *stream) understand(ctx context.Context, events []*clientv3.Event) []store.Event {
	batch := make([]store.Event, 0, len(events))
	now := time.Now()
	for _, e := range events {
		if e.Type == clientv3.EventTypeDelete {
			if !f.clearedAway(e, now) {
				key := string(e.Kv.Key[len(f.space.records()):])
				batch = append(batch, store.Event{Key: key, Version: store.Version(e.Kv.ModRevision), Deleted: true})
			}
			continue
		}
		r, err := f.space.decode(e.Kv)
		if err != nil {
			f.logger.ErrorContext(ctx, "a change in etcd is not this release's and is left out", "error", err)
			continue
		}
		batch = append(batch, store.Event{Key: r.Key, Value: r.Value, Version: r.Version, Expires: r.Expires})
	}
	for i := range len(batch) - 1 {
		batch[i].More = batch[i].Version == batch[i+1].Version // etcd never divides a revision
	}
	return batch
}

// clearedAway reports whether a deletion is that of a lease: expiry is no event.
// A lease ends long after its records have expired. What expired only just now
// was deleted by somebody, if it was alive by another node's clock, and to report
// a deletion of what is absent anyhow does no harm.
func (f *stream) clearedAway(e *clientv3.Event, now time.Time) bool {
	if e.PrevKv == nil {
		return false // compacted away
	}
	r, err := f.space.decode(e.PrevKv)
	return err == nil && !r.Expires.IsZero() && now.Sub(r.Expires) > leaseSlack/2
}
