package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/store"
)

// manyWriters is how many commits are under way where a ceiling is measured.
const manyWriters = 64

// ceiling has writers commit what redeeming a code does, as fast as the engine
// lets them, from some nodes in this process. No issuer takes part.
func (b *bench) ceiling(ctx context.Context, e engine, nodes, writers int) (r row, err error) {
	name := fmt.Sprintf("ceiling%d_%d", nodes, writers)
	dir, err := b.folder(name + rand.Text())
	if err != nil {
		return r, err
	}
	at, err := e.store(ctx, name, dir)
	if err != nil {
		return r, err
	}
	where, err := config.ParseEngine(at)
	if err != nil {
		return r, err
	}
	stores := make([]store.Store, nodes)
	for i := range stores {
		if stores[i], err = app.OpenEngine(ctx, where, slog.New(slog.DiscardHandler)); err != nil {
			return r, err
		}
		defer func() { err = errors.Join(err, stores[i].Close()) }()
		// Nobody changes a client meanwhile: there is nothing to drain.
		if _, err := stores[i].Watch(ctx, "client/"); err != nil {
			return r, err
		}
	}
	var next atomic.Int64
	commit := func(writer int) error {
		id := strconv.FormatInt(next.Add(1), 36)
		_, err := stores[writer%nodes].Commit(ctx,
			store.Put("code/"+id, make([]byte, codeRecord)).IfAbsent().Until(time.Now().Add(5*time.Minute)),
			store.Put("grant/"+id, make([]byte, grantRecord)))
		return err
	}
	line := time.Duration(b.seconds * float64(time.Second))
	if _, err := together(ctx, writers, min(line, 300*time.Millisecond), commit); err != nil {
		return r, err
	}
	before := processTime()
	err = r.during(e, func() ([]time.Duration, error) { return together(ctx, writers, line, commit) })
	r.used.CPU = processTime() - before
	return r, err
}

// ceilings is the table of an engine's commits.
func (b *bench) ceilings(ctx context.Context, e engine, short *summary) error {
	t := &table{title: e.title + ": commits of two records", head: []string{
		"writers", "nodes", "per second", "p50 ms", "p99 ms", "node CPU µs", "engine CPU µs", "others",
	}}
	for _, writers := range []int{1, manyWriters} {
		for nodes := 1; nodes <= min(e.most, writers); nodes++ {
			r, err := b.ceiling(ctx, e, nodes, writers)
			if err != nil {
				return fmt.Errorf("%s, %d writers, %d nodes: %w", e.title, writers, nodes, err)
			}
			short.carries(writers, nodes, r)
			cells := r.cells(len(e.processes) > 0)
			t.row(append([]string{strconv.Itoa(writers), strconv.Itoa(nodes), cells[0]}, cells[3:]...)...)
		}
	}
	return t.print(b.out)
}
