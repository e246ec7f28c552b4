package user

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"

	"github.com/signet-id/signet/internal/fault"
)

const (
	maxLoginRunes = 128
	// maxLoginBytes keeps the index key within the store's limit, whatever the script.
	maxLoginBytes = 400
	// loginMarks may stand in a login beside letters and digits. The apostrophe
	// is for the O'Briens whose login is their address.
	loginMarks = "@.+-_'"
)

// NormaliseLogin returns the one form under which a login is kept and looked
// up: the UsernameCaseMapped profile (RFC 8265 §3.3), on either side of an @.
// Normalising twice changes nothing.
func NormaliseLogin(login string) (string, error) {
	if login == "" {
		return "", badLogin("must not be empty")
	}
	if len(login) > maxLoginBytes || utf8.RuneCountInString(login) > maxLoginRunes {
		return "", badLogin("must have at most %d characters", maxLoginRunes)
	}
	if strings.ContainsFunc(login, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "", badLogin("must not contain spaces or control characters")
	}
	// A profile need not be idempotent in one pass; RFC 8265 §3.1 has it applied
	// until nothing changes, and refuses what does not settle.
	for range 4 {
		next, err := casemap(login)
		if err != nil {
			return "", err
		}
		if next == login {
			return login, checkLogin(login)
		}
		login = next
	}
	return "", badLogin("contains characters that cannot stand in a login")
}

// casemap applies the profile to the two sides of an @ apart: the Bidi rule
// looks at a whole string, and would refuse a Hebrew name at a Latin domain.
func casemap(login string) (string, error) {
	parts := strings.Split(login, "@")
	for i, part := range parts {
		mapped, err := precis.UsernameCaseMapped.String(part)
		if err != nil {
			return "", badLogin("contains characters that cannot stand in a login: use letters, digits and %s", loginMarks)
		}
		parts[i] = mapped
	}
	return strings.Join(parts, "@"), nil
}

func checkLogin(login string) error {
	if len(login) > maxLoginBytes || utf8.RuneCountInString(login) > maxLoginRunes {
		return badLogin("must have at most %d characters", maxLoginRunes)
	}
	if strings.Count(login, "@") > 1 || strings.HasSuffix(login, "@") {
		return badLogin("must have no more than one @, and something after it")
	}
	for i, r := range login {
		word := unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r)
		if !word && !strings.ContainsRune(loginMarks, r) {
			return badLogin("must not contain %q: use letters, digits and %s", r, loginMarks)
		}
		// A leading hyphen would read as a flag on a command line.
		if i == 0 && !word && r != '_' {
			return badLogin("must begin with a letter, a digit or _")
		}
	}
	return nil
}

func badLogin(format string, args ...any) error {
	return fault.New(fault.Invalid, "the login "+format, args...).On("login")
}
