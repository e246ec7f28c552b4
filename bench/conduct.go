package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/app"
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
	minter *app.App // makes tokens that the servers take for their own
	aims   table

	settings  string // of the real binary, beside what it must have
	proofs    proofs // tokens that others verify too
	meanwhile meanwhile
	page      results
}

func conduct(ctx context.Context, o options, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "signet-bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{options: o, dir: dir, aims: goals(), meanwhile: fromNow()}
	b.out = io.MultiWriter(out, &b.page.text)
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
	if err := b.estate.furnish(ctx); err != nil {
		return fmt.Errorf("preparing: %w", err)
	}
	for _, part := range []func(context.Context) error{
		b.flows, b.underPressure, b.verification, b.crowds, b.rawCosts, b.binaryFigures,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	if len(b.aims.rows) > 0 {
		if err := b.aims.print(b.out); err != nil {
			return err
		}
	}
	return b.writePage()
}

// introduce says under what circumstances the figures came to be.
func (b *bench) introduce() error {
	_, err := fmt.Fprintf(b.out, "%s; %d connections from a process beside the server, %gs a line, in %d turns.\n"+
		"Store with %d users and %d clients, every commit synced. Trust the columns of CPU, allocations and commits; requests\n"+
		"per second and latency are those of a machine that shares its CPUs with the load.\n",
		machine(), b.connections, b.seconds, rounds, users, clients+4)
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
	if b.minter, err = app.New(ctx, settings(b.estate.dir, string(keys.ES256), slog.LevelError), app.Options{NoSync: true, Log: io.Discard}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.minter.Close()) }()
	if b.floor, err = b.contend(ctx, nameFloor, roleFloor, "floor"); err != nil {
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
	quiet, err := b.contendIssuer(ctx, nameSignet, algorithm, true)
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, quiet.stop()) }()
	logging, err := b.contendIssuer(ctx, nameLogging, algorithm, false)
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, logging.stop()) }()
	peers, err := b.contendPeers(ctx, algorithm)
	for _, p := range peers {
		defer func() { failed = errors.Join(failed, p.stop()) }()
	}
	if err != nil {
		return err
	}
	for _, s := range all {
		contenders := []*contender{quiet}
		if s.logged {
			contenders = append(contenders, logging)
		}
		for _, p := range peers {
			if p.process.plays(s) {
				contenders = append(contenders, p)
			}
		}
		if err := b.measure(ctx, s, append(contenders, b.floor)); err != nil {
			return err
		}
	}
	return nil
}

// The names of the contenders in the tables: the issuer as it is compared, and
// when it writes a line for each request, as it does by default and no other.
const (
	nameSignet  = "Signet"
	nameLogging = "Signet, each request logged"
	nameFloor   = "floor"
)

func (b *bench) contendIssuer(ctx context.Context, name string, algorithm keys.Algorithm, quiet bool) (*contender, error) {
	return b.contend(ctx, name, roleIssuer, fmt.Sprintf("%s-quiet-%t", algorithm, quiet),
		"-algorithm", string(algorithm), fmt.Sprintf("-quiet=%t", quiet))
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
	for i, v := range c.visitors {
		v.login = loginOf(users - 1 - i%signingIn)
	}
	return c, nil
}

func (c *contender) stop() error {
	for _, v := range c.visitors {
		_ = v.connection.Close() // nothing is under way
	}
	if c.process != nil {
		return c.process.stop()
	}
	return c.child.stop()
}

// measure makes one table: it teaches the floor, warms everybody up and lets
// them take turns.
func (b *bench) measure(ctx context.Context, s scenario, contenders []*contender) error {
	if err := contenders[0].reconnect(ctx); err != nil {
		return err
	}
	plays, err := s.plays(ctx, b, contenders[0])
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if _, err := b.floor.child.ask(command{Do: doPlay, Plays: plays}); err != nil {
		return err
	}
	all := make([]figures, len(contenders))
	turn := time.Duration(b.seconds * float64(time.Second) / rounds)
	for _, c := range contenders {
		if err := b.warm(ctx, s.as(c), c, min(turn, 300*time.Millisecond)); err != nil {
			return fmt.Errorf("%s, %s: %w", s.name, c.name, err)
		}
	}
	rest, err := b.profile(contenders[0], s)
	if err != nil {
		return err
	}
	for range rounds {
		for i, c := range contenders {
			if err := b.turn(ctx, s.as(c), c, turn, &all[i]); err != nil {
				return err
			}
		}
	}
	if err := rest(); err != nil {
		return err
	}
	b.judge(s, contenders, all)
	return flowTable(s, b.note(s, contenders, all)).print(b.out)
}

// as is the scenario as this contender plays it.
func (s scenario) as(c *contender) scenario {
	if c.process == nil {
		return s
	}
	s.stock = nil
	prelude, modest := s.begin, s.modest
	s.prelude = func(v *visitor) error {
		if err := v.enter(); err != nil {
			return err
		}
		v.modest = modest
		return prelude(v)
	}
	s.step = s.peers
	return s
}

func (b *bench) warm(ctx context.Context, s scenario, c *contender, d time.Duration) error {
	if err := c.reconnect(ctx); err != nil {
		return err
	}
	if err := each(s.of(c.visitors), s.begin); err != nil {
		return err
	}
	if s.stock != nil {
		if err := s.stock(ctx, b, c); err != nil {
			return err
		}
	}
	_, err := load(ctx, s.of(c.visitors), d, s.step)
	return err
}

func (b *bench) turn(ctx context.Context, s scenario, c *contender, d time.Duration, f *figures) error {
	if s.stock != nil {
		if err := s.stock(ctx, b, c); err != nil {
			return fmt.Errorf("%s, %s: %w", s.name, c.name, err)
		}
	}
	return c.slice(ctx, s, d, f)
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
