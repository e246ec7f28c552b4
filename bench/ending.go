package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
)

// endingIssuer is the issuer's name here: on loopback, so that verifiers reach
// it without TLS. Where it listens only their transports know.
const endingIssuer = "http://127.0.0.1:8080"

// What endings should cost, and how soon they should be known.
const (
	aimKnown    = 1000.0 // ms from Commit to refusal, p99
	aimAdded    = 100.0  // ns per verification
	aimListSize = 16.0   // KiB of a list with a million slots, 1% ended
	aimListener = 10.0   // kB of the issuer's memory per listener
	aimRows     = 0.002  // rows per access token, which has none of its own: leases of blocks
)

// endingPlan is how much of everything a run of `bench ending` does.
type endingPlan struct {
	fleets    []int         // so many verifiers, one fleet after the other
	rate      int           // endings per second
	load      time.Duration // of each fleet
	probed    int           // verifiers that are asked about each ending
	idle      time.Duration // how long traffic without endings is watched; 0: not at all
	listeners int           // whose memory is measured
	tokens    int           // whose rows are counted
	passes    int           // of 5,000 verifications
}

// fullPlan takes two minutes. The small fleet shows what the software costs, the
// large one what this machine makes of a thousand services at once.
func fullPlan() endingPlan {
	return endingPlan{
		fleets: []int{50, 1000}, rate: 50, load: 20 * time.Second, probed: 20,
		// Two beats of the stream fall into it.
		idle: 30 * time.Second, listeners: 5000, tokens: 10_000, passes: 300,
	}
}

// shortPlan is a few seconds, to see that everything still works.
func shortPlan() endingPlan {
	return endingPlan{
		fleets: []int{50}, rate: 50, load: time.Second, probed: 10, listeners: 200, tokens: 500, passes: 30,
	}
}

// endingBench measures how soon and at what price an ending is known.
type endingBench struct {
	bench
	plan   endingPlan
	secret string // of clientRobot
}

// runEnding is `bench ending`.
func runEnding(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench ending", flag.ContinueOnError)
	short := flags.Bool("short", false, "a few seconds only, to see that everything works")
	verifiers := flags.Int("verifiers", 0, "one fleet of so many verifiers, instead of a small and a large one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	plan := fullPlan()
	if *short {
		plan = shortPlan()
	}
	if *verifiers > 0 {
		plan.fleets, plan.probed = []int{*verifiers}, min(plan.probed, *verifiers)
	}
	return conductEnding(ctx, plan, out)
}

func conductEnding(ctx context.Context, plan endingPlan, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "signet-bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &endingBench{
		plan:  plan,
		bench: bench{out: out, dir: dir, aims: goals()},
	}
	if err := b.introduceEnding(); err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{b.soon, b.listening, b.inProcess} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return b.aims.print(out)
}

func (b *endingBench) introduceEnding() error {
	busy := ""
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		busy = ", load average " + strings.Join(strings.Fields(string(text))[:1], "") + " at the start"
	}
	_, err := fmt.Fprintf(b.out, `%s %s/%s, %d CPUs%s.
The issuer is one process on a real file, every commit synced; all verifiers are another, each with its own
connections over 127.0.0.1. Both share the CPUs of this machine: the larger fleet checks as many signatures as
so many services would on as many machines, so its times are an upper bound.
`, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), busy)
	return err
}

// endingSettings are those of an issuer on loopback, which admits all listeners
// although they come from one address.
func endingSettings(dir string) config.Config {
	c := settings(dir, "ES256", slog.LevelWarn)
	c.Issuer = endingIssuer
	c.Status.ListenersPerAddress = 1_000_000
	config.LoopbackHTTP(&c)
	return c
}

// openEnding composes an issuer in this process, on a new store without fsync,
// with one client that gets tokens for itself.
func (b *endingBench) openEnding(ctx context.Context, name string) (_ *app.App, dir string, err error) {
	if dir, err = b.folder(name); err != nil {
		return nil, "", err
	}
	a, err := app.New(ctx, endingSettings(dir), app.Options{NoSync: true, Log: io.Discard})
	if err != nil {
		return nil, "", err
	}
	scopes := scope
	made, err := a.Operator.AddClient(ctx, clientRobot, admin.ClientSettings{
		Grants: &[]string{"client_credentials"}, Scope: &scopes, Audience: &[]string{audience},
	})
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("adding a client: %w", err), a.Close())
	}
	b.secret = made.Secret.Reveal()
	return a, dir, nil
}

// startEnding starts an issuer in a process of its own.
func (b *endingBench) startEnding(ctx context.Context, name string) (*child, error) {
	a, dir, err := b.openEnding(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := a.Close(); err != nil {
		return nil, err
	}
	return startChild(ctx, name, roleEnding, dir)
}

// robots opens connections over which clientRobot speaks.
func (b *endingBench) robots(ctx context.Context, address string, n int) ([]*visitor, error) {
	return visit(ctx, address, n, estate{cookies: []string{""}, secrets: map[string]string{clientRobot: b.secret}})
}

// issue gets n access tokens.
func (b *endingBench) issue(ctx context.Context, address string, n int) (_ []string, err error) {
	const side = 8
	visitors, err := b.robots(ctx, address, side)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, v := range visitors {
			err = errors.Join(err, v.connection.Close())
		}
	}()
	raw := make([]string, n)
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	return raw, each(visitors, func(v *visitor) error {
		for i := range next {
			if err := v.token(clientRobot, "grant_type=client_credentials&scope="+scope); err != nil {
				return err
			}
			raw[i] = v.access
		}
		return v.bound(time.Minute)
	})
}

// resident is the memory of a process as the kernel counts it, 0 where it does
// not say.
func resident(pid string) uint64 {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "\nVmRSS:")
	var kib uint64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0
	}
	return kib << 10
}

// busy is how long the CPUs of this machine have worked, for anybody; 0 where the
// kernel does not say.
func busy() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	var user, nice, system, idle, wait, irq, soft, steal int64 // in hundredths of a second
	if _, err := fmt.Sscanf(string(text), "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &soft, &steal); err != nil {
		return 0
	}
	return time.Duration(user+nice+system+irq+soft+steal) * 10 * time.Millisecond
}
