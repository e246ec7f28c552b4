package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// losing is an engine that answers so many calls, and is away then.
type losing struct {
	store.Store
	left  *atomic.Int64
	calls *atomic.Int64
}

func (l losing) spend() error {
	l.calls.Add(1)
	if l.left.Add(-1) < 0 {
		return fault.Wrap(fault.Unavailable, errors.New("connection reset"), "the store cannot be read")
	}
	return nil
}

func (l losing) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	if err := l.spend(); err != nil {
		return nil, err
	}
	return l.Store.Get(ctx, keys...)
}

func (l losing) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	if err := l.spend(); err != nil {
		return nil, err
	}
	return l.Store.List(ctx, prefix, after, limit)
}

func (l losing) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	if err := l.spend(); err != nil {
		return 0, err
	}
	return l.Store.Commit(ctx, ops...)
}

func (l losing) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	if err := l.spend(); err != nil {
		return nil, err
	}
	return l.Store.Watch(ctx, prefix)
}

// patient starts another server of the same deployment, as serve does. Its first
// attempt gets so many answers; it returns how many calls that attempt made.
func patient(t *testing.T, on func(*config.Config, *app.Options), answers int64) (a *app.App, log *lockedBuffer, calls int64, err error) {
	t.Helper()
	cfg, o := config.Default(), app.Options{AwaitEngine: true}
	cfg.Issuer, cfg.Metrics.Address = issuer, config.Off
	config.LoopbackHTTP(&cfg)
	on(&cfg, &o)
	log = &lockedBuffer{}
	o.Log = log
	var left, spent atomic.Int64
	left.Store(answers)
	first := true
	o.Wrap = func(s store.Store) store.Store {
		if !first {
			return s
		}
		first = false
		return losing{s, &left, &spent}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if a, err = app.New(ctx, cfg, o); err == nil {
		t.Cleanup(func() {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return a, log, spent.Load(), err
}

// However far the rooms have come when the engine is lost, the start begins anew
// and ends well.
func TestAnEngineThatIsLostDuringTheStartIsWaitedFor(t *testing.T) {
	stand := on(t, postgres.Database(t))
	h := open(t, stand)
	_, _, calls, err := patient(t, stand, 1<<40)
	if err != nil || calls < 5 {
		t.Fatalf("a start makes %d calls, and ends with %v: nothing is proved", calls, err)
	}
	t.Logf("a start makes %d calls", calls)
	nodes := make([]*app.App, calls)
	var all sync.WaitGroup
	for answers := range calls {
		all.Go(func() {
			a, log, _, err := patient(t, stand, answers)
			if err != nil {
				t.Errorf("after %d answers: %v\n%s", answers, err, log)
				return
			}
			if text := log.String(); !strings.Contains(text, "trying again until it can") || !strings.Contains(text, "the store is open") {
				t.Errorf("after %d answers the log does not tell of it: %s", answers, text)
			}
			if failing := a.Telemetry.Health().NotReady(t.Context()); len(failing) > 0 {
				t.Errorf("after %d answers it is not ready: %v", answers, failing)
			}
			nodes[answers] = a
		})
	}
	all.Wait()
	// Each follows the store, and not what the first attempt had read of it.
	if _, err := h.Operator.DisableClient(t.Context(), "robot"); err != nil {
		t.Fatal(err)
	}
	for answers, a := range nodes {
		if a == nil {
			continue // which is told already
		}
		node := &house{App: a, t: t, secret: h.secret}
		for begun := time.Now(); node.token("robot", url.Values{"grant_type": {"client_credentials"}}).Status == http.StatusOK; time.Sleep(time.Millisecond) {
			if time.Since(begun) > time.Minute {
				t.Fatalf("after %d answers it does not follow the clients", answers)
			}
		}
	}
}

// What no attempt mends is told at once: whoever supervises the server sees it end.
func TestAServerDoesNotWaitForAnotherKey(t *testing.T) {
	at := postgres.Database(t)
	open(t, on(t, at))
	cfg, o := config.Default(), app.Options{AwaitEngine: true, Log: io.Discard}
	cfg.Issuer, cfg.Metrics.Address = issuer, config.Off
	config.LoopbackHTTP(&cfg)
	on(t, at)(&cfg, &o)
	cfg.Keys.EncryptionKeyFile = file(t, "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a, err := app.New(ctx, cfg, o)
	if err == nil {
		_ = a.Close()
	}
	if ctx.Err() != nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "another key-encryption key") {
		t.Errorf("New = %v, want it to name the key at once", err)
	}
}

// Each reason is told, in words that say what to do, and mended without a restart.
func TestAServerThatWaitsSaysWhatKeepsItsEngineFromBeingOpened(t *testing.T) {
	at := postgres.Database(t)
	admin := postgres.URL("postgres")
	must := func(database, statement string) {
		t.Helper()
		if _, err := postgres.Query(t.Context(), database, statement); err != nil {
			t.Fatal(err)
		}
	}
	later := fmt.Sprintf("later%d", time.Now().UnixNano())
	cfg, log := config.Default(), &lockedBuffer{}
	o := app.Options{AwaitEngine: true, Log: log}
	cfg.Issuer, cfg.Metrics.Address = issuer, freePort(t)
	config.LoopbackHTTP(&cfg)
	on(t, postgres.URL(later))(&cfg, &o)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	result := make(chan error, 1)
	go func() {
		a, err := app.New(ctx, cfg, o)
		if err == nil {
			err = a.Close()
		}
		result <- err
	}()
	says := func(what string) {
		t.Helper()
		for ; !strings.Contains(log.String(), what); time.Sleep(10 * time.Millisecond) {
			if ctx.Err() != nil {
				t.Fatalf("the log does not say %q: %s", what, log)
			}
		}
	}
	says("make it first, or correct the name")
	// Nothing of it makes the node ready, whatever the probe leaves out.
	for path, want := range map[string]int{"/readyz": 503, "/readyz?exclude=store": 503, "/readyz?exclude=stor": 400, "/healthz": 200} {
		if got := probe(ctx, t, cfg.Metrics.Address, path); got != want {
			t.Errorf("%s = %d while it waits, want %d", path, got, want)
		}
	}
	// A newer release was there: its tables are a copy of those of at, and a layout more.
	if err := open(t, on(t, at)).Close(); err != nil {
		t.Fatal(err)
	}
	name := at[strings.LastIndex(at, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	must(at, "UPDATE signet_layout SET layout = layout + 1")
	must(admin, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", later, name))
	says("a newer one made them")
	must(postgres.URL(later), "UPDATE signet_layout SET layout = layout - 1")
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if strings.Count(log.String(), "trying again until it can") > 3 {
		t.Errorf("one reason is told again and again: %s", log)
	}
}

// Slots are leased in blocks. Without the engine a client's tokens end with those
// that its node has, and not with a token that nobody could end.
func TestWithoutItsStoreAMachineGetsAsManyTokensAsItHasSlots(t *testing.T) {
	engine := &absent{}
	engine.comeBack(t.Context())
	h := open(t, func(_ *config.Config, o *app.Options) {
		o.Wrap = func(s store.Store) store.Store { engine.Store = s; return engine }
	})
	ask := func() answer {
		r := formRequest(t.Context(), "/token", url.Values{"grant_type": {"client_credentials"}})
		r.SetBasicAuth("robot", h.secret.Reveal())
		return h.serve(r)
	}
	if got := ask(); got.StatusCode != http.StatusOK {
		t.Fatalf("client credentials: %d %s", got.StatusCode, got.body)
	}
	engine.leave()
	issued := 0
	got := ask()
	for ; got.StatusCode == http.StatusOK && issued < 1000; got = ask() {
		issued++
	}
	if issued != 63 {
		t.Errorf("%d tokens on a block of 64, of which one was used", issued)
	}
	if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" || !strings.Contains(got.body, `"error":"temporarily_unavailable"`) {
		t.Errorf("without slots: %d, Retry-After %q, %s", got.StatusCode, got.Header.Get("Retry-After"), got.body)
	}
	if jwks := h.serve(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/jwks", nil)); jwks.StatusCode != http.StatusOK {
		t.Errorf("/jwks: %d", jwks.StatusCode)
	}
	engine.comeBack(t.Context())
	for begun := time.Now(); ask().StatusCode != http.StatusOK; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatal("the tokens do not come back with the engine")
		}
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
