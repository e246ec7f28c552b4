package pgstore

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/group"
)

// oldest is the first release of PostgreSQL whose procedures return something.
const oldest = 14

// connectWait is how long one connection may take, where the URL does not say.
const connectWait = 5 * time.Second

// session is what every connection is told first.
//
//   - A Commit is durable when it is acknowledged, whatever the database's
//     default is.
//   - Plans are made once and by the tables' keys: statistics of yesterday, when
//     the table was empty, cannot turn a look-up into a scan of today's.
//   - Nothing waits for ever.
const session = `
SET default_transaction_isolation = 'read committed';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
SET plan_cache_mode = force_generic_plan; SET jit = off;
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
SET lock_timeout = '5s'; SET statement_timeout = '10s'; SET idle_in_transaction_session_timeout = '10s';
`

// Open opens the store in the database that url names, with the parameters that
// psql knows (sslmode, sslrootcert, target_session_attrs, search_path …). It
// makes its tables and brings those of an older release up to date, one node at
// a time; tables of a newer one are refused and left as they are. ctx bounds the
// opening alone. Who opens closes.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	config, err := configure(url, opts)
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, config.ConnConfig, opts.Logger); err != nil {
		return nil, openFault(&config.ConnConfig.Config, err)
	}
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, openFault(&config.ConnConfig.Config, err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, openFault(&config.ConnConfig.Config, err)
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := make(chan struct{})
	s := &Store{
		pool:     pool,
		queue:    group.New[[]store.Op](stop),
		stop:     stop,
		stopped:  make(chan struct{}),
		watchers: &watchers{all: map[*watcher]struct{}{}},
		end:      end,
		closed:   make(chan struct{}),
	}
	w := &writer{Store: s, logger: opts.Logger}
	f := &follower{config: config.ConnConfig, pool: pool, watchers: s.watchers, logger: opts.Logger}
	go w.run()                                                // until Close
	s.running.Go(func() { f.run(life) })                      // until Close
	s.running.Go(func() { s.sweepAlways(life, opts.Logger) }) // until Close
	return s, nil
}

// configure reads url. An error of it never shows the password.
func configure(url string, opts Options) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the store's address cannot be read: it looks like postgres://user@host:5432/database?sslmode=verify-full")
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = defaultConnections
		if opts.Connections > 0 {
			config.MaxConns = int32(min(opts.Connections, 1000))
		}
	}
	conn := config.ConnConfig
	if conn.ConnectTimeout == 0 {
		conn.ConnectTimeout = connectWait
	}
	if _, named := conn.RuntimeParams["application_name"]; !named {
		conn.RuntimeParams["application_name"] = "signet"
	}
	// Of several hosts, the one that writes; after a failover that is another.
	if conn.ValidateConnect == nil {
		conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	conn.OnNotice = heedNotice
	config.AfterConnect = equip
	// A question before the question would double the round trips of a quiet node:
	// a read is simply asked again, and the writer asks where it matters.
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }
	return config, nil
}

// equip makes a new connection ready: afterwards each call is one round trip.
func equip(ctx context.Context, conn *pgx.Conn) error {
	if err := begin(ctx, conn); err != nil {
		return err
	}
	for name, text := range map[string]string{
		stmtGet: textGet, stmtList: textList, stmtNewest: textNewest, stmtCommit: textCommit, stmtSweep: textSweep,
	} {
		if _, err := conn.Prepare(ctx, name, text); err != nil {
			return fmt.Errorf("preparing %s: %w", name, err)
		}
	}
	return nil
}

// begin gives a connection the settings that everything here relies on.
func begin(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.PgConn().Exec(ctx, session).ReadAll(); err != nil {
		return fmt.Errorf("setting up a connection: %w", err)
	}
	return nil
}

// prepare sees to it that the database is one that can be used, and has the
// tables of this release.
func prepare(ctx context.Context, config *pgx.ConnConfig, logger *slog.Logger) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	// Others that speak its protocol report an old version, or lack LISTEN.
	version := conn.PgConn().ParameterStatus("server_version")
	number, _, _ := strings.Cut(version, ".")
	if major, err := strconv.Atoi(number); err == nil && major < oldest {
		return fault.New(fault.Invalid, "the store needs PostgreSQL %d or newer, and this is %s", oldest, version)
	}
	if _, err := conn.Exec(ctx, "LISTEN signet"); err != nil {
		return fault.Wrap(fault.Invalid, err, "the store needs a database that has LISTEN and NOTIFY, and a pooler in session mode if there is one")
	}
	return migrate(ctx, conn, logger)
}

// closeConn says goodbye, or hangs up when nobody listens.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

func port(number uint16) string { return strconv.Itoa(int(number)) }
