package verify

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Reason says why a request was refused. The list is closed, and its names are
// stable: they may be used as metric labels.
type Reason string

// Why a request was refused, in the order in which it is found out.
const (
	NoToken           Reason = "no_token"            // no bearer token was presented
	InvalidRequest    Reason = "invalid_request"     // presented in a way that RFC 6750 forbids
	TooLarge          Reason = "too_large"           // more than 16 KiB
	Malformed         Reason = "malformed"           // not a JWS in compact form with JSON objects inside
	WrongType         Reason = "wrong_type"          // typ is not at+jwt (RFC 9068 §4)
	AlgorithmRefused  Reason = "algorithm_refused"   // alg is not allowed, or not that key's own
	UnknownKey        Reason = "unknown_key"         // the issuer publishes no key of that name
	CriticalHeader    Reason = "critical_header"     // crit names an extension, and none is understood
	BadSignature      Reason = "bad_signature"       // the key did not make this signature
	MissingClaim      Reason = "missing_claim"       // RFC 9068 §2.2 requires Claim
	MalformedClaim    Reason = "malformed_claim"     // Claim has the wrong shape
	WrongIssuer       Reason = "wrong_issuer"        // iss is somebody else
	WrongAudience     Reason = "wrong_audience"      // aud means some other service
	Expired           Reason = "expired"             // exp has passed
	NotYetValid       Reason = "not_yet_valid"       // iat or nbf is still to come
	SenderConstrained Reason = "sender_constrained"  // cnf binds it to a key that was not shown
	Ended             Reason = "ended"               // the status list says that it was ended early
	EndingsStale      Reason = "endings_stale"       // our side: it may have ended, and the route does not take chances
	InsufficientScope Reason = "insufficient_scope"  // the route asks for more
	NotFresh          Reason = "not_fresh"           // the sign-in is too long ago (RFC 9470)
	WeakSignIn        Reason = "weak_authentication" // the sign-in was not of the kind asked for (RFC 9470)
	KeysUnavailable   Reason = "keys_unavailable"    // our side: no keys, or none heard of for too long
)

// Error makes a Reason a target for errors.Is.
func (r Reason) Error() string { return "verify: " + string(r) }

// Error is a refusal. It holds nothing that the caller of the service sent, so
// all of it may be shown, logged and answered.
type Error struct {
	Reason Reason
	Claim  string        // the claim or header member at fault, if one is
	Scopes []string      // the scopes that the route asks for
	MaxAge time.Duration // with NotFresh: how old a sign-in may be
	ACR    []string      // with WeakSignIn: the kinds of sign-in that would do
	cause  error         // with KeysUnavailable and EndingsStale: what went wrong, for the log
	place  string        // realm and resource_metadata, rendered
}

func fail(r Reason) *Error                 { return &Error{Reason: r} }
func failOn(r Reason, claim string) *Error { return &Error{Reason: r, Claim: claim} }

