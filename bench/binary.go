package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/signet-id/signet/keys"
)

// starts is how often the binary is started on the existing store.
const starts = 7

// What one node should need.
const (
	aimStart    = 60.0 // ms
	aimIdle     = 30.0 // MB
	aimResident = 60.0 // MB
)

// binaryFigures measures the real binary as an operator runs it: how fast it
// answers after it was started, what it occupies, and its size.
func (b *bench) binaryFigures(ctx context.Context) error {
	const name = "start-up, memory and size"
	if !b.only.MatchString(name) {
		return nil
	}
	file, err := os.Stat(b.binary)
	if errors.Is(err, fs.ErrNotExist) {
		_, err := fmt.Fprintf(b.out, "\n%s: skipped, there is no %s (task build makes it)\n", name, b.binary)
		return err
	}
	if err != nil {
		return fmt.Errorf("looking at the binary: %w", err)
	}
	dir, err := b.folder("binary")
	if err != nil {
		return err
	}
	if err := b.estate.copyTo(dir); err != nil {
		return err
	}
	t := &table{title: name + " (the real binary)", head: []string{"what", "figure"}}
	took := make([]time.Duration, 0, starts)
	for range starts {
		d, err := b.startOnce(ctx, dir, func(*server) error { return nil })
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	t.row("start to the first discovery answer, median ms", number(millis(took[starts/2])))
	t.row("start to the first discovery answer, worst ms", number(millis(took[starts-1])))
	b.aim("start-up, ms", aimStart, millis(took[starts/2]))
	if _, err := b.startOnce(ctx, dir, func(s *server) error { return b.occupy(ctx, s, t) }); err != nil {
		return err
	}
	t.row("size of the binary, MB", number(float64(file.Size())/1e6))
	return t.print(b.out)
}

// occupy reads the resident memory of an idle server, and after load.
func (b *bench) occupy(ctx context.Context, s *server, t *table) error {
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	idle, known := s.memory()
	if !known {
		return nil // no /proc here
	}
	idle.rows("idle", t)
	b.aim("resident, idle, MB", aimIdle, idle.resident)
	visitors, err := visit(ctx, s.address, b.connections, b.estate)
	if err != nil {
		return err
	}
	for _, c := range []scenario{credentials(keys.ES256, 0), codeFlow(clientShop, keys.ES256, 0, 0)} {
		if _, err := load(ctx, visitors, time.Duration(b.seconds*float64(time.Second)), c.step); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	after, _ := s.memory()
	after.rows("after load", t)
	b.aim("resident after load, MB", aimResident, after.resident)
	for _, v := range visitors {
		_ = v.connection.Close() // nothing is under way
	}
	return nil
}

// server is the real binary, running.
type server struct {
	address string
	process *exec.Cmd
}

// startOnce starts the binary, waits until discovery answers, does something
// with it and stops it. The time is from the start to the answer.
func (b *bench) startOnce(ctx context.Context, dir string, do func(*server) error) (took time.Duration, err error) {
	s, err := b.newServer(ctx, dir)
	if err != nil {
		return 0, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return 0, fmt.Errorf("opening the log: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	s.process.Stderr = log
	began := time.Now()
	if err := s.process.Start(); err != nil {
		return 0, fmt.Errorf("starting the binary: %w", err)
	}
	defer func() {
		_ = s.process.Process.Signal(syscall.SIGTERM) // if it is gone, Wait says why
		if failed := s.process.Wait(); failed != nil {
			err = errors.Join(err, fmt.Errorf("the binary ended badly: %w\n%s", failed, lastLines(log.Name())))
		}
	}()
	if err := s.awaitDiscovery(ctx); err != nil {
		return 0, err
	}
	took = time.Since(began)
	return took, do(s)
}

// newServer configures the binary for a free port.
func (b *bench) newServer(ctx context.Context, dir string) (*server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("finding a free port: %w", err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, fmt.Errorf("finding a free port: %w", err)
	}
	path := filepath.Join(dir, "signet.yaml")
	text := fmt.Sprintf("issuer: %s\nstore: bolt:%s\nhttp:\n  address: %s\n  trusted_proxies: [127.0.0.0/8]\nmetrics:\n  address: \"off\"\n%s",
		issuerURL, filepath.Join(dir, "signet.db"), address, b.settings)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	binary, err := filepath.Abs(b.binary)
	if err != nil {
		return nil, fmt.Errorf("finding the binary: %w", err)
	}
	return &server{address, exec.CommandContext(ctx, binary, "serve", "--config", path)}, nil
}

// awaitDiscovery asks until there is an answer, for ten seconds at most.
func (s *server) awaitDiscovery(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		visitors, err := visit(ctx, s.address, 1, estate{cookies: []string{""}})
		if err == nil {
			v := visitors[0]
			err = errors.Join(v.bound(0), v.do(http.StatusOK, http.MethodGet, "/.well-known/openid-configuration", "", ""), v.connection.Close())
		}
		if err == nil {
			return nil
		}
		if failed := pause(ctx, 500*time.Microsecond); failed != nil {
			return fmt.Errorf("waiting for discovery: %w", err)
		}
	}
}

// memory is what a process occupies, in MB. Pages of files (the binary's code,
// the store's memory map) are counted in resident, and leave when others need
// the memory; private ones are the heap, stacks and the runtime.
type memory struct{ resident, private float64 }

func (m memory) rows(when string, t *table) {
	t.row("resident, "+when+", MB", number(m.resident))
	t.row("of it private (no pages of files), "+when+", MB", number(m.private))
}

// memory reads /proc, where there is one.
func (s *server) memory() (memory, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(s.process.Process.Pid) + "/status")
	if err != nil {
		return memory{}, false
	}
	figure := func(name string) float64 {
		_, rest, _ := strings.Cut(string(text), "\n"+name+":")
		rest, _, _ = strings.Cut(rest, "kB")
		kib, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
		if err != nil {
			return 0
		}
		return kib * 1024 / 1e6
	}
	m := memory{figure("VmRSS"), figure("RssAnon")}
	return m, m.resident > 0
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
