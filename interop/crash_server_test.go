package interop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
)

// The test binary runs itself as the server that a test kills or whose disk
// fills up: the variable names the folder of its store.
const envCrash = "SIGNET_TEST_CRASH"

// crashIssuer is the issuer's name. Where it listens is another address after
// each restart, which only the transport knows.
const crashIssuer = "http://127.0.0.1:8080"

func TestMain(m *testing.M) {
	if dir := os.Getenv(envCrash); dir != "" {
		fmt.Fprintln(os.Stderr, serveUntilKilled(dir))
		os.Exit(1)
	}
	if text := os.Getenv(envNode); text != "" {
		fmt.Fprintln(os.Stderr, serveNode(text))
		os.Exit(1)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// crashConfig is a whole issuer with real fsync, and cheap passwords: what is
// tested is what becomes of a sign-in, not its price.
func crashConfig(dir string) config.Config {
	cfg := config.Default()
	cfg.Issuer, cfg.HTTP.Address = crashIssuer, "127.0.0.1:0"
	cfg.Store = "bolt:" + filepath.Join(dir, "signet.db")
	cfg.Metrics.Address = config.Off
	cfg.Tokens.AccessLifetime, cfg.Tokens.IDLifetime = time.Hour, time.Hour
	cfg.Passwords.Memory, cfg.Passwords.Time = 64*config.KiB, 1
	cfg.Log.Level = slog.LevelError
	config.LoopbackHTTP(&cfg)
	return cfg
}

// serveUntilKilled says where it listens, then serves until it is killed, or
// until its parent is gone.
func serveUntilKilled(dir string) error {
	ctx := context.Background()
	a, err := app.New(ctx, crashConfig(dir), app.Options{Log: os.Stderr})
	if err != nil {
		return err
	}
	return announce(ctx, a)
}

// announce serves, and says where on standard output.
func announce(ctx context.Context, a *app.App) error {
	address, err := a.Listen(ctx)
	if err != nil {
		return err
	}
	go obey(os.Stdin, os.Stdout)
	fmt.Println(address)
	return a.Run(ctx)
}

// victim is the server in its own process, and the way to it.
type victim struct {
	dir     string
	role    string          // the variable that tells the process what it is
	http    *http.Transport // to wherever it listens now
	admin   *http.Transport // to its socket
	address atomic.Pointer[string]
	process *exec.Cmd
	orders  io.WriteCloser
	lines   *bufio.Scanner
	said    *bytes.Buffer // its log
	kills   int
}

func newVictim(t *testing.T, dir string) *victim {
	t.Helper()
	v := &victim{dir: dir, role: envCrash + "=" + dir}
	var d net.Dialer
	v.http = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "tcp", *v.address.Load())
		},
		MaxIdleConnsPerHost: 64,
	}
	v.admin = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", filepath.Join(dir, "signet.sock"))
	}}
	t.Cleanup(func() {
		if v.process != nil {
			v.kill(t)
		}
	})
	return v
}

// start runs the server on what the last one left, or fails the test: whatever
// a kill leaves must open.
func (v *victim) start(t *testing.T) {
	t.Helper()
	v.run(t)
	if !v.lines.Scan() {
		err := v.process.Wait()
		t.Fatalf("the server does not start on what kill %d left: %v: %s", v.kills, err, v.said)
	}
	address := v.lines.Text()
	v.address.Store(&address)
	v.awaitAdmin(t)
}

// awaitAdmin returns when the operator's socket answers, which opens beside the
// public listener.
func (v *victim) awaitAdmin(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if c, err := new(net.Dialer).DialContext(t.Context(), "unix", filepath.Join(v.dir, "signet.sock")); err == nil {
			_ = c.Close()
			return
		}
	}
	t.Fatalf("the socket never answered: %s", v.said)
}

func (v *victim) run(t *testing.T) {
	t.Helper()
	v.process = exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0]) //nolint:gosec // this very binary
	v.process.Env = append(os.Environ(), v.role)
	v.said = new(bytes.Buffer)
	v.process.Stderr = v.said
	out, err := v.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if v.orders, err = v.process.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := v.process.Start(); err != nil {
		t.Fatal(err)
	}
	v.lines = bufio.NewScanner(out)
}

// kill ends the process as a power cut would: it gets to say and write nothing.
func (v *victim) kill(t *testing.T) {
	t.Helper()
	_ = v.process.Process.Kill() // it may be dead already, which Wait tells
	err := v.process.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the server was not killed, it ended with %v: %s", err, v.said)
	}
	v.process = nil
	v.kills++
	v.http.CloseIdleConnections()
	v.admin.CloseIdleConnections()
}

// order tells the server to do what obey knows, and waits until it has.
func (v *victim) order(t *testing.T, what string) {
	t.Helper()
	if _, err := io.WriteString(v.orders, what+"\n"); err != nil {
		t.Fatal(err)
	}
	if !v.lines.Scan() || strings.TrimSpace(v.lines.Text()) != what {
		t.Fatalf("told %q, the server said %q: %s", what, v.lines.Text(), v.said)
	}
}
