package pgstore

import (
	"bytes"
	"context"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/signet-id/signet/internal/store"
)

// answerWait is how long anything waits for the database before it is taken for
// away. Callers' contexts may end sooner.
const answerWait = 10 * time.Second

// attempts is how often a call is tried that has certainly changed nothing.
const attempts = 3

// The statements; each connection prepares them once, so that a call is one
// round trip. statement_timestamp is one moment for all rows of a statement.
const (
	stmtGet    = "signet_get"
	stmtList   = "signet_list"
	stmtNewest = "signet_newest"
	stmtCommit = "signet_commit"
	stmtSweep  = "signet_sweep"

	textGet = `SELECT o.n, r.value, r.version, r.expires
FROM unnest($1::bytea[]) WITH ORDINALITY o(key, n) JOIN signet_records r ON r.key = o.key
WHERE r.expires IS NULL OR r.expires > statement_timestamp()`

	textList = `SELECT key, value, version, expires FROM signet_records
WHERE key >= $1 AND key < $2 AND (expires IS NULL OR expires > statement_timestamp())
ORDER BY key LIMIT $3`

	textNewest = `SELECT s.version, (SELECT c.at FROM signet_changes c WHERE c.version = s.version LIMIT 1)
FROM signet_state s WHERE s.one`

	textCommit = `CALL signet_commit_1($1, $2, $3, $4, $5, $6, NULL, NULL)`

	textSweep = `CALL signet_sweep_1($1, $2, $3, NULL, NULL)`
)

// read runs what changes nothing, and again when the connection turns out to be
// dead: after a restart of the database those that were idle all are.
func (s *Store) read(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.stop:
		return store.ErrClosed
	default:
	}
	within, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := s.once(within, do)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil && lost(err) {
			s.pool.Reset() // whatever broke this connection broke its neighbours
		}
		if attempt == attempts || within.Err() != nil || !transient(err) {
			return s.readFault(ctx, err)
		}
		pause(within, retryPause<<attempt+rand.N(retryPause))
	}
}

func (s *Store) once(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return do(ctx, conn.Conn())
}

// span returns the keys that begin with prefix as a range: from the first, to
// what is greater than all of them.
func span(prefix string) (from, to []byte) {
	from = []byte(prefix)
	to = bytes.Clone(from)
	for len(to) > 0 && to[len(to)-1] == 0xff {
		to = to[:len(to)-1]
	}
	if len(to) == 0 {
		return from, bytes.Repeat([]byte{0xff}, store.MaxKey+1)
	}
	to[len(to)-1]++
	return from, to
}

func fromColumn(expires *time.Time) time.Time {
	if expires == nil {
		return time.Time{}
	}
	return expires.UTC()
}

// toColumn keeps a time within what the column holds, so that the far future
// stays the future.
func toColumn(expires time.Time) *time.Time {
	if expires.IsZero() {
		return nil
	}
	if first := time.Date(-4000, 1, 1, 0, 0, 0, 0, time.UTC); expires.Before(first) {
		expires = first
	}
	if last := time.Date(200000, 1, 1, 0, 0, 0, 0, time.UTC); expires.After(last) {
		expires = last
	}
	return &expires
}
