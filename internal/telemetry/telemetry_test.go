package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/internal/telemetry"
)

func start(t *testing.T) (*telemetry.Telemetry, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	return telemetry.New(telemetry.Options{Writer: &log, Format: "json", Version: "v1.2.3"}), &log
}

func get(t *testing.T, tel *telemetry.Telemetry, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestALogLineCarriesTheRequestIDOfItsContext(t *testing.T) {
	tel, log := start(t)
	ctx := telemetry.WithRequestID(t.Context(), "abc")
	tel.Logger().With("a", 1).InfoContext(ctx, "hello")
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line["request_id"] != "abc" || line["a"] != 1.0 {
		t.Errorf("the line is %v, want request_id abc and a 1", line)
	}
	log.Reset()
	tel.Logger().InfoContext(t.Context(), "hello")
	if strings.Contains(log.String(), "request_id") {
		t.Errorf("a line without a request has an id: %s", log)
	}
}

func TestTheLogIsTextOrJSONAndRespectsTheLevel(t *testing.T) {
	var log bytes.Buffer
	tel := telemetry.New(telemetry.Options{Writer: &log, Format: "text", Level: slog.LevelWarn})
	tel.Logger().Info("quiet")
	tel.Logger().Warn("loud", "key", "value")
	if got := log.String(); strings.Contains(got, "quiet") || !strings.Contains(got, "msg=loud key=value") {
		t.Errorf("the log is %q", got)
	}
}

func TestASecretInALogLineIsRedacted(t *testing.T) {
	tel, log := start(t)
	tel.Logger().Info("signing in", "password", secret.New("hunter2"), slog.Group("g", "p", secret.New("hunter2")))
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("the log has the secret: %s", log)
	}
}

func TestMetricsCountRequestsByRoutePattern(t *testing.T) {
	tel, _ := start(t)
	tel.Request("/status/:n", "GET", 200, 3*time.Millisecond)
	tel.Request("", "GET", 404, time.Millisecond)
	tel.Request("/token", "BREW", 405, time.Millisecond)
	_, body := get(t, tel, "/metrics")
	for _, want := range []string{
		`signet_http_requests_total{code="200",method="GET",route="/status/:n"} 1`,
		`signet_http_requests_total{code="404",method="GET",route="unmatched"} 1`,
		`signet_http_requests_total{code="405",method="other",route="/token"} 1`,
		`signet_http_request_seconds_bucket{route="/status/:n",le="0.005"} 1`,
		`signet_build_info{go="go`,
		`version="v1.2.3"} 1`,
		"go_goroutines", "process_start_time_seconds",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

func TestTwoServersInOneProcessCountApart(t *testing.T) {
	one, _ := start(t)
	two, _ := start(t)
	one.Request("/token", "POST", 200, time.Millisecond)
	if _, body := get(t, two, "/metrics"); strings.Contains(body, `route="/token"`) {
		t.Error("the second server counts the first one's requests")
	}
}

func TestARoomRegistersItsOwnCounter(t *testing.T) {
	tel, _ := start(t)
	telemetry.NewCounter(tel.Registry(), "signet_tokens_total", "Tokens issued.", "kind").WithLabelValues("access").Add(3)
	if _, body := get(t, tel, "/metrics"); !strings.Contains(body, `signet_tokens_total{kind="access"} 3`) {
		t.Error("/metrics lacks the room's counter")
	}
}

func TestTheListenerOfMetricsServesNothingElse(t *testing.T) {
	tel, _ := start(t)
	for _, path := range []string{"/", "/debug/pprof/", "/token"} {
		if code, _ := get(t, tel, path); code != http.StatusNotFound {
			t.Errorf("%s = %d, want 404", path, code)
		}
	}
}
