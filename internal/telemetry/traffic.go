package telemetry

import (
	"maps"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// traffic counts requests. To find the series of three labels costs more than to
// count in it, so each combination is looked up once and kept: routes, methods
// and codes are closed lists, and their combinations are some dozens.
type traffic struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec

	known   atomic.Pointer[map[combination]series] // replaced, never changed: it is read without a lock
	growing sync.Mutex                             // held by whoever replaces it
}

// combination is what a request is counted by.
type combination struct {
	route, method string
	code          int
}

// series are where the requests of one combination are counted.
type series struct {
	requests prometheus.Counter
	seconds  prometheus.Observer
}

func newTraffic(r prometheus.Registerer) *traffic {
	t := &traffic{
		requests: NewCounter(r, "signet_http_requests_total", "Requests answered.", "route", "method", "code"),
		seconds:  NewHistogram(r, "signet_http_request_seconds", "Time from a request's header to the end of its response.", "route"),
	}
	t.known.Store(&map[combination]series{})
	return t
}

// Request counts one answered request. route is the pattern that matched, or ""
// when none did: a raw path would let strangers make series without end.
func (t *Telemetry) Request(route, method string, code int, took time.Duration) {
	if route == "" {
		route = "unmatched"
	}
	s := t.traffic.of(combination{route, knownMethod(method), code})
	s.requests.Inc()
	s.seconds.Observe(took.Seconds())
}

func (t *traffic) of(c combination) series {
	if s, ok := (*t.known.Load())[c]; ok {
		return s
	}
	s := series{
		requests: t.requests.WithLabelValues(c.route, c.method, strconv.Itoa(c.code)),
		seconds:  t.seconds.WithLabelValues(c.route),
	}
	t.growing.Lock()
	defer t.growing.Unlock()
	known := maps.Clone(*t.known.Load())
	known[c] = s
	t.known.Store(&known)
	return s
}

// knownMethod keeps made-up methods from becoming labels.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}
