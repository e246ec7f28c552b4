package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/signet-id/signet/internal/store"
)

const (
	// After an outage no node is blind for longer than it has to be: endings are
	// to be known within a second.
	backoffMin = 50 * time.Millisecond
	backoffMax = time.Second

	// beat is how long the follower trusts a connection on which nothing comes.
	beat = 2 * time.Second

	// breath is the least time from one reading to the next: under load a
	// reading serves many Commits.
	breath = 5 * time.Millisecond

	// page is how many versions one reading covers.
	page = 128
)

// textChanges reads, in one state, how far the database is, where its log begins
// after $1, when $1 and the last of what is read were committed, and what of the
// next $2 versions touches the ranges $3 to $4.
const textChanges = `WITH s AS MATERIALIZED (
	SELECT s.version, (SELECT min(f.version) FROM signet_changes f WHERE f.version > $1) AS first,
	(SELECT f.at FROM signet_changes f WHERE f.version = $1 LIMIT 1) AS began,
	(SELECT f.at FROM signet_changes f WHERE f.version = least(s.version, $1 + $2) LIMIT 1) AS ended
	FROM signet_state s WHERE s.one)
SELECT s.version, coalesce(s.first, 0), s.began, s.ended, c.version, c.kind, c.key, c.value, c.expires
FROM s LEFT JOIN LATERAL (
	SELECT l.version, l.n, l.kind, l.key, l.value, l.expires FROM signet_changes l
	WHERE l.version > $1 AND l.version <= $1 + $2 AND l.kind > 0
	AND EXISTS (SELECT FROM unnest($3::bytea[], $4::bytea[]) p(lo, hi) WHERE l.key >= p.lo AND l.key < p.hi)
) c ON true ORDER BY c.version, c.n`

const stmtChanges = "signet_changes"

// listening subscribes to the notifications of signet_commit_1, which are named
// after this very table: a database may hold several of that name.
const listening = `DO $$ BEGIN EXECUTE 'LISTEN signet_' || 'signet_state'::regclass::oid; END $$;`

// follower tells the watchers of this node what all nodes commit. A
// notification only wakes it; what there is to tell it reads from the log, so
// that one which is lost or comes twice does no harm.
type follower struct {
	config   *pgx.ConnConfig
	pool     *pgxpool.Pool
	watchers *watchers
	logger   *slog.Logger
}

// run follows until life ends.
func (f *follower) run(life context.Context) {
	backoff := backoffMin
	for life.Err() == nil {
		began := time.Now()
		err := f.follow(life)
		if life.Err() != nil {
			return
		}
		if time.Since(began) > backoffMax {
			backoff = backoffMin // it went well for a while
		}
		f.pool.Reset() // whatever broke this connection broke its neighbours
		f.logger.WarnContext(life, "watching the store was interrupted; connecting anew", slog.Any("error", err))
		pause(life, backoff/2+rand.N(backoff/2)) // all nodes lose a database at one moment
		backoff = min(2*backoff, backoffMax)
	}
}

// follow listens on a connection of its own until that breaks. It listens before
// it reads: what is committed after the reading wakes it.
func (f *follower) follow(life context.Context) error {
	conn, err := f.listen(life)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	var told store.Version // the newest version that a notification has named
	for {
		read := time.Now()
		served, err := f.catchUp(life, conn)
		if err != nil {
			return err
		}
		for quiet := false; !quiet && told <= served; {
			told, quiet, err = wait(life, conn, told)
			if err != nil {
				return err
			}
		}
		told = min(told, served) // so that each reading is asked for anew
		pause(life, time.Until(read.Add(breath)))
	}
}

func (f *follower) listen(life context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(life, answerWait)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, f.config)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	if _, err = conn.PgConn().Exec(ctx, session+listening).ReadAll(); err == nil {
		_, err = conn.Prepare(ctx, stmtChanges, textChanges)
	}
	if err != nil {
		closeConn(conn)
		return nil, fmt.Errorf("listening: %w", err)
	}
	return conn, nil
}

// wait returns the version that the next notification names, or that it was
// quiet for a beat.
func wait(life context.Context, conn *pgx.Conn, told store.Version) (store.Version, bool, error) {
	ctx, cancel := context.WithTimeout(life, beat)
	defer cancel()
	n, err := conn.WaitForNotification(ctx)
	switch {
	case err == nil:
		v, err := strconv.ParseUint(n.Payload, 10, 64)
		if err != nil {
			return told, true, nil // not one of ours: look, to be sure
		}
		return max(told, store.Version(v)), false, nil
	case life.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err)) && !conn.IsClosed():
		return told, true, nil
	}
	return told, false, fmt.Errorf("waiting for changes: %w", err)
}

// catchUp reads and dispatches until there is nothing more, and returns how far
// it came.
func (f *follower) catchUp(life context.Context, conn *pgx.Conn) (store.Version, error) {
	for {
		n, watched := f.watchers.next()
		if !watched {
			return n.after.version, nil
		}
		ctx, cancel := context.WithTimeout(life, answerWait)
		p, err := readPage(ctx, conn, n)
		cancel()
		if err != nil {
			return 0, fmt.Errorf("reading changes: %w", err)
		}
		if p.broken(n.after) {
			f.logger.WarnContext(life, "the store's log does not reach back to where this node was; its copies are loaded anew",
				slog.Uint64("seen", uint64(n.after.version)), slog.Uint64("newest", uint64(p.newest)))
			f.watchers.gap()
			return 0, nil
		}
		upTo := place{min(p.newest, n.after.version+page), p.ended}
		if f.watchers.dispatch(n, p.events, upTo) && upTo.version == p.newest {
			return p.newest, nil
		}
	}
}

// changes are one reading of the log.
type changes struct {
	newest store.Version // of the whole database
	first  store.Version // of the log, after what was seen; 0: none
	began  time.Time     // when what was seen was committed …
	ended  time.Time     // … and the last version of this reading; zero: the log has it no more
	events []store.Event
}

// broken reports whether something between seen and the reading is missing.
// Versions have no gaps, so the log must go on with the next one. A database that is
// behind what was seen, or has another Commit under the same version, is another one
// or fell back: a replica was promoted that did not have everything, or a backup restored.
func (c changes) broken(seen place) bool {
	return c.newest < seen.version || c.newest > seen.version && c.first != seen.version+1 ||
		!seen.at.IsZero() && !c.began.IsZero() && !c.began.Equal(seen.at)
}

func readPage(ctx context.Context, conn *pgx.Conn, n want) (changes, error) {
	var p changes
	rows, err := conn.Query(ctx, stmtChanges, uint64(n.after.version), page, n.from, n.to)
	if err != nil {
		return p, err
	}
	var newest, first uint64
	var began, ended *time.Time
	var version *uint64
	var kind *int16
	var key, value []byte
	var expires *time.Time
	_, err = pgx.ForEachRow(rows, []any{&newest, &first, &began, &ended, &version, &kind, &key, &value, &expires}, func() error {
		p.newest, p.first = store.Version(newest), store.Version(first)
		p.began, p.ended = fromColumn(began), fromColumn(ended)
		if version == nil {
			return nil // the one row that there always is
		}
		p.events = append(p.events, store.Event{
			Key: string(key), Value: value, Version: store.Version(*version), Expires: fromColumn(expires), Deleted: *kind == kindDelete,
		})
		value = nil // the next row's is its own
		return nil
	})
	return p, err
}

func pause(life context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-life.Done():
	}
}
