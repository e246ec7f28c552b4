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
//	bench scale ──the same requests──▶ two issuers: some thousand users, and a million
//	  whether the cost grows with the records; memory and file after a million flows
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
const (
	patience     = 30 * time.Minute
	longPatience = 4 * time.Hour
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	limit := patience
	if len(os.Args) > 1 && os.Args[1] == "scale" {
		limit = longPatience
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
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
	if len(args) > 0 && args[0] == "scale" {
		return runScale(ctx, args[1:], os.Stdout)
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
	peers       string // a folder with what bench/peers/ready made, or empty
	report      string // the page to write, or empty
	crowd       int    // how many different tokens a verifier is shown
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
	flags.StringVar(&o.peers, "peers", "", "measure the peers beside: the folder that bench/peers/ready names")
	flags.StringVar(&o.report, "report", "", "write the page of results here, and its pictures beside it")
	flags.IntVar(&o.crowd, "tokens", 50_000, "the most different tokens that a verifier is shown; 1000000 takes minutes more")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.crowd < 1000 || o.crowd > 10_000_000 {
		return o, fmt.Errorf("-tokens must be 1000 to 10 million, got %d", o.crowd)
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
