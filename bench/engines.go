package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/enginetest"
)

// engineOptions are what a person may choose of the comparison of engines.
type engineOptions struct {
	options
	engines []string
}

func readEngineOptions(args []string) (engineOptions, error) {
	var o engineOptions
	var engines, only string
	flags := flag.NewFlagSet("bench engines", flag.ContinueOnError)
	flags.StringVar(&engines, "engines", "bolt,postgres,etcd,etcd3", "which engines; etcd3 is etcd with three members")
	flags.Float64Var(&o.seconds, "seconds", 2, "how long each line of a table is measured")
	flags.IntVar(&o.connections, "connections", 32, "keep-alive connections to all nodes together")
	flags.StringVar(&only, "only", ".", "the lines whose name matches this regular expression; commits are one")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.seconds <= 0 || o.seconds > 10 {
		return o, fmt.Errorf("-seconds must be up to 10, got %g", o.seconds)
	}
	if o.connections < 2 || o.connections > 1000 {
		return o, fmt.Errorf("-connections must be 2 to 1000, got %d", o.connections)
	}
	for name := range strings.SplitSeq(engines, ",") {
		if opening(name) == nil {
			return o, fmt.Errorf("-engines: there is no %q: choose among bolt, postgres, etcd and etcd3", name)
		}
		o.engines = append(o.engines, name)
	}
	var err error
	if o.only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	return o, nil
}

// runEngines prints what each request costs on each engine, with one node and
// with two, and how many commits the engine takes.
func runEngines(ctx context.Context, args []string, out io.Writer) (err error) {
	o, err := readEngineOptions(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "signet-bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{options: o.options, out: out, dir: dir}
	if err := b.introduceEngines(); err != nil {
		return err
	}
	home, err := b.folder("estate")
	if err != nil {
		return err
	}
	if b.estate, err = prepare(ctx, home, b.connections); err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	if err := b.estate.furnish(ctx); err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	short := &summary{}
	for _, name := range o.engines {
		if err := b.compare(ctx, name, short); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return short.print(out)
}

func (b *bench) introduceEngines() error {
	synced, err := timeToSync(b.dir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(b.out, "%s; %d connections, %gs a line; a store with %d users, every commit synced.\n"+
		"Writing 4 KiB and syncing them takes this disk %s ms, by the median of %d.\n"+
		"Load, nodes and engine share the processors: requests per second are what they reach together, latency is that of a\n"+
		"machine that is full. CPU is what to plan with; the engine's is that of all its processes, – where it is in the node.\n"+
		"Others is the share of the processors that was somebody else's: beyond a tenth, all figures are worse than they would be.\n"+
		"Reads and commits are calls of the store, each one round trip, background work included. A sign-in with a password\n"+
		"is argon2id, %d at a time: all else in that line is small.\n",
		machine(), b.connections, b.seconds, users, number(millis(synced)), syncs, signingIn)
	return err
}

// compare measures one engine, or says that it is not here.
func (b *bench) compare(ctx context.Context, name string, short *summary) (err error) {
	e, err := opening(name)(ctx)
	if enginetest.Missing(err) {
		_, err := fmt.Fprintf(b.out, "\n### %s\n\nLeft out: %v.\n", name, err)
		return err
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.stop()) }()
	short.engine(e.title)
	t := &table{title: e.title, head: []string{
		"request", "nodes", "per second", "reads", "commits", "p50 ms", "p99 ms", "node CPU µs", "engine CPU µs", "others",
	}}
	wanted := slices.DeleteFunc(errands(), func(e errand) bool { return !b.only.MatchString(e.name) })
	lines := make([][][]string, len(wanted)) // by errand, then by how many nodes
	for nodes := 1; nodes <= e.most && len(wanted) > 0; nodes++ {
		if err := b.errandsOn(ctx, e, name+strconv.Itoa(nodes), nodes, wanted, lines, short); err != nil {
			return err
		}
	}
	for _, line := range lines {
		for _, cells := range line {
			t.row(cells...)
		}
	}
	if len(wanted) > 0 {
		if err := t.print(b.out); err != nil {
			return err
		}
	}
	if !b.only.MatchString("commits") {
		return nil
	}
	return b.ceilings(ctx, e, short)
}

// errandsOn adds a line to each errand's.
func (b *bench) errandsOn(
	ctx context.Context, e engine, name string, nodes int, all []errand, lines [][][]string, short *summary,
) (err error) {
	d, err := b.deploy(ctx, e, name, nodes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	for i, one := range all {
		r, err := d.measure(ctx, one, time.Duration(b.seconds*float64(time.Second)))
		if err != nil {
			return fmt.Errorf("%s, %d nodes: %w", one.name, nodes, err)
		}
		short.costs(one.name, nodes, r, len(e.processes) > 0)
		lines[i] = append(lines[i], append([]string{one.name, strconv.Itoa(nodes)}, r.cells(len(e.processes) > 0)...))
	}
	return nil
}

// syncs is how often a disk is tried.
const syncs = 51

// timeToSync is how long a small write to a file in dir takes to be durable.
func timeToSync(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, fmt.Errorf("trying the disk: %w", err)
	}
	var tries figures
	page := make([]byte, 4096)
	for range syncs {
		began := time.Now()
		_, err := f.Write(page)
		if err = errors.Join(err, f.Sync()); err != nil {
			return 0, errors.Join(fmt.Errorf("trying the disk: %w", err), f.Close())
		}
		tries.took = append(tries.took, time.Since(began))
	}
	return tries.percentile(0.50), f.Close()
}
