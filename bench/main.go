// Command bench measures the issuer and prints tables: requests per second, CPU
// of the server per request, latency, allocations, commits and fsyncs, each
// beside a floor that was measured in the same minute on the same connections.
//
//	bench ──keep-alive connections──▶ issuer: the composed app on a real file ─┐
//	  │ └────the same requests──────▶ floor: bare Echo, recorded answers,      │
//	  │                                 raw signatures, one group commit ──────┤
//	  └──commands over stdin: what did you use? profile yourself────────────────┘
//
//	bench ending ──endings, 50/s──▶ issuer ──stream──▶ 50, then 1,000 verifiers
//	  how soon each of them refuses, what listening and lists cost
//
//	bench engines ──requests──▶ one node, then two ──▶ bbolt, PostgreSQL, etcd
//	  what each request costs on each engine, and how many commits it takes
//
// Issuer and floor are children of its own: this binary again, on a temporary
// folder. They end when their stdin does, however the bench dies. Start-up,
// memory and size are those of the real binary, which is sent a SIGTERM.
//
// It never leaves 127.0.0.1, is bounded in connections and time, and judges
// nothing: it says what was measured, and beside it what was aimed at.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// patience bounds the whole run, whatever hangs.
const patience = 30 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := run(ctx, os.Args[1:])
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return
	case ctx.Err() != nil: // the children were ended in the middle of it, and complain
		err = fmt.Errorf("stopped: %w", ctx.Err())
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == roleIssuer {
		return serveIssuer(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == roleFloor {
		return serveFloor(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == roleEnding {
		return serveEnding(ctx, args[1:])
	}
	if len(args) > 0 && args[0] == "ending" {
		return runEnding(ctx, args[1:], os.Stdout)
	}
	if len(args) > 0 && args[0] == "engines" {
		return runEngines(ctx, args[1:], os.Stdout)
	}
	o, err := readOptions(args)
	if err != nil {
		return err
	}
	return conduct(ctx, o, os.Stdout)
}

// options are what a person may choose.
type options struct {
	seconds     float64 // per line of a table
	connections int
	only        *regexp.Regexp
	profiles    string // a folder for profiles, or empty
	binary      string // the real one, for start-up, memory and size
}

func readOptions(args []string) (options, error) {
	o := options{seconds: 3}
	if text := os.Getenv("BENCH_SECONDS"); text != "" {
		s, err := strconv.ParseFloat(text, 64)
		if err != nil || s <= 0 || s > 60 {
			return o, fmt.Errorf("BENCH_SECONDS must be a number of seconds up to 60, got %q", text)
		}
		o.seconds = s
	}
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.Float64Var(&o.seconds, "seconds", o.seconds, "how long each line of a table is measured; also BENCH_SECONDS")
	flags.IntVar(&o.connections, "connections", 32, "keep-alive connections to each server")
	flags.StringVar(&only, "only", ".", "the tables whose name matches this regular expression")
	flags.StringVar(&o.profiles, "profile", "", "write profiles (CPU, allocations) of the issuer per table to this folder")
	flags.StringVar(&o.binary, "signet", "bin/signet", "the binary whose start-up, memory and size are measured")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.connections < 1 || o.connections > 1000 {
		return o, fmt.Errorf("-connections must be 1 to 1000, got %d", o.connections)
	}
	var err error
	if o.only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	return o, nil
}
