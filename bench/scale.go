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
	"time"

	"github.com/signet-id/signet/keys"
)

// scale are the sizes of the long run.
type scale struct {
	options
	users, grants, clients int
	flows                  int
	expiry                 time.Duration
}

func readScale(args []string) (scale, error) {
	s := scale{options: options{only: regexp.MustCompile(".")}}
	flags := flag.NewFlagSet("bench scale", flag.ContinueOnError)
	flags.IntVar(&s.users, "users", 1_000_000, "users of the large store; 0: leave it out")
	flags.IntVar(&s.grants, "grants", 1_000_000, "its live grants")
	flags.IntVar(&s.clients, "clients", 10_000, "its clients")
	flags.IntVar(&s.flows, "flows", 1_000_000, "code flows after which memory and file are weighed; 0: leave that out")
	flags.DurationVar(&s.expiry, "expiry", 20*time.Minute, "when what the flows left expires (sessions.absolute); they must be done by then")
	flags.Float64Var(&s.seconds, "seconds", 6, "how long each line of a table is measured")
	flags.IntVar(&s.connections, "connections", 32, "keep-alive connections to each server")
	flags.StringVar(&s.binary, "signet", "bin/signet", "the binary whose memory and file are weighed")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	switch {
	case s.users < 0 || s.grants < 0 || s.clients < 0 || s.flows < 0:
		return s, errors.New("sizes must not be negative")
	case s.expiry < 5*time.Minute:
		return s, fmt.Errorf("-expiry must be 5m at least, as sessions.absolute must, got %s", s.expiry)
	case s.connections < 1 || s.connections > 1000 || s.seconds <= 0:
		return s, errors.New("-connections must be 1 to 1000, and -seconds more than 0")
	}
	return s, nil
}

// runScale asks whether anything grows dearer with what is stored, and what a
// server weighs after very many flows.
func runScale(ctx context.Context, args []string, out io.Writer) (err error) {
	s, err := readScale(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "signet-bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{options: s.options, out: out, dir: dir, aims: goals()}
	if _, err := fmt.Fprintf(out, "%s; %d connections, %gs a line.\n", machine(), b.connections, b.seconds); err != nil {
		return err
	}
	home, err := b.folder("estate")
	if err != nil {
		return err
	}
	if b.estate, err = prepare(ctx, home, b.connections); err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	if s.users > 0 {
		if err := b.estates(ctx, s); err != nil {
			return err
		}
	}
	if s.flows > 0 {
		if err := b.weigh(ctx, s); err != nil {
			return err
		}
	}
	if len(b.aims.rows) == 0 {
		return nil
	}
	return b.aims.print(out)
}

// estates measures the same requests at a small and at a large store.
func (b *bench) estates(ctx context.Context, s scale) (err error) {
	large := *b
	if large.estate.dir, err = b.folder("large"); err != nil {
		return err
	}
	if err := b.estate.copyTo(large.estate.dir); err != nil {
		return err
	}
	began := time.Now()
	if err := large.estate.grow(ctx, s); err != nil {
		return fmt.Errorf("filling the large store: %w", err)
	}
	if _, err := fmt.Fprintf(b.out, "A store with %s users, %s grants and %s clients more was filled in %s.\n",
		thousands(s.users), thousands(s.grants), thousands(s.clients), time.Since(began).Round(time.Second)); err != nil {
		return err
	}
	if b.floor, err = b.contend(ctx, nameFloor, roleFloor, "floor"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.floor.stop()) }()
	contenders := []*contender{}
	for _, one := range []struct {
		name string
		of   *bench
	}{{"Signet, large store", &large}, {"Signet, small store", b}} {
		c, err := one.of.contend(ctx, one.name, roleIssuer, one.name, "-algorithm", string(keys.ES256), "-quiet=true")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.stop()) }()
		contenders = append(contenders, c)
	}
	for _, c := range contenders {
		if err := c.settle(ctx); err != nil {
			return err
		}
	}
	if err := weights(b, contenders); err != nil {
		return err
	}
	for _, one := range scenarios() {
		if one.algorithm != keys.ES256 || one.stock != nil || one.few > 0 || one.name == "introspection, seen" {
			continue // the same as another, or not about records
		}
		one.ratio, one.aim = 0, 0
		if err := b.measure(ctx, one, append(contenders, b.floor)); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until the contender has nothing left to do by itself: a store that
// has just been opened is still being read in the background.
func (c *contender) settle(ctx context.Context) error {
	for {
		before, err := c.usage()
		if err != nil {
			return err
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		after, err := c.usage()
		if err != nil || after.CPU-before.CPU < 10*time.Millisecond {
			return err
		}
	}
}

// weights is the table of what each store makes its server weigh, when idle.
func weights(b *bench, contenders []*contender) error {
	t := &table{title: "idle", head: []string{"server", "file MB", "resident MB", "of it heap MB"}}
	for _, c := range contenders {
		file, err := os.Stat(filepath.Join(b.dir, c.name, "signet.db"))
		if err != nil {
			return fmt.Errorf("weighing a store: %w", err)
		}
		r, err := c.child.ask(command{Do: doMemory})
		if err != nil {
			return err
		}
		t.row(c.name, number(float64(file.Size())/1e6), number(float64(r.Resident)/1e6), number(float64(r.Heap)/1e6))
	}
	return t.print(b.out)
}
