package user

import (
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/signet-id/signet/internal/fault"
)

const (
	maxText  = 256  // characters of a name and its like
	maxURL   = 2048 // bytes
	maxEmail = 254  // RFC 5321 §4.5.3.1.3, less the angle brackets
	maxNames = 256  // roles, and groups
)

// settle brings u into its normal form, or says which field is wrong.
func (u *User) settle() error {
	login, err := NormaliseLogin(u.Login)
	if err != nil {
		return err
	}
	u.Login = login
	if !validSubject(u.Subject) {
		return bad("subject", "must be 16 to 255 letters, digits or any of ._~:|-")
	}
	if u.Email == "" {
		u.EmailVerified = false
	} else if parsed, err := mail.ParseAddress(u.Email); err != nil || parsed.Address != u.Email || len(u.Email) > maxEmail {
		return bad("email", "must be one e-mail address, such as alice@example.com")
	}
	for _, t := range []struct{ field, value string }{
		{"name", u.Name}, {"given_name", u.GivenName}, {"family_name", u.FamilyName},
	} {
		if err := checkText(t.field, t.value); err != nil {
			return err
		}
	}
	if u.Roles, err = settleNames("roles", u.Roles); err != nil {
		return err
	}
	if u.Groups, err = settleNames("groups", u.Groups); err != nil {
		return err
	}
	return u.Profile.settle()
}

func (p *Profile) settle() error {
	if p.PhoneNumber == "" {
		p.PhoneNumberVerified = false
	}
	for _, t := range []struct{ field, value string }{
		{"middle_name", p.MiddleName}, {"nickname", p.Nickname},
		{"preferred_username", p.PreferredUsername}, {"gender", p.Gender},
		{"zoneinfo", p.Zoneinfo}, {"phone_number", p.PhoneNumber},
		{"address.locality", p.Address.Locality}, {"address.region", p.Address.Region},
		{"address.postal_code", p.Address.PostalCode}, {"address.country", p.Address.Country},
		// These two may have lines (OpenID Connect Core §5.1.1).
		{"address.formatted", oneLine(p.Address.Formatted)}, {"address.street_address", oneLine(p.Address.StreetAddress)},
	} {
		if err := checkText(t.field, t.value); err != nil {
			return err
		}
	}
	for _, t := range []struct{ field, value string }{
		{"profile", p.Page}, {"picture", p.Picture}, {"website", p.Website},
	} {
		if !webURL(t.value) {
			return bad(t.field, "must be an http or https URL")
		}
	}
	if !birthdate(p.Birthdate) {
		return bad("birthdate", "must be YYYY-MM-DD, 0000-MM-DD or YYYY")
	}
	if p.Locale != "" {
		if _, err := language.Parse(p.Locale); err != nil {
			return bad("locale", "must be a language tag, such as en-GB")
		}
	}
	return nil
}

// validSubject accepts what we make and what other issuers made, so that a
// deployment that moves here keeps its services' references. The length keeps
// the logins that some issuers use as sub out.
func validSubject(sub string) bool {
	return len(sub) >= 16 && len(sub) <= 255 && !strings.ContainsFunc(sub, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._~:|-", r))
	})
}

// settleNames sorts and removes doubles, so that equal sets are equal records.
func settleNames(field string, names []string) ([]string, error) {
	if len(names) > maxNames {
		return nil, bad(field, "must be at most %d", maxNames)
	}
	for _, name := range names {
		if strings.TrimSpace(name) != name || name == "" {
			return nil, bad(field, "must not contain an empty name, nor one with a space at its end")
		}
		if err := checkText(field, name); err != nil {
			return nil, err
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names), nil
}

func checkText(field, s string) error {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return bad(field, "must be text without control characters")
	}
	if utf8.RuneCountInString(s) > maxText {
		return bad(field, "must have at most %d characters", maxText)
	}
	return nil
}

func oneLine(s string) string {
	return strings.NewReplacer("\r\n", " ", "\n", " ").Replace(s)
}

// webURL keeps javascript: and its like away from pages that show a link.
func webURL(s string) bool {
	if s == "" {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxURL && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// birthdate follows OpenID Connect Core §5.1: the year alone, or 0000 for one
// that is not told.
func birthdate(s string) bool {
	switch len(s) {
	case 0:
		return true
	case len("2006"):
		_, err := time.Parse("2006", s)
		return err == nil
	default:
		// 0000 is a leap year to package time, so 0000-02-29 passes.
		_, err := time.Parse(time.DateOnly, s)
		return err == nil
	}
}

func bad(field, format string, args ...any) error {
	return fault.New(fault.Invalid, format, args...).On(field)
}
