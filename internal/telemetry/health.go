package telemetry

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// patience is how long all checks together may take: less than the second or
// more that whoever probes us waits.
const patience = 900 * time.Millisecond

// Check says why its part is not ready, or nil. It must be safe for concurrent
// use and return when ctx ends; its error goes to the log and nowhere else.
type Check func(ctx context.Context) error

// What a server is that should not be given requests, whatever the checks say.
// Neither is a check: who asks can't leave it out.
const (
	starting = "starting"
	stopping = "stopping"
)

// Health knows whether the server should be given requests: it has started, it is
// not stopping, and every check passes.
type Health struct {
	logger *slog.Logger

	mu       sync.Mutex
	checks   map[string]Check
	reported map[string]bool // failing, and the log said so
	phase    string          // starting, stopping, or "" in between
}

func newHealth(logger *slog.Logger) *Health {
	return &Health{logger: logger, checks: map[string]Check{}, reported: map[string]bool{}, phase: starting}
}

// Add names a check; one of the same name is replaced.
func (h *Health) Add(name string, check Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks[name] = check
}

// Started says that the server can answer: until then it is not ready, whatever
// the checks say.
func (h *Health) Started() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.phase == starting {
		h.phase = ""
	}
}

// Stop makes the server not ready for good: load balancers turn away while the
// requests under way are finished.
func (h *Health) Stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.phase = stopping
}

// NotReady returns the names of what is not ready, sorted; none means ready. The
// checks that are excluded are not asked.
func (h *Health) NotReady(ctx context.Context, excluded ...string) []string {
	h.mu.Lock()
	phase := h.phase
	checks := make(map[string]Check, len(h.checks))
	for name, check := range h.checks {
		if !slices.Contains(excluded, name) {
			checks[name] = check
		}
	}
	h.mu.Unlock()

	failing := h.failing(ctx, checks)
	if phase != "" {
		failing = append(failing, phase)
	}
	slices.Sort(failing)
	return failing
}

// failing runs the checks, in the time that all may take together.
func (h *Health) failing(ctx context.Context, checks map[string]Check) []string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var failing []string
	for name, err := range runAll(ctx, checks) {
		h.report(ctx, name, err)
		if err != nil {
			failing = append(failing, name)
		}
	}
	return failing
}

// names of the checks, sorted.
func (h *Health) names() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.checks))
}

// runAll runs the checks side by side, so that a slow one does not use up the
// time of the others.
func runAll(ctx context.Context, checks map[string]Check) map[string]error {
	var (
		mu      sync.Mutex
		wg      sync.WaitGroup
		results = make(map[string]error, len(checks))
	)
	for name, check := range checks {
		wg.Go(func() {
			err := check(ctx)
			mu.Lock()
			defer mu.Unlock()
			results[name] = err
		})
	}
	wg.Wait()
	return results
}

// report logs changes only: probes come every few seconds, and an outage would
// otherwise fill the log with one line.
func (h *Health) report(ctx context.Context, name string, err error) {
	h.mu.Lock()
	before := h.reported[name]
	h.reported[name] = err != nil
	h.mu.Unlock()
	switch {
	case err != nil && !before:
		h.logger.WarnContext(ctx, "not ready", slog.String("check", name), slog.Any("error", err))
	case err == nil && before:
		h.logger.InfoContext(ctx, "ready again", slog.String("check", name))
	}
}

// serveAlive answers as long as the process can answer at all: restarting it
// helps against a deadlock, not against a store that is away.
func (h *Health) serveAlive(w http.ResponseWriter, _ *http.Request) {
	h.write(w, http.StatusOK, map[string]any{"alive": true})
}

// serveReady answers as kube-apiserver does: ?exclude=NAME leaves a check out, as
// often as it is given, and ?verbose says what each came to. A name that is not
// known is a mistake of whoever set up the probe: it would otherwise watch
// something that it meant to leave out.
func (h *Health) serveReady(w http.ResponseWriter, r *http.Request) {
	query, names := r.URL.Query(), h.names()
	excluded := query["exclude"]
	for _, name := range excluded {
		if !slices.Contains(names, name) {
			h.write(w, http.StatusBadRequest, map[string]any{"error": "exclude names no check", "checks": names})
			return
		}
	}
	failing := h.NotReady(r.Context(), excluded...)
	code, body := http.StatusOK, map[string]any{"ready": len(failing) == 0}
	if len(failing) > 0 {
		code, body["not_ready"] = http.StatusServiceUnavailable, failing
	}
	if query.Has("verbose") {
		body["checks"] = outcomes(names, excluded, failing)
	}
	h.write(w, code, body)
}

// outcomes says what each check came to, and never why: that is for the log.
func outcomes(names, excluded, failing []string) map[string]string {
	out := make(map[string]string, len(names))
	for _, name := range names {
		switch {
		case slices.Contains(excluded, name):
			out[name] = "excluded"
		case slices.Contains(failing, name):
			out[name] = "failing"
		default:
			out[name] = "passing"
		}
	}
	return out
}

func (h *Health) write(w http.ResponseWriter, code int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		h.logger.Debug("health: whoever asked is gone", slog.Any("error", err))
	}
}
