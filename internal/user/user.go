// Package user owns the people who sign in: the record, its rules, and its
// directory over the store.
//
//	user/<sub>      → the record
//	login/<login>   → sub            both change in one Commit, or neither does
//
//	Create ──▶ normalise, validate ──▶ Commit(user if absent, login if absent)
//	Update ──▶ read, change, validate ──▶ Commit(user if unchanged [, login moves])
//
// A user is known to services by Subject alone: opaque, never reused, never the
// login or the e-mail address, which people change (OpenID Connect Core §2).
//
// It never checks a password, never decides who may sign in, and never ends a
// session: whoever changes something that must end authority hands the ending's
// ops to Update or Remove, which commit them together with the change.
package user

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"time"
)

// User is a person who signs in. Login is kept in its normal form.
type User struct {
	Subject       string
	Login         string
	Email         string
	EmailVerified bool
	Name          string
	GivenName     string
	FamilyName    string
	Profile       Profile
	Roles         []string
	Groups        []string
	Disabled      bool
	Password      PasswordHash `json:"-"`

	// The directory sets these.
	Created         time.Time
	Updated         time.Time
	PasswordChanged time.Time

	// Epoch counts how often all that the person had begun was ended: what began
	// in another epoch is worth nothing. TokenEpoch counts how often their access
	// tokens were, while sessions and grants went on.
	Epoch      uint32
	TokenEpoch uint32

	// unknown holds the fields that a newer release wrote, so that an older node
	// that changes the record during an upgrade does not lose them.
	unknown string

	emailStated, phoneStated bool
}

// Profile holds the standard claims (OpenID Connect Core §5.1) that nothing
// but a profile page needs. Its JSON names are the claims' own.
type Profile struct {
	MiddleName          string  `json:"middle_name,omitempty"`
	Nickname            string  `json:"nickname,omitempty"`
	PreferredUsername   string  `json:"preferred_username,omitempty"` // empty: the login
	Page                string  `json:"profile,omitempty"`
	Picture             string  `json:"picture,omitempty"`
	Website             string  `json:"website,omitempty"`
	Gender              string  `json:"gender,omitempty"`
	Birthdate           string  `json:"birthdate,omitempty"`
	Zoneinfo            string  `json:"zoneinfo,omitempty"`
	Locale              string  `json:"locale,omitempty"`
	PhoneNumber         string  `json:"phone_number,omitempty"`
	PhoneNumberVerified bool    `json:"phone_number_verified,omitempty"`
	Address             Address `json:"address,omitzero"`
}

// Address is the address claim (OpenID Connect Core §5.1.1).
type Address struct {
	Formatted     string `json:"formatted,omitempty"`
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}

// SetEmail changes the address and says whether it is verified. An address
// that is assigned to Email directly loses its verification in Update: what was
// proved of the old address says nothing of the new one.
func (u *User) SetEmail(address string, verified bool) {
	u.Email, u.EmailVerified, u.emailStated = address, verified, true
}

// SetPhone is to the phone number what SetEmail is to the e-mail address.
func (u *User) SetPhone(number string, verified bool) {
	u.Profile.PhoneNumber, u.Profile.PhoneNumberVerified, u.phoneStated = number, verified, true
}

// clone shares nothing with u that can be changed in place.
func (u User) clone() User {
	u.Roles, u.Groups = slices.Clone(u.Roles), slices.Clone(u.Groups)
	return u
}

// settleVerification takes away what was verified of another address or number.
func (u *User) settleVerification(before User) {
	if u.Email != before.Email && !u.emailStated {
		u.EmailVerified = false
	}
	if u.Profile.PhoneNumber != before.Profile.PhoneNumber && !u.phoneStated {
		u.Profile.PhoneNumberVerified = false
	}
	u.emailStated, u.phoneStated = false, false
}

// newSubject returns 128 random bits as 22 characters.
func newSubject() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}
