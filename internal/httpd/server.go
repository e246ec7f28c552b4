// Package httpd owns the road of every request: the listener, TLS, the limits,
// the middleware in its one order, the last-resort answer and the graceful stop.
//
//	listener ─TLS─▶ limits ─▶ middleware (one list) ─▶ route ─▶ endpoint
//	                                │                            │ error
//	                                └──── answer, log, count ◀───┘
//
// It knows no endpoint and no protocol. It never logs a query, a cookie, a body
// or an Authorization header, never shows an error's cause, and applies no
// cross-origin rule to all routes: the token endpoint is called across origins,
// so each endpoint says what it allows.
//
// New needs no network and starts no goroutine; Serve owns the ones it starts
// and returns when they are gone.
package httpd

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/telemetry"
)

// Options are what New needs to know.
type Options struct {
	Address        string // host:port; the port 0 chooses a free one
	TLS            TLS
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	HTTPS          bool           // the issuer is an https URL, whoever terminates TLS
	MaxBody        int64          // bytes; 0 means 64 KiB
	Timeout        time.Duration  // for a request to arrive; 0 means 30 s
	Telemetry      *telemetry.Telemetry

	// Fail shows a browser what went wrong: err has reached nobody who could
	// answer it. It must write a whole response or nothing, and take its words
	// from FailureOf. Clients that do not ask for HTML get JSON instead.
	Fail func(c echo.Context, err error)
}

// TLS names the files of the certificate; both are empty behind a proxy.
type TLS struct{ Certificate, Key string }

// Server is the public face: routes are mounted on Echo, and answered through
// Handler or Serve.
type Server struct {
	front        *front
	echo         *echo.Echo
	certificates *certificates // nil without TLS
	proxies      proxies
	https        bool
	maxBody      int64
	telemetry    *telemetry.Telemetry
	logger       *slog.Logger
	failPage     func(c echo.Context, err error)
}

// The limits that nobody needs to change.
const (
	maxHeader     = 16 << 10 // cookies and a sealed journey in the URL fit well
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
)

// New makes a Server; it reads the certificate's files and fails when they
// cannot be used.
func New(o Options) (*Server, error) {
	if o.MaxBody <= 0 {
		o.MaxBody = 64 << 10
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	s := &Server{
		proxies:   o.TrustedProxies,
		https:     o.HTTPS,
		maxBody:   o.MaxBody,
		telemetry: o.Telemetry,
		logger:    o.Telemetry.Logger(),
		failPage:  o.Fail,
	}
	s.echo = s.newEcho()
	s.front = newFront(o.Address, "--port or http.address", s.echo, o.Timeout, s.logger)
	if o.TLS.Certificate != "" {
		certs, err := loadCertificates(o.TLS, s.logger)
		if err != nil {
			return nil, err
		}
		s.certificates = certs
		s.front.server.TLSConfig = certs.config()
	}
	return s, nil
}

func (s *Server) newEcho() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard) // what is worth saying goes through slog
	e.IPExtractor = s.proxies.client
	e.HTTPErrorHandler = s.fail
	e.Use(paved(s.middleware()))
	// Whatever can be fetched can be asked about (RFC 9110 §9.1 wants GET and
	// HEAD of everybody); net/http leaves the body out.
	e.OnAddRouteHandler = func(_ string, r echo.Route, h echo.HandlerFunc, m []echo.MiddlewareFunc) {
		if r.Method == http.MethodGet {
			e.Add(http.MethodHead, r.Path, h, m...)
		}
	}
	return e
}

// Echo is where endpoints mount their routes, before Serve.
func (s *Server) Echo() *echo.Echo { return s.echo }

// Handler answers requests without a listener.
func (s *Server) Handler() http.Handler { return s.echo }

// Listen takes the port, so that a taken one is known before anything else
// starts, and returns the address.
func (s *Server) Listen(ctx context.Context) (net.Addr, error) { return s.front.listen(ctx) }

// Stopping is closed when Serve begins to stop. Streams end themselves then;
// other requests are finished.
func (s *Server) Stopping() <-chan struct{} { return s.front.stopping }

// Serve answers until ctx ends, then stops: readiness turns false, the listener
// closes, requests under way get 10 s to finish. It listens first if nobody
// called Listen, and can be called once.
func (s *Server) Serve(ctx context.Context) error {
	s.front.onStop = s.telemetry.Health().Stop
	if s.certificates == nil {
		return s.front.serve(ctx)
	}
	following, stop := context.WithCancel(ctx)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		s.certificates.follow(following)
	}()
	defer func() { stop(); <-followed }()
	return s.front.serve(ctx)
}
