package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/httpd"
)

// drain is how long the side listeners may take to finish.
const drain = 5 * time.Second

// Listen opens the public listener and returns its address, so that a caller
// knows the port before anything is served.
func (a *App) Listen(ctx context.Context) (net.Addr, error) { return a.server.Listen(ctx) }

// Run serves the public endpoints, the operator's socket and the metrics until
// ctx ends, and keeps the rings turning. It returns the first failure.
func (a *App) Run(ctx context.Context) error {
	for _, note := range a.config.Advice() {
		a.log.WarnContext(ctx, "advice", slog.String("key", note.Key), slog.String("text", note.Text))
	}
	group, ctx := errgroup.WithContext(ctx)
	a.runRooms(ctx, group)
	group.Go(func() error { return a.server.Serve(ctx) })
	group.Go(func() error { return a.serveAdmin(ctx) })
	group.Go(func() error { return a.serveMetrics(ctx) })
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// runRooms starts what works by itself beside the requests.
func (a *App) runRooms(ctx context.Context, group *errgroup.Group) {
	group.Go(func() error { return a.keys.Run(ctx) })
	group.Go(func() error { return a.seal.Run(ctx) })
	group.Go(func() error { return a.status.Run(ctx, a.server.Stopping()) })
	group.Go(func() error { return a.outbox.Run(ctx) })
}

// RunRings keeps the rings turning, the stream speaking and the outbox leaving
// without serving: for a test issuer that is called in process.
func (a *App) RunRings(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	a.runRooms(ctx, group)
	return group.Wait()
}

// serveAdmin answers the command line over a socket that only this user can open.
func (a *App) serveAdmin(ctx context.Context) (err error) {
	path := a.config.SocketPath()
	if err := a.claimSocket(ctx, path); err != nil {
		return fault.Wrap(fault.Unavailable, err, "the socket %s can't be replaced", path).On("admin.socket")
	}
	listener, err := listenPrivately(ctx, path)
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the socket %s can't be opened", path).On("admin.socket")
	}
	defer func() { err = errors.Join(err, removeSocket(path)) }()
	return serveUntil(ctx, listener, a.adminAPI)
}

func removeSocket(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// listenPrivately opens a socket that nobody else can connect to at any moment: it
// is made in a folder of its own, closed to others, and moved into place once
// its mode is right. Between bind and chmod the umask would decide.
func listenPrivately(ctx context.Context, path string) (_ net.Listener, err error) {
	hidden, err := os.MkdirTemp(filepath.Dir(path), ".s-") // mode 0700
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(hidden)) }()
	draft := filepath.Join(hidden, "s")
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", draft)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chmod(draft, 0o600), os.Rename(draft, path)); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

func (a *App) serveMetrics(ctx context.Context) error {
	if a.config.Metrics.Address == config.Off {
		return nil
	}
	return httpd.NewSide(a.config.Metrics.Address, "metrics.address (or off)", a.Telemetry.Handler(), a.log).Serve(ctx)
}

// serveUntil serves h on listener until ctx ends.
func serveUntil(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: drain}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		stopped <- server.Shutdown(ctx)
	})
	err := server.Serve(listener)
	if stop() {
		return fmt.Errorf("serving %s: %w", listener.Addr(), err) // it failed by itself
	}
	return <-stopped
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
