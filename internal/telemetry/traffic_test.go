package telemetry_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/telemetry"
)

func TestRequestsThatComeTogetherAreAllCounted(t *testing.T) {
	tel, _ := start(t)
	var counting sync.WaitGroup
	for range 8 {
		counting.Go(func() {
			for _, route := range []string{"/a", "/b", "/c", "/d"} {
				tel.Request(route, "GET", 200, time.Millisecond)
				tel.Request(route, "GET", 404, time.Millisecond)
			}
		})
	}
	counting.Wait()
	_, body := get(t, tel, "/metrics")
	for _, route := range []string{"/a", "/b", "/c", "/d"} {
		for _, want := range []string{
			`signet_http_requests_total{code="200",method="GET",route="` + route + `"} 8`,
			`signet_http_requests_total{code="404",method="GET",route="` + route + `"} 8`,
			`signet_http_request_seconds_count{route="` + route + `"} 16`,
		} {
			if !strings.Contains(body, want) {
				t.Errorf("/metrics lacks %s", want)
			}
		}
	}
}

type other struct{}

func TestAContextWithAnIDKeepsWhatItHadAndEndsAsBefore(t *testing.T) {
	gone := errors.New("gone")
	parent, end := context.WithCancelCause(context.WithValue(t.Context(), other{}, "kept"))
	ctx, cancel := context.WithCancel(telemetry.WithRequestID(parent, "abc"))
	defer cancel()
	if got := telemetry.RequestID(ctx); got != "abc" {
		t.Errorf("the id is %q below another context, want abc", got)
	}
	if got := telemetry.RequestID(telemetry.WithRequestID(ctx, "def")); got != "def" {
		t.Errorf("the id is %q, want the inner one", got)
	}
	if got := telemetry.RequestID(t.Context()); got != "" {
		t.Errorf("a context without an id has %q", got)
	}
	if got := ctx.Value(other{}); got != "kept" {
		t.Errorf("the value is %v, want kept", got)
	}
	end(gone)
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), gone) {
		t.Errorf("it ended because of %v", context.Cause(ctx))
	}
}
