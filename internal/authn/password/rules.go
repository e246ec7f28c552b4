package password

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/user"
)

const (
	// NIST SP 800-63B: at least 8 characters, at least 64 must be possible, and
	// no rules of composition, which make passwords worse.
	leastRunes = 8
	mostLength = 256 // bytes: 64 of the widest characters
	// trimmedMost is how many digits and signs at its ends do not make a common
	// word uncommon. Beyond it they are a password of their own.
	trimmedMost = 4
)

// Choose makes the hash of a password that u wants to have from now on, after
// the rules. What the rules refuse is fault.Invalid on "password".
func (h *Hasher) Choose(ctx context.Context, u user.User, pw string) (user.PasswordHash, error) {
	if err := Acceptable(pw, u); err != nil {
		return user.PasswordHash{}, err
	}
	return h.Hash(ctx, pw)
}

// Acceptable says whether u may choose pw, and if not, why.
func Acceptable(pw string, u user.User) error {
	normal, err := normalise(pw)
	if err != nil {
		return err
	}
	if utf8.RuneCountInString(normal) < leastRunes {
		return bad("The password must have at least %d characters.", leastRunes)
	}
	folded := strings.ToLower(normal)
	core := strings.TrimFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) })
	if len(core) < len(folded)-trimmedMost {
		core = folded
	}
	switch {
	case isCommon(folded) || isCommon(core):
		return bad("This password is one of those that are tried first. Please choose another.")
	case monotonous(folded):
		return bad("The password must not be a simple sequence or repetition.")
	case isOwn(folded, u) || isOwn(core, u):
		return bad("The password must not be the login, the e-mail address or the name.")
	}
	return nil
}

// normalise returns the form that is hashed: OpaqueString (RFC 8265 §4.2), so
// that a password typed on another keyboard is the same bytes.
func normalise(pw string) (string, error) {
	if pw == "" {
		return "", bad("The password must not be empty.")
	}
	if len(pw) > mostLength {
		return "", bad("The password must have at most %d bytes.", mostLength)
	}
	normal, err := precis.OpaqueString.String(pw)
	if err != nil {
		// The profile's error quotes nothing, but what it says of a password is
		// nobody's business either.
		return "", bad("The password must not contain control characters.")
	}
	return normal, nil
}

func isCommon(word string) bool {
	for known := range strings.FieldsSeq(common) {
		if word == known {
			return true
		}
	}
	return false
}

// monotonous reports whether each character follows from the one before in the
// same way (aaaaaaaa, 12345678, hgfedcba), or whether there are hardly any.
func monotonous(s string) bool {
	runes := []rune(s)
	distinct := make(map[rune]bool)
	steady := true
	for i, r := range runes {
		distinct[r] = true
		if i > 1 && r-runes[i-1] != runes[1]-runes[0] {
			steady = false
		}
	}
	return steady || len(distinct) < 4
}

// isOwn reports whether word is what everybody knows of u.
func isOwn(word string, u user.User) bool {
	local, _, _ := strings.Cut(u.Email, "@")
	name, _, _ := strings.Cut(u.Login, "@")
	for _, known := range []string{
		u.Login, name, u.Email, local, u.Name, u.GivenName, u.FamilyName,
		u.GivenName + u.FamilyName, u.FamilyName + u.GivenName, u.Profile.Nickname,
	} {
		known = strings.ToLower(known)
		if known != "" && (word == known || strings.ReplaceAll(word, " ", "") == strings.ReplaceAll(known, " ", "")) {
			return true
		}
	}
	return false
}

func bad(format string, args ...any) error {
	return fault.New(fault.Invalid, format, args...).On("password")
}
