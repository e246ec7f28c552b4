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
// It never interprets a value, never repairs a file and never runs beside
// another process on the same file.
package boltstore

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/signet-id/signet/internal/store"
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
	requests chan *request // to the writer, which owns every change
	stop     chan struct{} // closed by Close: the writer takes nothing more
	stopped  chan struct{} // closed by the writer as it leaves
	watchers *watchers
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
}

// Stats returns the counts since Open.
func (s *Store) Stats() Stats {
	return Stats{
		Commits:      s.tally.commits.Load(),
		Transactions: s.tally.transactions.Load(),
		Swept:        s.tally.swept.Load(),
	}
}

// Get implements store.Store. All keys are read in one transaction, and their
// values share one allocation.
func (s *Store) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	if err := store.CheckKeys(keys...); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	records := make([]store.Record, len(keys))
	now := time.Now().UnixNano()
	err := s.db.View(func(tx *bbolt.Tx) error {
		read(tx.Bucket(nameRecords()), keys, records, now)
		return nil
	})
	if err != nil {
		return nil, readFault(err)
	}
	return records, nil
}

func read(from *bbolt.Bucket, keys []string, records []store.Record, now int64) {
	var size int
	var name []byte
	for i, key := range keys {
		records[i].Key = key
		name = append(name[:0], key...)
		raw := from.Get(name)
		if !live(raw, now) {
			continue
		}
		records[i].Value = valueOf(raw)
		records[i].Version = versionOf(raw)
		records[i].Expires = toTime(expiresOf(raw))
		size += len(records[i].Value)
	}
	// The values are pieces of the memory map and die with the transaction. The
	// copies are cut to their length, so that appending to one cannot reach into
	// the next.
	values := make([]byte, 0, size)
	for i := range records {
		if records[i].Exists() {
			start := len(values)
			values = append(values, records[i].Value...)
			records[i].Value = values[start:len(values):len(values)]
		}
	}
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	if err := store.CheckList(prefix, after, limit); err != nil {
		return nil, err
	}
	var records []store.Record
	now := time.Now().UnixNano()
	err := s.db.View(func(tx *bbolt.Tx) error {
		var err error
		records, err = list(ctx, tx.Bucket(nameRecords()).Cursor(), prefix, after, limit, now)
		return err
	})
	if err != nil {
		return nil, readFault(err)
	}
	return records, nil
}

func list(ctx context.Context, c *bbolt.Cursor, prefix, after string, limit int, now int64) ([]store.Record, error) {
	from := prefix
	if after != "" && after >= prefix {
		from = after + "\x00" // the least key that is greater than after
	}
	var records []store.Record
	wanted, passed := []byte(prefix), 0
	for key, raw := c.Seek([]byte(from)); bytes.HasPrefix(key, wanted) && key != nil && len(records) < limit; key, raw = c.Next() {
		// A long run of expired records must not hold a caller who has left.
		if passed%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		passed++
		if live(raw, now) {
			records = append(records, record(string(key), raw))
		}
	}
	return records, ctx.Err()
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
		s.watchers.close()
		err = writeFault(s.db.Close()) // waits for the readers
	})
	return err
}
