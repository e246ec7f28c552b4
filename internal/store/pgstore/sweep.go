package pgstore

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// sweepEvery is how often each node looks for what has expired; of several
	// that look at once, one works.
	sweepEvery = 5 * time.Second
	sweepPause = 50 * time.Millisecond // between batches
	sweepBatch = 500

	// expiredFor keeps an expired record a little: after a failover the clock may
	// be slower, and what was consumed must not be forgotten before its time.
	expiredFor = time.Minute

	// changesFor is how long a node may be away and still catch up.
	changesFor = 5 * time.Minute
)

// sweepAlways removes what has expired until life ends.
func (s *Store) sweepAlways(life context.Context, logger *slog.Logger) {
	for life.Err() == nil {
		swept, trimmed, err := s.sweep(life, expiredFor, changesFor)
		switch {
		case err != nil && life.Err() == nil:
			logger.WarnContext(life, "removing expired records; trying again", slog.Any("error", err))
			pause(life, sweepEvery)
		case max(swept, trimmed) >= sweepBatch:
			pause(life, sweepPause)
		default:
			pause(life, sweepEvery+rand.N(sweepEvery/5))
		}
	}
}

// sweep is one batch.
func (s *Store) sweep(life context.Context, dead, old time.Duration) (swept, trimmed int, err error) {
	ctx, cancel := context.WithTimeout(life, answerWait)
	defer cancel()
	err = s.once(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, stmtSweep, sweepBatch, dead, old).Scan(&swept, &trimmed)
	})
	if err == nil {
		s.tally.swept.Add(uint64(swept))
	}
	return swept, trimmed, err
}
