// Package secret owns the one type in which a secret travels through the house:
// a value that cannot print itself.
//
//	environment, form, generator ──New──▶ Value ──Reveal──▶ the one place that needs it
//	                                       │
//	                                       └─ fmt, slog, JSON, YAML: [redacted]
//
// It never stores, generates or encrypts anything. Searching for Reveal finds
// every place where a secret becomes plain text again.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
)

const redacted = "[redacted]"

// Value is a secret. The zero Value is the absent secret.
//
// The text sits behind a pointer because fmt calls no methods on the unexported
// fields of a struct, and none at all for verbs such as %d: where the methods
// below are not asked, an address is printed.
type Value struct{ text *string }

// New makes a Value of text; an empty text is the absent secret.
func New(text string) Value {
	if text == "" {
		return Value{}
	}
	return Value{text: &text}
}

// Reveal yields the plain text, or "" when there is none.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// Absent reports whether there is no secret.
func (v Value) Absent() bool { return v.text == nil }

// Digest is what may be stored of a secret of high entropy: it is found by its
// digest and cannot be read back from it.
func (v Value) Digest() [sha256.Size]byte { return sha256.Sum256([]byte(v.Reveal())) }

// Equal compares in a time that depends on neither text nor length, by way of
// digests. An absent secret equals nothing, another absent one included: a
// missing secret must never match a missing answer.
func (v Value) Equal(other Value) bool {
	a, b := v.Digest(), other.Digest()
	same := subtle.ConstantTimeCompare(a[:], b[:]) == 1
	return same && !v.Absent() && !other.Absent()
}

// String hides the secret from whoever joins strings.
func (Value) String() string { return redacted }

// GoString hides the secret from %#v.
func (Value) GoString() string { return redacted }

// LogValue hides the secret from slog.
func (Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret from JSON, YAML and XML.
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
