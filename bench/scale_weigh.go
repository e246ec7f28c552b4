package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// weigh drives the real binary through very many code flows and weighs it: its
// memory and its file, then again when all that they left has expired. Grants end with their session, so a short
// sessions.absolute, which the configuration allows, makes them expire soon.
func (b *bench) weigh(ctx context.Context, s scale) (err error) {
	dir, err := b.folder("weigh")
	if err != nil {
		return err
	}
	if b.estate, err = prepare(ctx, dir, b.connections); err != nil { // sessions that begin now
		return fmt.Errorf("preparing: %w", err)
	}
	over := time.Now().Add(s.expiry)
	b.settings = fmt.Sprintf("log:\n  level: warn\nsessions:\n  idle: %s\n  absolute: %s\n", s.expiry, s.expiry)
	t := &table{title: fmt.Sprintf("memory and file, %s code flows (the real binary)", thousands(s.flows)), head: []string{
		"when", "resident MB", "of it private MB", "file MB", "flows per second",
	}}
	path := filepath.Join(dir, "signet.db")
	_, err = b.startOnce(ctx, dir, func(server *server) error {
		if err := weighRow(t, server, path, "idle", "–"); err != nil {
			return err
		}
		rate, err := b.manyFlows(ctx, server, s.flows)
		if err != nil {
			return err
		}
		if err := weighRow(t, server, path, "after the flows", number(rate)); err != nil {
			return err
		}
		// Pages of the file stay in the process for a minute after they were used, and
		// the codes, which are remembered for five, are used as they leave.
		if err := pause(ctx, 8*time.Minute); err != nil {
			return err
		}
		if err := weighRow(t, server, path, "eight minutes later", "–"); err != nil {
			return err
		}
		if m, known := server.memory(); known {
			b.aim(fmt.Sprintf("resident at rest after %s flows, MB", thousands(s.flows)), aimResident, m.resident)
		}
		// Codes are remembered for five minutes, and what has expired leaves in the
		// background, some hundred records at a time.
		if err := pause(ctx, time.Until(over)+6*time.Minute+time.Duration(s.flows/10_000)*time.Second); err != nil {
			return err
		}
		return weighRow(t, server, path, "after their expiry", "–")
	})
	if err != nil {
		return err
	}
	return t.print(b.out)
}

func weighRow(t *table, s *server, path, when, rate string) error {
	file, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("weighing the file: %w", err)
	}
	m, _ := s.memory()
	t.row(when, number(m.resident), number(m.private), number(float64(file.Size())/1e6), rate)
	return nil
}

// manyFlows walks n code flows over all connections, and returns how many a
// second it were.
func (b *bench) manyFlows(ctx context.Context, s *server, n int) (rate float64, err error) {
	visitors, err := visit(ctx, s.address, b.connections, b.estate)
	if err != nil {
		return 0, err
	}
	defer func() {
		for _, v := range visitors {
			err = errors.Join(err, v.connection.Close())
		}
	}()
	var left atomic.Int64
	left.Store(int64(n))
	began := time.Now()
	_, err = load(ctx, visitors, longPatience, func(v *visitor) error {
		if left.Add(-1) < 0 {
			return errSpent
		}
		return v.signIn(clientShop)
	})
	return float64(n) / time.Since(began).Seconds(), err
}
