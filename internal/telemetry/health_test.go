package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/telemetry"
)

func started(t *testing.T) (*telemetry.Telemetry, *bytes.Buffer) {
	t.Helper()
	tel, log := start(t)
	tel.Health().Started()
	return tel, log
}

func TestReadyMeansThatEveryCheckPasses(t *testing.T) {
	tel, log := started(t)
	away := errors.New("dial postgres://signet:hunter2@db")
	tel.Health().Add("store", func(context.Context) error { return away })
	tel.Health().Add("keys", func(context.Context) error { return nil })

	code, body := get(t, tel, "/readyz")
	if code != http.StatusServiceUnavailable || strings.TrimSpace(body) != `{"not_ready":["store"],"ready":false}` {
		t.Errorf("/readyz = %d %s, want 503 naming the store alone", code, body)
	}
	get(t, tel, "/readyz")
	if got := strings.Count(log.String(), `"not ready"`); got != 1 {
		t.Errorf("an outage is logged %d times, want once:\n%s", got, log)
	}

	away = nil
	if code, body := get(t, tel, "/readyz"); code != http.StatusOK {
		t.Errorf("/readyz = %d %s, want 200", code, body)
	}
	if !strings.Contains(log.String(), "ready again") {
		t.Errorf("the recovery is not logged:\n%s", log)
	}
}

func TestReadinessNeverSaysWhy(t *testing.T) {
	tel, _ := started(t)
	tel.Health().Add("store", func(context.Context) error { return errors.New("hunter2") })
	if _, body := get(t, tel, "/readyz"); strings.Contains(body, "hunter2") {
		t.Errorf("/readyz repeats the error: %s", body)
	}
}

func TestAStoppingServerIsAliveAndNotReady(t *testing.T) {
	tel, _ := started(t)
	tel.Health().Stop()
	if code, body := get(t, tel, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "stopping") {
		t.Errorf("/readyz = %d %s, want 503 stopping", code, body)
	}
	if code, _ := get(t, tel, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz = %d, want 200", code)
	}
}

func TestAHungCheckIsNotReadyWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel, _ := started(t)
		tel.Health().Add("slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		tel.Health().Add("fine", func(ctx context.Context) error { return ctx.Err() })
		began := time.Now()
		failing := tel.Health().NotReady(t.Context())
		if len(failing) != 1 || failing[0] != "slow" || time.Since(began) > time.Second {
			t.Errorf("NotReady = %v after %s, want slow within a second", failing, time.Since(began))
		}
	})
}

func TestAServerIsNotReadyBeforeItHasStarted(t *testing.T) {
	tel, _ := start(t)
	if code, body := get(t, tel, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, `["starting"]`) {
		t.Errorf("/readyz = %d %s, want 503 starting", code, body)
	}
	if code, _ := get(t, tel, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz = %d, want 200", code)
	}
	tel.Health().Stop()
	tel.Health().Started()
	if got := tel.Health().NotReady(t.Context()); !slices.Equal(got, []string{"stopping"}) {
		t.Errorf("a server that was stopped while it started is not ready by %v", got)
	}
}

// A balancer that takes away every node that is not ready must be able to ask
// without what is away for all of them at once.
func TestAProbeLeavesOutTheChecksThatItNames(t *testing.T) {
	tel, log := started(t)
	asked := 0
	tel.Health().Add("store", func(context.Context) error { asked++; return errors.New("away") })
	tel.Health().Add("keys", func(context.Context) error { return nil })
	for path, want := range map[string]string{
		"/readyz?exclude=store":                      `200 {"ready":true}`,
		"/readyz?exclude=store&exclude=keys":         `200 {"ready":true}`,
		"/readyz?exclude=store&verbose":              `200 {"checks":{"keys":"passing","store":"excluded"},"ready":true}`,
		"/readyz?exclude=keys&exclude=store&verbose": `200 {"checks":{"keys":"excluded","store":"excluded"},"ready":true}`,
	} {
		if got := told(t, tel, path); got != want {
			t.Errorf("%s = %s, want %s", path, got, want)
		}
	}
	if asked != 0 || log.Len() != 0 {
		t.Errorf("a check that is left out was asked %d times, and the log says %s", asked, log)
	}
	for path, want := range map[string]string{
		"/readyz?exclude=keys":          `503 {"not_ready":["store"],"ready":false}`,
		"/readyz?verbose":               `503 {"checks":{"keys":"passing","store":"failing"},"not_ready":["store"],"ready":false}`,
		"/readyz?exclude=stor":          `400 {"checks":["keys","store"],"error":"exclude names no check"}`,
		"/readyz?exclude=store,keys":    `400 {"checks":["keys","store"],"error":"exclude names no check"}`,
		"/readyz?exclude=":              `400 {"checks":["keys","store"],"error":"exclude names no check"}`,
		"/readyz?exclude=store&exclude": `400 {"checks":["keys","store"],"error":"exclude names no check"}`,
	} {
		if got := told(t, tel, path); got != want {
			t.Errorf("%s = %s, want %s", path, got, want)
		}
	}
}

// A node that does not serve yet, or no more, is no matter of what a probe watches.
func TestAProbeCannotLeaveOutThatTheServerStartsOrStops(t *testing.T) {
	tel, _ := start(t)
	tel.Health().Add("store", func(context.Context) error { return nil })
	for _, phase := range []string{"starting", "stopping"} {
		if got, want := told(t, tel, "/readyz?exclude=store"), `503 {"not_ready":["`+phase+`"],"ready":false}`; got != want {
			t.Errorf("/readyz?exclude=store = %s, want %s", got, want)
		}
		if got := told(t, tel, "/readyz?exclude="+phase); !strings.HasPrefix(got, "400 ") {
			t.Errorf("/readyz?exclude=%s = %s, want 400", phase, got)
		}
		tel.Health().Stop()
	}
}

func TestEachCheckIsAMetric(t *testing.T) {
	tel, _ := started(t)
	var away error
	tel.Health().Add("store", func(context.Context) error { return away })
	for _, want := range []string{`signet_check_passing{check="store"} 1`, `signet_check_passing{check="store"} 0`} {
		if _, body := get(t, tel, "/metrics"); !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %s", want)
		}
		away = errors.New("away")
	}
}

func told(t *testing.T, tel *telemetry.Telemetry, path string) string {
	t.Helper()
	code, body := get(t, tel, path)
	return strings.TrimSpace(strings.Join([]string{strconv.Itoa(code), body}, " "))
}
