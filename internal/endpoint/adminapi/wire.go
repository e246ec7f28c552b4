package adminapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/fault"
)

// maxBody is far beyond any client's registration.
const maxBody = 256 << 10

func limitBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Request().Body = http.MaxBytesReader(c.Response(), c.Request().Body, maxBody)
		return next(c)
	}
}

func requireJSON(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.ContentLength == 0 {
			return next(c)
		}
		kind, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
		if err != nil || kind != echo.MIMEApplicationJSON {
			return refusal{http.StatusUnsupportedMediaType, fault.New(fault.Invalid, "the body must be application/json")}
		}
		return next(c)
	}
}

// read fills into from the body. What it does not know it refuses: a misspelt
// setting that is silently ignored is a setting that is not in force. No body
// says nothing.
func read(c echo.Context, into any) error {
	if c.Request().ContentLength == 0 {
		return nil
	}
	decoder := json.NewDecoder(c.Request().Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil && decoder.More() {
		return fault.New(fault.Invalid, "something follows the JSON object")
	}
	return unreadable(err)
}

func unreadable(err error) error {
	var cut *http.MaxBytesError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &cut):
		return refusal{http.StatusRequestEntityTooLarge, fault.Wrap(fault.Invalid, err, "the body is larger than %d KiB", maxBody>>10)}
	case errors.As(err, &kind):
		return fault.Wrap(fault.Invalid, err, "must be a %s, not %s", jsonType(kind.Type), kind.Value).On(kind.Field)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Wrap(fault.Invalid, err, "the JSON object ends too early")
	}
	// encoding/json has no type for this one.
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return fault.Wrap(fault.Invalid, err, "there is no member %s", name)
	}
	return fault.Wrap(fault.Invalid, err, "the body is not JSON")
}

// jsonType is what a Go type is called in JSON, as far as it differs.
func jsonType(t reflect.Type) string {
	if t.Kind() == reflect.Slice {
		return "list"
	}
	return t.Kind().String()
}

// named is a path parameter as it was meant: the router leaves the escapes in
// when there are any.
func named(c echo.Context, parameter string) string {
	raw := c.Param(parameter)
	if c.Request().URL.RawPath == "" {
		return raw
	}
	if plain, err := url.PathUnescape(raw); err == nil {
		return plain
	}
	return raw
}

// pageSize is how many things one answer lists: 500 unless the caller says.
func pageSize(c echo.Context) (int, error) {
	text := c.QueryParam("limit")
	if text == "" {
		return 500, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fault.Wrap(fault.Invalid, err, "%q is not a number", text).On("limit")
	}
	return n, nil
}

func answer(c echo.Context, view any, err error) error {
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, view)
}

// refusal is a fault that HTTP has a narrower status for than its kind.
type refusal struct {
	status int
	cause  *fault.Error
}

func (r refusal) Error() string { return r.cause.Error() }
func (r refusal) Unwrap() error { return r.cause }

// fail is the one place where errors become answers.
func fail(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	var routing *echo.HTTPError
	if errors.As(err, &routing) {
		err = refuseRoute(c, routing.Code)
	}
	status := statusOf(fault.KindOf(err))
	var narrow refusal
	if errors.As(err, &narrow) {
		status = narrow.status
	}
	field, message := fault.Public(err)
	if fault.KindOf(err) == fault.Internal {
		message = err.Error() // to the operator, who reads the log as well
	}
	// An error here means that the caller is gone.
	_ = c.JSON(status, map[string]string{"kind": fault.KindOf(err).String(), "field": field, "message": message})
}

func refuseRoute(c echo.Context, code int) error {
	r := c.Request()
	switch code {
	case http.StatusNotFound:
		return fault.New(fault.NotFound, "there is nothing at %s", r.URL.Path)
	case http.StatusMethodNotAllowed:
		return refusal{code, fault.New(fault.Invalid, "%s does not answer %s; it answers %s", r.URL.Path, r.Method, c.Response().Header().Get(echo.HeaderAllow))}
	}
	return fmt.Errorf("routing: %s", http.StatusText(code))
}

// statusOf is the one table from kinds to statuses.
func statusOf(kind fault.Kind) int {
	switch kind {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict, fault.Consumed:
		return http.StatusConflict
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
