// Package pgstore owns the tables of one PostgreSQL database and keeps the
// promises of package store with them. It is the engine of a deployment with
// several nodes: each opens the same database, and they share nothing else.
//
//	Commit ─┐
//	Commit ─┼─▶ writer ──CALL signet_commit──▶ signet_records, signet_changes
//	Commit ─┘                                      │  │
//	Get, List ◀──one statement─────────────────────┘  │ NOTIFY
//	watchers ◀── follower ◀──what is newer────────────┘
//
// As soon as a node's last transaction is durable its writer takes every Commit
// that waits into one more, in one round trip; each is judged by its own guards.
// All writers of all nodes queue at one row, which holds the newest version: so
// versions become visible in their order, without a gap, and a watcher that sees
// version n+1 knows that it has seen n.
//
// Expiry is judged by the database's clock, wherever a statement runs; the clocks
// of the nodes do not matter to it. Expired records leave later, in small batches.
//
// It never interprets a value, never retries a Commit that may have happened,
// and holds no lock while it waits for its own node.
package pgstore

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/group"
)

// Options are the few choices there are; the zero value is for production.
type Options struct {
	// Logger receives what no caller can be told: the troubles of the watch and
	// of the sweeper. Nil discards it.
	Logger *slog.Logger

	// Connections is how many this node has at most, beside the one that
	// listens; 0 is defaultConnections. The URL's pool_max_conns comes first.
	Connections int
}

const defaultConnections = 16

// Store is a store.Store on one PostgreSQL database; make it with Open.
type Store struct {
	pool     *pgxpool.Pool
	queue    *group.Queue[[]store.Op] // to the writer, which owns every change
	stop     chan struct{}            // closed by Close: the writer takes nothing more
	stopped  chan struct{}            // closed by the writer as it leaves
	watchers *watchers
	tally    tally

	end     context.CancelFunc // ends follower and sweeper
	running sync.WaitGroup     // of both
	closing sync.Once
	closed  chan struct{} // closed when Close is through
}

var _ store.Store = (*Store)(nil)

// tally counts what this node did.
type tally struct{ commits, transactions, swept atomic.Uint64 }

// Stats are counts since Open, of this node alone. Commits divided by
// Transactions is how many Commits shared one transaction.
type Stats struct {
	Commits      uint64 // applied; those that failed a guard are not in it
	Transactions uint64 // acknowledged by the database
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

// Get implements store.Store. One statement sees one state.
func (s *Store) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	if err := store.CheckKeys(keys...); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, ctx.Err()
	}
	names := make([][]byte, len(keys))
	for i, key := range keys {
		names[i] = []byte(key)
	}
	records := make([]store.Record, len(keys))
	err := s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		for i, key := range keys {
			records[i] = store.Record{Key: key} // also what an attempt that broke off has left
		}
		rows, err := conn.Query(ctx, stmtGet, names)
		if err != nil {
			return err
		}
		var n int
		var value []byte
		var version uint64
		var expires *time.Time
		_, err = pgx.ForEachRow(rows, []any{&n, &value, &version, &expires}, func() error {
			r := &records[n-1]
			r.Value, r.Version, r.Expires = value, store.Version(version), fromColumn(expires)
			value = nil // the next row's is its own
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	if err := store.CheckList(prefix, after, limit); err != nil {
		return nil, err
	}
	from, to := span(prefix)
	if after != "" && after >= prefix {
		from = append([]byte(after), 0) // the least key that is greater than after
	}
	var records []store.Record
	err := s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		records = nil
		rows, err := conn.Query(ctx, stmtList, from, to, limit)
		if err != nil {
			return err
		}
		var key, value []byte
		var version uint64
		var expires *time.Time
		_, err = pgx.ForEachRow(rows, []any{&key, &value, &version, &expires}, func() error {
			records = append(records, store.Record{Key: string(key), Value: value, Version: store.Version(version), Expires: fromColumn(expires)})
			value = nil
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// Watch implements store.Store. It asks for the newest version: what came
// before is not news, and what comes after is not missed.
func (s *Store) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	if err := store.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	var newest uint64
	var at *time.Time
	err := s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, stmtNewest).Scan(&newest, &at)
	})
	if err != nil {
		return nil, err
	}
	return s.watchers.add(ctx, prefix, place{store.Version(newest), fromColumn(at)})
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.closing.Do(func() {
		defer close(s.closed)
		close(s.stop)
		<-s.stopped
		s.end()
		s.running.Wait()
		s.watchers.close()
		s.pool.Close() // waits for the readers
	})
	<-s.closed
	return nil
}
