package pgstore

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/group"
)

// One transaction carries at most this much, so that the first in the queue does
// not wait for a crowd, and no other node for long.
const (
	maxBatch      = 256
	maxBatchBytes = 4 << 20
	opBytes       = 1 << 10 // what an op costs beside its key and value, as bytes would
)

// retryPause is about half as long as anybody waits before the second attempt.
const retryPause = 20 * time.Millisecond

// silence is how long the writer trusts a connection of which it heard nothing.
const silence = time.Second

// What an op does, as signet_changes has it.
const (
	kindKeep   int16 = 0
	kindPut    int16 = 1
	kindDelete int16 = 2
)

// unguarded is a guard that every record passes.
const unguarded int64 = -1

// request is one Commit on its way through the writer.
type request = group.Request[[]store.Op]

// copied is what of ops the writer may hold on to, and how much it weighs.
func copied(ops []store.Op) ([]store.Op, int) {
	ours, size := make([]store.Op, len(ops)), 0
	for i, op := range ops {
		op.Value = bytes.Clone(op.Value)
		ours[i] = op
		size += len(op.Key) + len(op.Value) + opBytes
	}
	return ours, size
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	return s.queue.Commit(ctx, ops, copied)
}

// writer is the one goroutine of this node that changes anything.
type writer struct {
	*Store
	logger *slog.Logger
	heard  time.Time // when the database last answered
}

func (w *writer) run() {
	defer close(w.stopped)
	for {
		select {
		case <-w.stop:
			return
		case first := <-w.queue.Waiting():
			w.commit(w.queue.Gather(first, maxBatch, maxBatchBytes))
		}
	}
}

// commit has the database judge batch and tells everybody.
func (w *writer) commit(batch []*request) {
	err := w.carry(batch)
	for _, r := range batch {
		if err != nil && r.Err == nil {
			r.Version, r.Err = 0, commitFault(err)
		}
		r.Done()
	}
}

// carry asks again only what has certainly not happened.
func (w *writer) carry(batch []*request) error {
	ctx, cancel := context.WithTimeout(context.Background(), answerWait)
	defer cancel()
	for attempt := 1; ; attempt++ {
		live := present(batch)
		if len(live) == 0 {
			return nil // each has the error of its context
		}
		err := w.call(ctx, live)
		if err == nil {
			return nil
		}
		if lost(err) {
			w.pool.Reset() // whatever broke this connection broke its neighbours
		}
		if !harmless(err) || attempt == attempts || ctx.Err() != nil {
			return err
		}
		w.logger.Debug("a transaction did not happen and is tried again", slog.Any("error", err))
		select {
		case <-time.After(retryPause<<attempt + rand.N(retryPause)):
		case <-w.stop:
			return err
		}
	}
}

// present leaves out those for whom nobody waits any more.
func present(batch []*request) []*request {
	var live []*request
	for _, r := range batch {
		if r.Err = r.Ctx.Err(); r.Err == nil {
			live = append(live, r)
		}
	}
	return live
}

// call is one transaction: one round trip. The first after a silence has another
// one before it: a connection that died meanwhile is found out by a question that
// changes nothing, and no caller is left with an outcome that nobody knows.
func (w *writer) call(ctx context.Context, batch []*request) error {
	a := argumentsOf(batch)
	var versions []int64
	var failed []int32
	err := w.once(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		if time.Since(w.heard) > silence {
			if err := conn.Ping(ctx); err != nil {
				return &unsentError{err}
			}
		}
		row := conn.QueryRow(ctx, stmtCommit, a.sizes, a.keys, a.values, a.expiries, a.kinds, a.musts)
		if err := row.Scan(&versions, &failed); err != nil {
			return err
		}
		return replicated(conn.PgConn())
	})
	if err == nil && (len(versions) != len(batch) || len(failed) != len(batch)) {
		err = fmt.Errorf("the database judged %d of %d changes", len(versions), len(batch))
	}
	if err != nil {
		return err
	}
	w.heard = time.Now()
	w.tally.transactions.Add(1)
	for i, r := range batch {
		if failed[i] != 0 {
			r.Err = &store.ConflictError{Key: r.Work[failed[i]-1].Key}
			continue
		}
		r.Version = store.Version(versions[i])
		w.tally.commits.Add(1)
	}
	return nil
}

// arguments are the parameters of signet_commit_1: a column for each property of
// an op.
type arguments struct {
	sizes    []int32
	keys     [][]byte
	values   [][]byte
	expiries []*time.Time
	kinds    []int16
	musts    []int64
}

func argumentsOf(batch []*request) arguments {
	var a arguments
	for _, r := range batch {
		a.sizes = append(a.sizes, int32(len(r.Work)))
		for _, op := range r.Work {
			kind, value, must := kindPut, op.Value, unguarded
			switch {
			case op.Keep:
				kind, value = kindKeep, nil
			case op.Delete:
				kind, value = kindDelete, nil
			case value == nil:
				value = []byte{} // not NULL
			}
			if op.Guarded {
				must = int64(min(op.Must, math.MaxInt64)) // no version is that high, and below 0 is no guard
			}
			a.keys, a.values = append(a.keys, []byte(op.Key)), append(a.values, value)
			a.expiries, a.kinds, a.musts = append(a.expiries, toColumn(op.Expires)), append(a.kinds, kind), append(a.musts, must)
		}
	}
	return a
}
