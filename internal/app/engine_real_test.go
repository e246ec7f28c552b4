package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/enginetest"
	"github.com/signet-id/signet/internal/fault"
)

// The servers that the tests of this package share, one test at a time.
var (
	postgres enginetest.Postgres
	etcd     enginetest.Etcd
)

func TestMain(m *testing.M) {
	code := m.Run()
	for name, stop := range map[string]func() error{"PostgreSQL": postgres.Stop, "etcd": etcd.Stop} {
		if err := stop(); err != nil {
			fmt.Fprintf(os.Stderr, "stopping %s: %v\n", name, err)
			code = 1
		}
	}
	os.Exit(code)
}

// on has the house stand on the engine at url.
func on(t *testing.T, url string) func(*config.Config, *app.Options) {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *config.Config, _ *app.Options) {
		c.Store, c.Keys.EncryptionKeyFile = url, key
		c.Admin.Socket = filepath.Join(t.TempDir(), "signet.sock")
	}
}

// stroll is a sign-in, a refresh and a token of a machine.
func stroll(t *testing.T, h *house) tokens {
	t.Helper()
	first := h.token("orders", redeem(h.browser().code("alice", "orders")))
	second := h.token("orders", refresh(first.RefreshToken))
	robot := h.token("robot", url.Values{"grant_type": {"client_credentials"}})
	if second.Status != http.StatusOK || robot.Status != http.StatusOK {
		t.Fatalf("refresh %+v, client credentials %+v", second, robot)
	}
	return second
}

// outage proves what goes on while a real engine is down, and that all resumes.
func outage(t *testing.T, h *house, stop, start func()) {
	t.Helper()
	held := stroll(t, h)
	code := h.browser().code("bob", "orders")
	stop()
	if got := h.token("robot", url.Values{"grant_type": {"client_credentials"}}); got.Status != http.StatusOK {
		t.Errorf("client credentials without the engine: %+v", got)
	}
	begun := time.Now()
	got := h.token("orders", redeem(code))
	if got.Status != http.StatusServiceUnavailable {
		t.Errorf("a code without the engine: %+v", got)
	}
	t.Logf("refused after %s", time.Since(begun))
	if len(h.Telemetry.Health().NotReady(t.Context())) == 0 {
		t.Error("a server without its engine calls itself ready")
	}
	start()
	begun = time.Now()
	for deadline := begun.Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if got = h.token("orders", redeem(code)); got.Status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not resume: %+v", got)
		}
	}
	t.Logf("resumed after %s", time.Since(begun))
	if got := h.token("orders", refresh(held.RefreshToken)); got.Status != http.StatusOK {
		t.Errorf("refresh after the outage: %+v", got)
	}
	stroll(t, h)
}

func TestAnIssuerOnPostgreSQLOutlivesAnOutageOfIt(t *testing.T) {
	at := postgres.Database(t)
	h := open(t, on(t, at))
	outage(t, h, func() { postgres.Kill(t) }, func() { postgres.Restart(t) })
}

func TestAnIssuerOnEtcdOutlivesAnOutageOfIt(t *testing.T) {
	at := "etcd://" + etcd.Address(t) + "/" + etcd.Prefix()
	h := open(t, on(t, at))
	outage(t, h, func() { etcd.Kill(t, 0) }, func() { etcd.Restart(t, 0) })
}

// An engine may come up after the server: it waits, says so, and then serves.
func TestAServerWaitsForItsEngineAndSaysThatItIsNotReady(t *testing.T) {
	at := postgres.Database(t)
	postgres.Kill(t)
	cfg, metrics := config.Default(), freePort(t)
	cfg.Issuer, cfg.Metrics.Address = "https://id.example.com", metrics
	var o app.Options
	on(t, strings.Replace(at, "signet@", "signet:hunter2@", 1))(&cfg, &o)
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	if _, err := app.New(t.Context(), cfg, app.Options{Log: io.Discard}); fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("New without patience = %v", err)
	}
	log := &lockedBuffer{}
	type opened struct {
		*app.App
		err error
	}
	result := make(chan opened, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		a, err := app.New(ctx, cfg, app.Options{Log: log, AwaitEngine: true})
		result <- opened{a, err}
	}()
	for ; !strings.Contains(log.String(), "can't be opened; trying again"); time.Sleep(10 * time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("the log says nothing: %s", log)
		}
	}
	if got := probe(ctx, t, metrics, "/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("/readyz = %d while it waits", got)
	}
	if got := probe(ctx, t, metrics, "/healthz"); got != http.StatusOK {
		t.Errorf("/healthz = %d while it waits", got)
	}
	postgres.Restart(t)
	a := <-result
	if a.err != nil {
		t.Fatal(a.err)
	}
	if failing := a.Telemetry.Health().NotReady(ctx); len(failing) > 0 {
		t.Errorf("not ready after the wait: %v", failing)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("the log shows the password: %s", log)
	}
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// probe asks until somebody answers.
func probe(ctx context.Context, t *testing.T, address, path string) int {
	t.Helper()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err == nil {
			_ = res.Body.Close()
			return res.StatusCode
		}
		if ctx.Err() != nil {
			t.Fatalf("%s does not answer: %v", path, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Where no file is locked, the socket that is there may be another server's.
func TestTwoServersOnOneEngineDoNotTakeEachOthersSocket(t *testing.T) {
	at := postgres.Database(t)
	same := filepath.Join(t.TempDir(), "signet.sock")
	run := func(ctx context.Context) error {
		h := open(t, on(t, at), func(c *config.Config, _ *app.Options) { c.Admin.Socket, c.HTTP.Address = same, "127.0.0.1:0" })
		if _, err := h.Listen(ctx); err != nil {
			return err
		}
		return h.Run(ctx)
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- run(ctx) }()
	for ; ; time.Sleep(10 * time.Millisecond) {
		if conn, err := new(net.Dialer).DialContext(ctx, "unix", same); err == nil {
			_ = conn.Close()
			break
		}
	}
	if err := secondServer(t, at, same); err == nil || !strings.Contains(err.Error(), "another server answers there") {
		t.Errorf("a second server took the socket: %v", err)
	}
	cancel()
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// secondServer runs one more on the same engine and socket, for ten seconds at most.
func secondServer(t *testing.T, at, socket string) error {
	t.Helper()
	cfg := config.Default()
	cfg.Issuer, cfg.Metrics.Address = issuer, config.Off
	config.LoopbackHTTP(&cfg)
	var o app.Options
	on(t, at)(&cfg, &o)
	cfg.Admin.Socket, cfg.HTTP.Address = socket, "127.0.0.1:0"
	a, err := app.New(t.Context(), cfg, app.Options{Log: io.Discard})
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := a.Listen(ctx); err != nil {
		return err
	}
	return a.Run(ctx)
}
