package user

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// PasswordHash is a password as we keep it: a PHC string. It prints as
// [redacted] everywhere, because whoever reads it can guess at leisure; only
// Reveal yields it. The zero value means that no password is set.
type PasswordHash struct{ phc string }

// NewPasswordHash wraps a PHC string.
func NewPasswordHash(phc string) PasswordHash { return PasswordHash{phc: phc} }

// Reveal returns the PHC string.
func (p PasswordHash) Reveal() string { return p.phc }

// IsSet reports whether there is a password at all.
func (p PasswordHash) IsSet() bool { return p.phc != "" }

// Equal reports whether both are the same hash (not the same password).
func (p PasswordHash) Equal(other PasswordHash) bool { return p.phc == other.phc }

// Format covers every verb: Stringer alone leaves %d and its like to reflection.
func (PasswordHash) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String is for those who call it themselves.
func (PasswordHash) String() string { return redacted }

// LogValue is for slog.
func (PasswordHash) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText is for every encoder that is not the directory's own.
func (PasswordHash) MarshalText() ([]byte, error) { return []byte(redacted), nil }
