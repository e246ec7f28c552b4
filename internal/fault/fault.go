// Package fault owns the one error type that crosses rooms: a kind for
// machines, a message for people, a cause for the log.
//
//	a rule fails ──New/Wrap──▶ *fault.Error ──%w──▶ … ──KindOf──▶ one table per
//	endpoint family turns kinds into its wire language
//
// It never formats a response and never logs: whoever handles the error does
// that, once. What a stranger may read is Message alone; the cause stays inside.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of thing went wrong, so that code can decide what to do.
type Kind int

// The closed list of kinds. Internal is the zero value on purpose: an error
// that nobody classified is ours, and is shown to nobody.
const (
	Internal        Kind = iota
	Invalid              // the caller sent something malformed or not allowed
	NotFound             // the thing named does not exist, or has ended
	Conflict             // it exists already, or somebody changed it meanwhile
	Consumed             // single use, and used already
	Denied               // understood, and refused
	Unauthenticated      // the caller did not prove who they are
	TooMany              // slow down; RetryAfter says how long
	Unavailable          // a part we need is away; try again
)

var kindNames = [...]string{
	"internal", "invalid", "not_found", "conflict", "consumed",
	"denied", "unauthenticated", "too_many", "unavailable",
}

// String is the kind's stable name, as it appears in logs and in JSON.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return kindNames[Internal]
	}
	return kindNames[k]
}

// ParseKind is the inverse of String; an unknown name is Internal.
func ParseKind(name string) Kind {
	for i, n := range kindNames {
		if n == name {
			return Kind(i)
		}
	}
	return Internal
}

// Error is a failure with a kind. Message must be fit for the person who caused
// it: it names the field, what was wrong and what to do, and holds no secret.
type Error struct {
	Kind       Kind
	Field      string        // the parameter, flag or key at fault, if one is
	Message    string        // for people
	RetryAfter time.Duration // with TooMany and Unavailable: when to come back
	Cause      error         // for the log only
}

// New makes an error of the given kind without a cause.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Wrap classifies cause and says what people may know of it.
func Wrap(kind Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// On names the field at fault. It returns e so that it can end a return line.
func (e *Error) On(field string) *Error {
	e.Field = field
	return e
}

// Error is the full text, cause included: for logs, never for strangers.
func (e *Error) Error() string {
	text := e.Message
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap yields the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf returns the kind of the first Error in err's chain, else Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Public returns what a stranger may read of err: the field and message of the
// first Error in the chain, or a bare apology when the failure is ours.
func Public(err error) (field, message string) {
	var e *Error
	if errors.As(err, &e) && e.Kind != Internal {
		return e.Field, e.Message
	}
	return "", "something went wrong on our side"
}

// RetryAfter returns how long the caller should wait, or 0.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}
