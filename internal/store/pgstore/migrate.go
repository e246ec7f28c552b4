package pgstore

import (
	"context"
	"embed"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"github.com/signet-id/signet/internal/fault"
)

// migrations are the steps from one layout to the next, one file each. A
// released one never changes. Nodes of two releases run side by side while a
// deployment is renewed, so a step leaves alone what the last release calls.
//
//go:embed migrations/*.sql
var migrations embed.FS

// layout is the number of the last step.
const layout = 1

// migrationLock is the advisory lock of whoever changes the tables: "SIGNET".
const migrationLock = 0x5349474e4554

// migrate brings the tables up to date. A node that finds them so changes
// nothing, and needs no right to.
func migrate(ctx context.Context, conn *pgx.Conn, logger *slog.Logger) error {
	have, err := layoutOf(ctx, conn)
	if err != nil || have == layout {
		return err
	}
	// Held until the connection closes, which is soon: who waits here finds the
	// work done. The transaction begins afterwards, because one that is under way
	// may not notice the tables that another one has made.
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return fmt.Errorf("waiting for another node's migration: %w", err)
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("beginning a migration: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // after Commit it does nothing
	if have, err = layoutOf(ctx, conn); err != nil {
		return err
	}
	for step := have + 1; step <= layout; step++ {
		logger.InfoContext(ctx, "bringing the store's tables up to date", slog.Int("layout", step))
		text, err := migrations.ReadFile(fmt.Sprintf("migrations/%d.sql", step))
		if err != nil {
			return err
		}
		if _, err := conn.PgConn().Exec(ctx, string(text)).ReadAll(); err != nil {
			return fmt.Errorf("migrating to layout %d: %w", step, err)
		}
	}
	if _, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS signet_layout (layout integer NOT NULL)"); err != nil {
		return fmt.Errorf("noting the layout: %w", err)
	}
	if _, err := tx.Exec(ctx, "DELETE FROM signet_layout"); err != nil {
		return fmt.Errorf("noting the layout: %w", err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO signet_layout VALUES ($1)", layout); err != nil {
		return fmt.Errorf("noting the layout: %w", err)
	}
	return tx.Commit(ctx)
}

// layoutOf returns 0 for a database without tables of ours.
func layoutOf(ctx context.Context, conn *pgx.Conn) (int, error) {
	var there bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('signet_layout') IS NOT NULL").Scan(&there); err != nil || !there {
		return 0, err
	}
	var have int
	if err := conn.QueryRow(ctx, "SELECT layout FROM signet_layout").Scan(&have); err != nil {
		return 0, fmt.Errorf("reading the layout: %w", err)
	}
	if have > layout {
		return 0, fault.New(fault.Invalid,
			"the store's tables have layout %d, and this release knows them up to %d: a newer one made them; run that one", have, layout)
	}
	return have, nil
}
