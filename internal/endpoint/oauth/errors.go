package oauth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/ory/fosite"

	"github.com/signet-id/signet/internal/fault"
)

// refusal is an OAuth error: a code for the client's machine, a description for
// its developer, and a cause for our log.
type refusal struct {
	code        string
	description string
	cause       error
}

func refuse(code, format string, args ...any) *refusal {
	return &refusal{code: code, description: fmt.Sprintf(format, args...)}
}

func (r *refusal) because(err error) *refusal { r.cause = err; return r }

func (r *refusal) Error() string {
	if r.cause != nil {
		return r.code + ": " + r.description + ": " + r.cause.Error()
	}
	return r.code + ": " + r.description
}

func (r *refusal) Unwrap() error { return r.cause }

// refusalOf is the one place where errors of every language become an OAuth
// error (RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6, RFC 8707 §2).
func refusalOf(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	// fosite's verdict outranks the cause that it wraps, but when it only says that
	// something failed: then the cause may know that trying again helps.
	var rfc *fosite.RFC6749Error
	if errors.As(err, &rfc) && rfc.ErrorField != "server_error" {
		return refusalOfFosite(rfc, err)
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return refusalOfFault(f, err)
	}
	return refuse("server_error", "something went wrong on our side").because(err)
}

func refusalOfFault(f *fault.Error, err error) *refusal {
	code := "server_error"
	switch f.Kind {
	case fault.Invalid:
		code = map[string]string{"scope": "invalid_scope", "resource": "invalid_target"}[f.Field]
		if code == "" {
			code = "invalid_request"
		}
	case fault.NotFound, fault.Consumed:
		code = "invalid_grant"
	case fault.Unauthenticated:
		code = "invalid_client"
	case fault.Denied:
		code = "access_denied"
	case fault.TooMany, fault.Unavailable, fault.Conflict:
		code = "temporarily_unavailable"
	case fault.Internal:
	}
	field, message := fault.Public(err)
	if field != "" {
		message = field + ": " + message
	}
	return refuse(code, "%s", message).because(err)
}

// refusalOfFosite keeps the codes that the RFCs register; fosite's own words
// (request_unauthorized, invalid_state, …) become the nearest of them.
func refusalOfFosite(rfc *fosite.RFC6749Error, err error) *refusal {
	code := rfc.ErrorField
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
		"invalid_scope", "access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable", "login_required",
		"consent_required", "interaction_required", "request_not_supported", "request_uri_not_supported", "registration_not_supported":
	case "not_found", "token_inactive", "token_expired":
		code = "invalid_grant"
	case "unsupported_response_mode", "invalid_state", "insufficient_entropy":
		code = "invalid_request"
	default:
		code = "server_error"
	}
	if code == "server_error" {
		return refuse(code, "something went wrong on our side").because(err)
	}
	return refuse(code, "%s", hintOf(rfc)).because(err)
}

// hintOf is what fosite's error says for developers. It wraps the errors of our
// storage in bare ones of its own, whose description says nothing: the first
// hint on the way down does.
func hintOf(rfc *fosite.RFC6749Error) string {
	for e, more := rfc, true; more; more = errors.As(e.Unwrap(), &e) {
		if e.HintField != "" {
			return e.HintField
		}
	}
	return rfc.DescriptionField
}

// describe is a description as the wire allows it (RFC 6749 §5.2): printable
// ASCII without quote and backslash.
func (r *refusal) describe() string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '"':
			return '\''
		case c == '\\', c < ' ', c > '~':
			return ' '
		default:
			return c
		}
	}, r.description)
}

// status is the HTTP status of a refusal at the token endpoint (RFC 6749 §5.2).
func (r *refusal) status() int {
	switch r.code {
	case "invalid_client":
		return http.StatusUnauthorized
	case "server_error":
		return http.StatusInternalServerError
	case "temporarily_unavailable":
		return http.StatusServiceUnavailable
	default:
		return http.StatusBadRequest
	}
}

// answer writes err as the token endpoint does.
func (h *Handler) answer(c echo.Context, err error) error {
	r := refusalOf(err)
	h.logRefusal(c, r)
	header := c.Response().Header()
	if r.code == "invalid_client" {
		// RFC 6749 §5.2: the answer names the scheme that the client used.
		header.Set("WWW-Authenticate", `Basic realm="`+h.Issuer+`", charset="UTF-8"`)
	}
	if r.code == "temporarily_unavailable" {
		header.Set("Retry-After", "1")
	}
	return c.JSON(r.status(), map[string]string{"error": r.code, "error_description": r.describe()})
}

// logRefusal logs once: what is ours loudly, what is theirs for who looks.
func (h *Handler) logRefusal(c echo.Context, r *refusal) {
	ctx := c.Request().Context()
	if r.status() >= http.StatusInternalServerError {
		h.Log.ErrorContext(ctx, "request failed", slog.String("route", c.Path()), slog.Any("error", r))
		return
	}
	h.Log.InfoContext(ctx, "request refused", slog.String("route", c.Path()), slog.String("code", r.code), slog.Any("reason", r))
}
