package app_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/config"
)

// sink is a response that is written and forgotten. Its header begins anew, as
// net/http's does; the rest is used again, so that what is measured is ours.
type sink struct {
	header http.Header
	status int
	body   []byte
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { s.body = append(s.body[:0], p...); return len(p), nil }

func (s *sink) serve(h http.Handler, r *http.Request) {
	s.header, s.status = http.Header{}, 0
	h.ServeHTTP(s, r)
}

// road is an issuer behind a proxy on this host, as in production, whose log is
// written and forgotten.
func road(t testing.TB, level slog.Level) *app.App {
	t.Helper()
	cfg := config.Default()
	cfg.Issuer = "https://id.example.com"
	cfg.Store = "bolt:" + filepath.Join(t.TempDir(), "signet.db")
	cfg.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	cfg.Metrics.Address = config.Off
	cfg.Log.Level = level
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), cfg, app.Options{NoSync: true, Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	robot := client.Client{ID: "robot", Grants: []string{client.GrantCredentials}, Public: false}
	robot.Rotate(client.NewSecret(), testNow())
	if _, err := a.Operator.Clients.Create(t.Context(), robot); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Status().Slots.Take(t.Context(), "robot"); err != nil { // so there is a list
		t.Fatal(err)
	}
	return a
}

// asked is a GET as a proxy on this host passes it on.
func asked(t testing.TB, path string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.RemoteAddr = "127.0.0.1:50000"
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	r.Header.Set("Accept-Encoding", "gzip")
	return r
}

// listPath finds the status list that exists.
func listPath(t testing.TB, a *app.App) string {
	t.Helper()
	lists := a.Status().Board.Lists()
	if len(lists) != 1 {
		t.Fatalf("there are %d status lists, want 1", len(lists))
	}
	return lists[0][len("https://id.example.com"):]
}

const discoveryPath, jwksPath = "/.well-known/openid-configuration", "/jwks"

func benchmarkRoad(b *testing.B, h http.Handler, path string) {
	b.Helper()
	r, w := asked(b, path), &sink{}
	b.ReportAllocs()
	for b.Loop() {
		w.serve(h, r)
	}
	if w.status != http.StatusOK {
		b.Errorf("%s: %d", path, w.status)
	}
}

// Of what each answer allocates, two are the header's map; four are the road's:
// the request's id, its place in the header, in the context, and the request that
// carries the context.
func TestWhatAnswersReadyMadeAllocatesAsLittleAsItDid(t *testing.T) {
	if raced() {
		t.Skip("the race detector allocates, and pools forget on purpose under it")
	}
	a := road(t, slog.LevelWarn)
	for path, want := range map[string]float64{discoveryPath: 6, jwksPath: 6, listPath(t, a): 10} {
		r, w := asked(t, path), &sink{}
		if got := testing.AllocsPerRun(1000, func() { w.serve(a.Handler(), r) }); got > want {
			t.Errorf("%s: %g allocations, want at most %g", path, got, want)
		}
		if w.status != http.StatusOK {
			t.Errorf("%s: %d", path, w.status)
		}
	}
}

// raced says whether this test was built with the race detector.
func raced() bool {
	built, _ := debug.ReadBuildInfo()
	return built != nil && slices.Contains(built.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

func BenchmarkDiscovery(b *testing.B) {
	benchmarkRoad(b, road(b, slog.LevelWarn).Handler(), discoveryPath)
}

func BenchmarkDiscoveryLogged(b *testing.B) {
	benchmarkRoad(b, road(b, slog.LevelInfo).Handler(), discoveryPath)
}

func BenchmarkJWKS(b *testing.B) { benchmarkRoad(b, road(b, slog.LevelWarn).Handler(), jwksPath) }

func BenchmarkStatusList(b *testing.B) {
	a := road(b, slog.LevelWarn)
	benchmarkRoad(b, a.Handler(), listPath(b, a))
}

// BenchmarkBareEcho writes the bytes of discovery, and does nothing else.
func BenchmarkBareEcho(b *testing.B) {
	w := &sink{}
	w.serve(road(b, slog.LevelWarn).Handler(), asked(b, discoveryPath))
	e := echo.New()
	e.Any("/*", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/json", w.body) })
	benchmarkRoad(b, e, discoveryPath)
}
