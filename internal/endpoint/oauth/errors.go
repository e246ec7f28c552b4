package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ory/fosite"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/refusal"
)

// refused is an OAuth error: a reason, a description for the client's developer,
// and a cause for our log.
type refused struct {
	reason      refusal.Reason
	description string
	cause       error
}

func refuse(reason refusal.Reason, format string, args ...any) *refused {
	return &refused{reason: reason, description: fmt.Sprintf(format, args...)}
}

// code is the error code that the client's machine reads.
func (r *refused) code() string { return r.reason.Code() }

func (r *refused) because(err error) *refused { r.cause = err; return r }

func (r *refused) Error() string {
	if r.cause != nil {
		return string(r.reason) + ": " + r.description + ": " + r.cause.Error()
	}
	return string(r.reason) + ": " + r.description
}

func (r *refused) Unwrap() error { return r.cause }

// refusalOf is the one place where errors of every language become an OAuth
// error (RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6, RFC 8707 §2).
func refusalOf(err error) *refused {
	var r *refused
	if errors.As(err, &r) {
		return r
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return refusalOfFault(f, err)
	}
	var rfc *fosite.RFC6749Error
	if errors.As(err, &rfc) {
		return refusalOfFosite(rfc, err)
	}
	return refuse(refusal.ServerError, "something went wrong on our side").because(err)
}

func refusalOfFault(f *fault.Error, err error) *refused {
	reason := refusal.ServerError
	switch f.Kind {
	case fault.Invalid:
		reason = refusal.RequestInvalid
		switch f.Field {
		case "scope":
			reason = refusal.ScopeInvalid
		case "resource":
			reason = refusal.AudienceForeign
		}
	case fault.NotFound, fault.Consumed:
		reason = refusal.GrantInvalid
	case fault.Unauthenticated:
		reason = refusal.ClientAuthentication
	case fault.Denied:
		reason = refusal.PersonDeclined
	case fault.TooMany, fault.Unavailable, fault.Conflict:
		reason = refusal.TryAgain
	case fault.Internal:
	}
	field, message := fault.Public(err)
	if field != "" {
		message = field + ": " + message
	}
	return refuse(reason, "%s", message).because(err)
}

// refusalOfFosite finds the reason for what fosite says of an authorization
// request, of which some is registered by no RFC (invalid_state, …).
func refusalOfFosite(rfc *fosite.RFC6749Error, err error) *refused {
	reason, known := map[string]refusal.Reason{
		"invalid_request": refusal.RequestInvalid, "invalid_state": refusal.RequestInvalid,
		"unsupported_response_mode": refusal.RequestInvalid, "invalid_scope": refusal.ScopeInvalid,
		"unsupported_response_type": refusal.ResponseTypeUnsupported,
	}[rfc.ErrorField]
	if !known {
		return refuse(refusal.ServerError, "something went wrong on our side").because(err)
	}
	text := rfc.HintField
	if text == "" {
		text = rfc.DescriptionField
	}
	return refuse(reason, "%s", text).because(err)
}

// describe is a description as the wire allows it (RFC 6749 §5.2): printable
// ASCII without quote and backslash.
func (r *refused) describe() string {
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
func (r *refused) status() int {
	switch r.code() {
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
