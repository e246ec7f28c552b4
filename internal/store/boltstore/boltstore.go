// Package boltstore owns one bbolt file and keeps the promises of package
// store with it. It is the engine of a deployment with one node: no server, no
// setting, one file that no other process may hold.
//
//	Commit ─┐
//	Commit ─┼─▶ writer ──one transaction, one fsync──▶ file ──▶ watchers
//	Commit ─┘     ▲                                      │
//	              └── the next expiry is due             └──▶ Get, List (memory map)
//
// One goroutine writes. As soon as the disk is free it takes every Commit that
// waits into one transaction: the fsync is shared, the judgement is not, each
// Commit stands or falls by its own guards. Expired records are absent at once
// and leave the file later, some hundreds at a time, by the same goroutine.
//
// What a read or a guard meets is checked there and then; what nobody asks for
// is examined after Open, in the background. Damage stops the store.
//
// It never interprets a value, never repairs a file and never runs beside
// another process on the same file.
package boltstore

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/group"
)

// Options are the few choices there are; the zero value is for production.
type Options struct {
	// Logger receives what no caller can be told: the sweeper's troubles and
	// the reason for which writing stopped. Nil discards it.
	Logger *slog.Logger

	// NoSync leaves out the fsync, and with it the promise that an acknowledged
	// Commit survives a power cut. It exists for tests that measure something
	// else; no configuration key reaches it.
	NoSync bool
}

// Store is a store.Store on one bbolt file; make it with Open.
type Store struct {
	db       *bbolt.DB
	queue    *group.Queue[[]change] // to the writer, which owns every change
	stop     chan struct{}          // closed by Close: the writer takes nothing more
	stopped  chan struct{}          // closed by the writer as it leaves
	examined chan struct{}          // closed when the examination has ended, however
	watchers *watchers
	resident resident
	alarm    *alarm
	tally    tally

	closing sync.Once
}

// tally counts what the writer did.
type tally struct{ commits, transactions, swept atomic.Uint64 }

// Stats are counts since Open. Commits divided by Transactions is how many
// Commits shared one fsync.
type Stats struct {
	Commits      uint64 // applied; those that failed a guard are not in it
	Transactions uint64 // made durable, the sweeper's included
	Swept        uint64 // expired records removed
	Examined     bool   // the whole file was read since Open, or as far as it is sound
}

// Stats returns the counts since Open.
func (s *Store) Stats() Stats {
	examined := false
	select {
	case <-s.examined:
		examined = true
	default:
	}
	return Stats{
		Examined:     examined,
		Commits:      s.tally.commits.Load(),
		Transactions: s.tally.transactions.Load(),
		Swept:        s.tally.swept.Load(),
	}
}

// Watch implements store.Store.
func (s *Store) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	if err := store.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.watchers.add(ctx, prefix)
}

// Close implements store.Store.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		close(s.stop)
		<-s.stopped
		<-s.examined
		s.resident.timer.Stop()
		s.watchers.close()
		err = writeFault(s.db.Close()) // waits for the readers
	})
	return err
}
