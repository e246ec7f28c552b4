// Package telemetry owns what the server says about itself: the log, the
// metrics and its health.
//
//	rooms ──slog──▶ Logger ──request id from the context──▶ one writer
//	rooms ──NewCounter, NewHistogram──▶ Registry ──┐
//	rooms ──Health.Add(name, check)──▶ Health ─────┴──▶ Handler: /metrics /healthz /readyz
//
// Handler is for a listener of its own, within the operator's network. Nothing
// here is global: two servers in one process count and log apart.
//
// It never sees a request's content. Labels are route patterns and other closed
// lists, never raw paths, so strangers cannot grow the metrics; health names
// what is not ready and keeps the reason for the log.
package telemetry

import (
	"io"
	"log/slog"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options are what New needs to know.
type Options struct {
	Level   slog.Level
	Format  string    // text, or else json
	Writer  io.Writer // of the log
	Version string    // of the program, for signet_build_info
}

// Telemetry is the log, metrics and health of one server.
type Telemetry struct {
	logger   *slog.Logger
	registry *prometheus.Registry
	health   *Health
	traffic  *traffic
}

// New makes the telemetry of one server. It starts nothing.
func New(o Options) *Telemetry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	build := NewGauge(registry, "signet_build_info", "Always 1; the labels say what is running.", "version", "go")
	build.WithLabelValues(o.Version, runtime.Version()).Set(1)

	logger := slog.New(newHandler(o))
	health := newHealth(logger)
	registry.MustRegister(newPassing(health))
	return &Telemetry{
		logger:   logger,
		registry: registry,
		health:   health,
		traffic:  newTraffic(registry),
	}
}

// Logger is the log; pass contexts to it, and lines carry their request id.
func (t *Telemetry) Logger() *slog.Logger { return t.logger }

// Registry is where rooms register what they count.
func (t *Telemetry) Registry() *prometheus.Registry { return t.registry }

// Health is where rooms say whether they are ready.
func (t *Telemetry) Health() *Health { return t.health }

// Handler serves /metrics, /healthz and /readyz; GET and HEAD only.
func (t *Telemetry) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(t.logger.Handler(), slog.LevelError),
	}))
	mux.HandleFunc("GET /healthz", t.health.serveAlive)
	mux.HandleFunc("GET /readyz", t.health.serveReady)
	return mux
}

// NewCounter registers a counter. Two of one name in one registry are a mistake
// of the programmer, and panic at start.
func NewCounter(r prometheus.Registerer, name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	r.MustRegister(c)
	return c
}

// NewGauge registers a gauge.
func NewGauge(r prometheus.Registerer, name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	r.MustRegister(g)
	return g
}

// NewHistogram registers a histogram of seconds. Its buckets are finer than
// Prometheus' own below 5 ms, where most of our answers are.
func NewHistogram(r prometheus.Registerer, name, help string, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help,
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, labels)
	r.MustRegister(h)
	return h
}
