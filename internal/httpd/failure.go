package httpd

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/telemetry"
)

// Failure is what a stranger may know of an error.
type Failure struct {
	Status     int
	Code       string // for machines
	Message    string // for people
	RetryAfter time.Duration
}

// statusGone is what the log says when the client left before the answer; the
// number is nginx's, and nobody receives it.
const statusGone = 499

// soon is when to come back to a server whose part is away and does not say for
// how long (RFC 9110 §10.2.3).
const soon = 5 * time.Second

// FailureOf is the one table from errors to last-resort answers. Endpoints with
// a wire language of their own (OAuth, userinfo) have their own tables and never
// come here.
func FailureOf(err error) Failure {
	var status *echo.HTTPError
	switch {
	case tooLarge(err):
		return failure(http.StatusRequestEntityTooLarge)
	case errors.As(err, &status):
		return failure(status.Code) // its text may repeat what was sent
	}
	f := failure(statusOf(fault.KindOf(err)))
	if f.Status < http.StatusInternalServerError || fault.KindOf(err) == fault.Unavailable {
		_, f.Message = fault.Public(err)
	}
	f.RetryAfter = fault.RetryAfter(err)
	if f.Status == http.StatusServiceUnavailable && f.RetryAfter == 0 {
		f.RetryAfter = soon
	}
	return f
}

func tooLarge(err error) bool {
	_, cut := errors.AsType[*http.MaxBytesError](err)
	return cut
}

func statusOf(kind fault.Kind) int {
	switch kind {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Consumed:
		return http.StatusGone
	case fault.Denied:
		return http.StatusForbidden
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.TooMany:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Internal:
	}
	return http.StatusInternalServerError
}

// failure is a status in its own words. The codes are OAuth's where it has one
// (RFC 6749 §4.1.2.1), so that a client library understands the common ones.
func failure(status int) Failure {
	f := Failure{Status: status, Code: "server_error", Message: "something went wrong on our side"}
	switch {
	case status == http.StatusNotFound:
		f.Code, f.Message = "not_found", "there is nothing at this address"
	case status == http.StatusMethodNotAllowed:
		f.Code, f.Message = "method_not_allowed", "this address does not answer this method; see Allow"
	case status == http.StatusRequestEntityTooLarge:
		f.Code, f.Message = "request_too_large", "the request is larger than this server accepts"
	case status == http.StatusTooManyRequests:
		f.Code, f.Message = "too_many_requests", "slow down"
	case status == http.StatusServiceUnavailable:
		f.Code, f.Message = "temporarily_unavailable", "try again in a moment"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		f.Code, f.Message = "access_denied", "access is denied"
	case status < http.StatusInternalServerError:
		f.Code, f.Message = "invalid_request", http.StatusText(status)
	}
	return f
}

// fail answers an error that nobody answered, and logs it once.
func (s *Server) fail(err error, c echo.Context) {
	ctx, w := c.Request().Context(), c.Response()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		w.Status = statusGone
		return
	}
	f := FailureOf(err)
	s.logFailure(ctx, f, err)
	if w.Committed {
		// Half an answer must not look like a whole one.
		panic(http.ErrAbortHandler)
	}
	if f.RetryAfter > 0 {
		seconds := int(math.Ceil(f.RetryAfter.Seconds()))
		w.Header().Set(echo.HeaderRetryAfter, strconv.Itoa(seconds))
	}
	if s.failPage != nil && wantsHTML(c.Request()) {
		s.tryPage(c, err)
	}
	if !w.Committed {
		s.failJSON(c, f)
	}
}

func (s *Server) logFailure(ctx context.Context, f Failure, err error) {
	level := slog.LevelDebug
	if f.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.Int("status", f.Status), slog.String("error", err.Error())}
	var p *panicked
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	s.logger.LogAttrs(ctx, level, "request failed", attrs...)
}

// wantsHTML tells a browser that navigates from everything else.
func wantsHTML(r *http.Request) bool {
	return strings.Contains(r.Header.Get(echo.HeaderAccept), echo.MIMETextHTML)
}

// tryPage lets the page fail too: JSON is still there.
func (s *Server) tryPage(c echo.Context, err error) {
	shown := s.contain(func(c echo.Context) error {
		s.failPage(c, err)
		return nil
	})(c)
	if shown != nil {
		s.logFailure(c.Request().Context(), FailureOf(shown), shown)
	}
}

func (s *Server) failJSON(c echo.Context, f Failure) {
	h := c.Response().Header()
	h.Set(echo.HeaderCacheControl, "no-store")
	h.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
	err := c.JSON(f.Status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		RequestID   string `json:"request_id,omitempty"`
	}{f.Code, f.Message, telemetry.RequestID(c.Request().Context())})
	if err != nil {
		s.logger.DebugContext(c.Request().Context(), "answering: the client is gone", slog.Any("error", err))
	}
}
