package httpd

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/signet-id/signet/internal/fault"
)

// drain is how long requests under way may take once the server stops.
const drain = 10 * time.Second

// front is a listener and the server behind it: taken early, stopped gently.
type front struct {
	address  string
	setting  string // what chooses another address, for the message
	server   *http.Server
	listener net.Listener
	logger   *slog.Logger
	onStop   func() // before the listener closes
	stopping chan struct{}
}

func newFront(address, setting string, h http.Handler, timeout time.Duration, logger *slog.Logger) *front {
	return &front{
		address: address,
		setting: setting,
		logger:  logger,
		onStop:  func() {},
		server: &http.Server{
			Handler:           h,
			MaxHeaderBytes:    maxHeader,
			ReadHeaderTimeout: min(headerTimeout, timeout),
			ReadTimeout:       timeout,
			// It runs from the end of the header: a request that took all its
			// time to arrive still gets its answer. A stream lifts this and the
			// read deadline, which would end its context, for itself
			// (http.ResponseController).
			WriteTimeout: 2 * timeout,
			IdleTimeout:  idleTimeout,
			ErrorLog:     log.New(connectionLog{logger}, "", 0),
		},
		stopping: make(chan struct{}),
	}
}

// connectionLog takes what net/http says about connections. Failed handshakes
// are the noise of the internet, and told to those who debug.
type connectionLog struct{ logger *slog.Logger }

func (l connectionLog) Write(line []byte) (int, error) {
	level := slog.LevelWarn
	if strings.Contains(string(line), "TLS handshake error") {
		level = slog.LevelDebug
	}
	l.logger.Log(context.Background(), level, "connection", slog.String("detail", strings.TrimSpace(string(line))))
	return len(line), nil
}

func (f *front) listen(ctx context.Context) (net.Addr, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", f.address)
	if err != nil {
		return nil, f.explain(err)
	}
	f.listener = l
	return l.Addr(), nil
}

// explain turns the kernel's words into what to do.
func (f *front) explain(err error) error {
	host, port, splitErr := net.SplitHostPort(f.address)
	if splitErr != nil {
		return fault.Wrap(fault.Invalid, err, "%q is not an address with a port; choose another with %s", f.address, f.setting)
	}
	on := ""
	if host != "" {
		on = " on " + host
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fault.Wrap(fault.Conflict, err, "port %s%s is taken by another program; choose another with %s", port, on, f.setting)
	case errors.Is(err, syscall.EACCES):
		return fault.Wrap(fault.Denied, err, "this user may not open port %s%s; choose one above 1023 with %s", port, on, f.setting)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fault.Wrap(fault.Invalid, err, "%s is not an address of this machine; choose another with %s", host, f.setting)
	}
	return fmt.Errorf("listening on %s: %w", f.address, err)
}

// serve answers until ctx ends or the listener breaks.
func (f *front) serve(ctx context.Context) error {
	if f.listener == nil {
		if _, err := f.listen(ctx); err != nil {
			return err
		}
	}
	served := make(chan error, 1)
	go func() {
		if f.server.TLSConfig != nil {
			served <- f.server.ServeTLS(f.listener, "", "")
			return
		}
		served <- f.server.Serve(f.listener)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serving %s: %w", f.address, err)
	case <-ctx.Done():
	}
	f.stop(ctx)
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving %s: %w", f.address, err)
	}
	return nil
}

// stop lets requests under way finish, and cuts those that do not.
func (f *front) stop(ctx context.Context) {
	f.onStop()
	close(f.stopping)
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := f.server.Shutdown(patience); err != nil {
		f.logger.WarnContext(ctx, "stopping: requests were cut", slog.Any("error", err))
		_ = f.server.Close() // it is over either way
	}
}

// Side is a second listener within the operator's own network: plain, without
// middleware, stopped as gently as the first.
type Side struct{ front *front }

// NewSide makes a Side that answers with h; setting names the key or flag that
// chooses its address, for the message when it is taken.
func NewSide(address, setting string, h http.Handler, logger *slog.Logger) *Side {
	const timeout = 30 * time.Second
	return &Side{newFront(address, setting, h, timeout, logger)}
}

// Listen takes the port and returns the address.
func (s *Side) Listen(ctx context.Context) (net.Addr, error) { return s.front.listen(ctx) }

// Serve answers until ctx ends. It can be called once.
func (s *Side) Serve(ctx context.Context) error { return s.front.serve(ctx) }
