package telemetry

import (
	"context"
	"encoding/json"
	"log/slog"
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

// Health knows whether the server should be given requests: every check passes,
// and it is not stopping.
type Health struct {
	logger *slog.Logger

	mu       sync.Mutex
	checks   map[string]Check
	reported map[string]bool // failing, and the log said so
	stopping bool
}

func newHealth(logger *slog.Logger) *Health {
	return &Health{logger: logger, checks: map[string]Check{}, reported: map[string]bool{}}
}

// Add names a check; one of the same name is replaced.
func (h *Health) Add(name string, check Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks[name] = check
}

// Stop makes the server not ready for good: load balancers turn away while the
// requests under way are finished.
func (h *Health) Stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopping = true
}

// NotReady returns the names of what is not ready, sorted; none means ready.
func (h *Health) NotReady(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	h.mu.Lock()
	stopping := h.stopping
	checks := make(map[string]Check, len(h.checks))
	for name, check := range h.checks {
		checks[name] = check
	}
	h.mu.Unlock()

	var failing []string
	if stopping {
		failing = append(failing, "stopping")
	}
	for name, err := range runAll(ctx, checks) {
		h.report(ctx, name, err)
		if err != nil {
			failing = append(failing, name)
		}
	}
	slices.Sort(failing)
	return failing
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

func (h *Health) serveReady(w http.ResponseWriter, r *http.Request) {
	failing := h.NotReady(r.Context())
	if len(failing) == 0 {
		h.write(w, http.StatusOK, map[string]any{"ready": true})
		return
	}
	h.write(w, http.StatusServiceUnavailable, map[string]any{"ready": false, "not_ready": failing})
}

func (h *Health) write(w http.ResponseWriter, code int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		h.logger.Debug("health: whoever asked is gone", slog.Any("error", err))
	}
}
