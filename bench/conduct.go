package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/signet-id/signet/keys"
)

// rounds is how often the contenders take turns: a neighbour on the machine
// then disturbs all of them alike.
const rounds = 3

// bench is one run.
type bench struct {
	options
	out    io.Writer
	dir    string
	estate estate
	floor  *contender
	aims   table
}

func conduct(ctx context.Context, o options, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "signet-bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{options: o, out: out, dir: dir, aims: table{title: "Aims", head: []string{"what", "aim", "measured", ""}}}
	if err := b.introduce(); err != nil {
		return err
	}
	home, err := b.folder("estate")
	if err != nil {
		return err
	}
	if b.estate, err = prepare(ctx, home, b.connections); err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	for _, part := range []func(context.Context) error{b.flows, b.verification, b.rawCosts, b.binaryFigures} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	if len(b.aims.rows) == 0 {
		return nil
	}
	return b.aims.print(out)
}

// introduce says under what circumstances the figures came to be.
func (b *bench) introduce() error {
	_, err := fmt.Fprintf(b.out, "%s; %d connections from a process beside the server, %gs a line, in %d turns.\n"+
		"Store with %d users and %d clients, every commit synced. Trust the columns of CPU, allocations and commits; requests\n"+
		"per second and latency are those of a machine that shares its CPUs with the load.\n",
		machine(), b.connections, b.seconds, rounds, users, clients+3)
	return err
}

// machine is what the figures depend on most.
func machine() string {
	busy := ""
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		busy = ", load average " + strings.Join(strings.Fields(string(text))[:1], "") + " at the start"
	}
	return fmt.Sprintf("%s %s/%s, %d CPUs%s", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), busy)
}

func (b *bench) folder(name string) (string, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making a folder: %w", err)
	}
	return dir, nil
}

// flows measures the scenarios, grouped by what signs access tokens, which is a
// setting of the whole server.
func (b *bench) flows(ctx context.Context) (err error) {
	groups := map[keys.Algorithm][]scenario{}
	for _, s := range scenarios() {
		if b.only.MatchString(s.name) {
			groups[s.algorithm] = append(groups[s.algorithm], s)
		}
	}
	if len(groups) == 0 {
		return nil
	}
	if b.floor, err = b.contend(ctx, "floor", roleFloor, "floor"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.floor.stop()) }()
	for _, algorithm := range []keys.Algorithm{keys.ES256, keys.EdDSA, keys.RS256} {
		if err := b.group(ctx, algorithm, groups[algorithm]); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) group(ctx context.Context, algorithm keys.Algorithm, all []scenario) (failed error) {
	if len(all) == 0 {
		return nil
	}
	contenders := []*contender{}
	for _, level := range []struct{ name, quiet string }{{"log warn", "true"}, {"log info", "false"}} {
		c, err := b.contend(ctx, level.name, roleIssuer, string(algorithm)+"-quiet-"+level.quiet,
			"-algorithm", string(algorithm), "-quiet="+level.quiet)
		if err != nil {
			return err
		}
		defer func() { failed = errors.Join(failed, c.stop()) }()
		contenders = append(contenders, c)
	}
	contenders = append(contenders, b.floor)
	for _, s := range all {
		if err := b.measure(ctx, s, contenders); err != nil {
			return err
		}
	}
	return nil
}

// contend starts a server on a copy of the estate and opens the connections.
func (b *bench) contend(ctx context.Context, name, role, folder string, args ...string) (*contender, error) {
	dir, err := b.folder(folder)
	if err != nil {
		return nil, err
	}
	if role == roleIssuer {
		if err := b.estate.copyTo(dir); err != nil {
			return nil, err
		}
	}
	c := &contender{name: name}
	if c.child, err = startChild(ctx, name, role, dir, args...); err != nil {
		return nil, err
	}
	if c.visitors, err = visit(ctx, c.child.address, b.connections, b.estate); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *contender) stop() error {
	for _, v := range c.visitors {
		_ = v.connection.Close() // nothing is under way
	}
	return c.child.stop()
}

// measure makes one table: it teaches the floor, warms everybody up and lets
// them take turns.
func (b *bench) measure(ctx context.Context, s scenario, contenders []*contender) error {
	plays, err := s.plays(contenders[0].visitors[0])
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if _, err := b.floor.child.ask(command{Do: doPlay, Plays: plays}); err != nil {
		return err
	}
	names, all := make([]string, len(contenders)), make([]figures, len(contenders))
	turn := time.Duration(b.seconds * float64(time.Second) / rounds)
	for i, c := range contenders {
		names[i] = c.name
		if err := each(c.visitors, s.begin); err != nil {
			return fmt.Errorf("%s, %s: %w", s.name, c.name, err)
		}
		if _, err := load(ctx, c.visitors, min(turn, 300*time.Millisecond), s.step); err != nil {
			return fmt.Errorf("%s, %s: %w", s.name, c.name, err)
		}
	}
	rest, err := b.profile(contenders[0], s)
	if err != nil {
		return err
	}
	for range rounds {
		for i, c := range contenders {
			if err := c.slice(ctx, s, turn, &all[i]); err != nil {
				return err
			}
		}
	}
	if err := rest(); err != nil {
		return err
	}
	if s.aim > 0 {
		for i := range all[:len(all)-1] {
			b.aim(s.name+", "+names[i]+", CPU µs", micros(s.aim), all[i].per(micros(all[i].used.CPU)))
		}
	}
	return flowTable(s, names, all).print(b.out)
}

// profile starts a CPU profile of the contender, if profiles were asked for,
// and returns what ends it.
func (b *bench) profile(c *contender, s scenario) (rest func() error, err error) {
	if b.profiles == "" {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(b.profiles, 0o750); err != nil {
		return nil, fmt.Errorf("making the folder of the profiles: %w", err)
	}
	name := strings.ReplaceAll(strings.ReplaceAll(s.name, ",", ""), " ", "-") + ".pprof"
	if _, err := c.child.ask(command{Do: doProfile, Path: filepath.Join(b.profiles, name)}); err != nil {
		return nil, err
	}
	return func() error { _, err := c.child.ask(command{Do: doRest}); return err }, nil
}

// aim notes a figure beside what it should be at most.
func (b *bench) aim(what string, most, measured float64) {
	b.aims.row(what, "≤ "+number(most), number(measured), verdict(most, measured))
}

func verdict(most, measured float64) string {
	if measured > most {
		return "missed"
	}
	return "met"
}