// Error is the reason, the claim at fault and the cause: for logs.
func (e *Error) Error() string {
	text := e.Reason.Error()
	if e.Claim != "" {
		text += " (" + e.Claim + ")"
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap yields the cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, verify.Expired) true for an expired token.
func (e *Error) Is(target error) bool {
	r, ok := target.(Reason)
	return ok && r == e.Reason
}

// Code is the error code on the wire: invalid_request, invalid_token or
// insufficient_scope (RFC 6750 §3.1), insufficient_user_authentication (RFC 9470
// §3), temporarily_unavailable when the fault is on our side, and empty when no
// token was presented: RFC 6750 §3.1 then wants a challenge without an error.
func (e *Error) Code() string { return e.wire().code }

// Status is the HTTP status that goes with the refusal.
func (e *Error) Status() int { return e.wire().status }

// Description is a sentence for the developer on the other side. It is ASCII
// without quotes, as RFC 6750 §3 demands, and holds no byte of the token.
func (e *Error) Description() string {
	text := e.wire().description
	if e.Claim != "" {
		text += ": " + e.Claim
	}
	return text
}

// Challenge is the value of the WWW-Authenticate header, or empty when the
// refusal is our own fault and no other token would help.
func (e *Error) Challenge() string {
	w := e.wire()
	if w.status == http.StatusServiceUnavailable {
		return ""
	}
	var b strings.Builder
	b.WriteString("Bearer ")
	b.WriteString(e.place)
	param := func(name, value string) {
		if b.Len() > len("Bearer ") {
			b.WriteString(", ")
		}
		b.WriteString(name + "=" + quote(value))
	}
	if w.code != "" {
		param("error", w.code)
		param("error_description", e.Description())
	}
	if len(e.Scopes) > 0 && (e.Reason == NoToken || e.Reason == InsufficientScope) {
		param("scope", strings.Join(e.Scopes, " "))
	}
	if e.Reason == NotFresh {
		param("max_age", strconv.FormatInt(int64(e.MaxAge/time.Second), 10))
	}
	if e.Reason == WeakSignIn {
		param("acr_values", strings.Join(e.ACR, " "))
	}
	return b.String()
}

type wire struct {
	status            int
	code, description string
}

// wire is the one place where reasons become HTTP and OAuth words.
func (e *Error) wire() wire {
	invalid := func(description string) wire {
		return wire{http.StatusUnauthorized, "invalid_token", description}
	}
	switch e.Reason {
	case NoToken:
		return wire{http.StatusUnauthorized, "", "a bearer token is required"}
	case InvalidRequest:
		return wire{http.StatusBadRequest, "invalid_request", "one token, in one Authorization header, is required"}
	case TooLarge:
		return invalid("the token is too large")
	case Malformed:
		return invalid("the token is malformed")
	case WrongType:
		return invalid("this is not an access token")
	case AlgorithmRefused:
		return invalid("the signature algorithm is not accepted")
	case UnknownKey:
		return invalid("the signing key is unknown")
	case CriticalHeader:
		return invalid("the token demands an extension that is not understood")
	case BadSignature:
		return invalid("the signature is wrong")
	case MissingClaim:
		return invalid("a required claim is missing")
	case MalformedClaim:
		return invalid("a claim is malformed")
	case WrongIssuer:
		return invalid("the token is from another issuer")
	case WrongAudience:
		return invalid("the token is meant for another service")
	case Expired:
		return invalid("the token has expired")
	case NotYetValid:
		return invalid("the token is not valid yet")
	case SenderConstrained:
		return invalid("the token is bound to a key and cannot be used as a bearer token")
	case Ended:
		return invalid("the token has been revoked")
	case InsufficientScope:
		return wire{http.StatusForbidden, "insufficient_scope", "the token lacks a scope that is required here"}
	case NotFresh:
		return wire{http.StatusUnauthorized, "insufficient_user_authentication", "a more recent sign-in is required"}
	case WeakSignIn:
		return wire{http.StatusUnauthorized, "insufficient_user_authentication", "another kind of sign-in is required"}
	case KeysUnavailable, EndingsStale:
	}
	return wire{http.StatusServiceUnavailable, "temporarily_unavailable", "tokens cannot be checked at the moment"}
}

// quote renders an RFC 9110 §5.6.4 quoted-string. What reaches it is printable
// ASCII: New and Require refuse anything else.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Header is the response header that goes with the refusal: the challenge, or
// when to come back if the fault is ours.
func (e *Error) Header() http.Header {
	h := http.Header{"Cache-Control": {"no-store"}}
	if challenge := e.Challenge(); challenge != "" {
		h.Set("WWW-Authenticate", challenge)
	} else {
		h.Set("Retry-After", "5")
	}
	return h
}

// Body is the response body that goes with the refusal, in the words of RFC
// 6749 §5.2; it marshals to a JSON object.
func (e *Error) Body() map[string]string {
	body := map[string]string{"error_description": e.Description()}
	if code := e.Code(); code != "" {
		body["error"] = code
	}
	return body
}
