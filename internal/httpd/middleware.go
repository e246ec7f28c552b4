package httpd

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/telemetry"
)

// middleware is the road to every route, outermost first.
func (s *Server) middleware() []echo.MiddlewareFunc {
	return []echo.MiddlewareFunc{
		s.distrust, // first: what a stranger claims about the road here is gone before anybody reads it
		s.identify, // then every line of the log, and the answer, carries the request's id
		s.observe,  // outside of contain, so that a panic is logged and counted as the 500 it became
		s.contain,  // a panic is one failed request, not a closed connection
		s.protect,  // before any handler, which may add to the headers but not forget them
		s.limit,    // last: the body is read by the handler, and never more of it than this
	}
}

// paved joins the list once. Echo would join it for each request anew, since a
// middleware might be added at any time: six closures that say the same. It has
// found the route by then, so the end of the road is whatever it found.
func paved(list []echo.MiddlewareFunc) echo.MiddlewareFunc {
	road := func(c echo.Context) error { return c.Handler()(c) }
	for _, step := range slices.Backward(list) {
		road = step(road)
	}
	return func(echo.HandlerFunc) echo.HandlerFunc { return road }
}

// distrust removes forwarding headers that no trusted proxy wrote, whatever part
// of the house or of Echo may look at them later.
func (s *Server) distrust(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if r := c.Request(); !s.proxies.wrote(r) {
			for name := range r.Header { // a request has fewer headers than there are names to ask for
				if tellsOfTheRoad(name) {
					delete(r.Header, name)
				}
			}
		}
		return next(c)
	}
}

// tellsOfTheRoad knows the forwarding headers, in net/http's spelling, which all
// names of a request have.
func tellsOfTheRoad(name string) bool {
	switch name {
	case "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto",
		"X-Forwarded-Protocol", "X-Forwarded-Ssl", "X-Forwarded-Prefix", "X-Real-Ip", "X-Url-Scheme", echo.HeaderXRequestID:
		return true
	}
	return false
}

// identify names the request. Only a trusted proxy may choose the name (distrust
// removed the others'), and only one that cannot forge lines of a log.
func (s *Server) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		id := r.Header.Get(echo.HeaderXRequestID)
		if !plainID(id) {
			id = rand.Text()
		}
		c.Response().Header()[echo.HeaderXRequestID] = []string{id}
		c.SetRequest(r.WithContext(telemetry.WithRequestID(r.Context(), id)))
		return next(c)
	}
}

// plainID knows a request id that cannot forge lines of a log.
func plainID(id string) bool {
	if len(id) < 8 || len(id) > 64 {
		return false
	}
	for _, b := range []byte(id) {
		plain := 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '.' || b == '_' || b == '-'
		if !plain {
			return false
		}
	}
	return true
}

// observe answers errors, because only then the status is known, and writes the
// access log: the route's pattern, never the path (it may hold a token), never
// query, cookies, body or headers.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		began := time.Now()
		defer func() { s.record(c, time.Since(began)) }()
		if err := next(c); err != nil {
			s.fail(err, c)
		}
		return nil
	}
}

// record counts the request and writes its line. Where no line is wanted, none
// is prepared: to say who asked means to read what proxies wrote.
func (s *Server) record(c echo.Context, took time.Duration) {
	r, w := c.Request(), c.Response()
	s.telemetry.Request(c.Path(), r.Method, w.Status, took)
	if !s.logger.Enabled(r.Context(), slog.LevelInfo) {
		return
	}
	s.logger.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("method", r.Method),
		slog.String("route", c.Path()),
		slog.Int("status", w.Status),
		slog.Int64("bytes", w.Size),
		slog.Duration("took", took),
		slog.String("client", c.RealIP()),
	)
}

// panicked is a panic as an error: what was thrown, and where.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// contain turns a panic into an error. http.ErrAbortHandler is a request to cut
// the connection, and goes on to net/http.
func (s *Server) contain(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch value := recover(); value {
			case nil:
			case http.ErrAbortHandler:
				panic(value)
			default:
				err = &panicked{value, debug.Stack()}
			}
		}()
		return next(c)
	}
}

// protect sets the headers that suit every answer. HSTS goes out only where the
// issuer is https: a browser would otherwise lock itself out of localhost. It
// leaves subdomains alone, which are not ours to decide for.
//
// All answers share the values: whoever sets or adds to a header makes a slice
// of its own, since these have no room left.
func (s *Server) protect(next echo.HandlerFunc) echo.HandlerFunc {
	nosniff, noReferrer, year := []string{"nosniff"}, []string{"no-referrer"}, []string{"max-age=31536000"}
	return func(c echo.Context) error {
		h := c.Response().Header()
		h["X-Content-Type-Options"] = nosniff
		h["Referrer-Policy"] = noReferrer // URLs here carry codes and journeys
		if s.https {
			h["Strict-Transport-Security"] = year
		}
		return next(c)
	}
}

// limit refuses a body that says it is too large, and cuts off one that turns
// out to be: reading it then fails with *http.MaxBytesError, which FailureOf
// knows as 413.
func (s *Server) limit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.ContentLength > s.maxBody {
			return &http.MaxBytesError{Limit: s.maxBody}
		}
		if r.Body == nil || r.Body == http.NoBody {
			return next(c)
		}
		body := &limited{ReadCloser: http.MaxBytesReader(c.Response().Writer, r.Body, s.maxBody)}
		r.Body = body
		err := next(c)
		// A handler that reads a form may report the cut as a malformed
		// request, or not at all; the true reason wins while it can.
		if body.cut != nil && !c.Response().Committed {
			return body.cut
		}
		return err
	}
}

// limited remembers that the body was cut.
type limited struct {
	io.ReadCloser
	cut error
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if tooLarge(err) {
		l.cut = err
	}
	return n, err
}
