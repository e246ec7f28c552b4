package admin

import "github.com/signet-id/signet/internal/user"

// ProfileSettings is what may be said of a user beyond the name: the standard
// claims (OpenID Connect Core §5.1) that nothing but a profile page needs.
type ProfileSettings struct {
	MiddleName          *string          `json:"middle_name,omitempty"`
	Nickname            *string          `json:"nickname,omitempty"`
	PreferredUsername   *string          `json:"preferred_username,omitempty"`
	Page                *string          `json:"profile,omitempty"`
	Picture             *string          `json:"picture,omitempty"`
	Website             *string          `json:"website,omitempty"`
	Gender              *string          `json:"gender,omitempty"`
	Birthdate           *string          `json:"birthdate,omitempty"`
	Zoneinfo            *string          `json:"zoneinfo,omitempty"`
	Locale              *string          `json:"locale,omitempty"`
	PhoneNumber         *string          `json:"phone_number,omitempty"`
	PhoneNumberVerified *bool            `json:"phone_number_verified,omitempty"`
	Address             *AddressSettings `json:"address,omitempty"`
}

// AddressSettings is what may be said of where a user lives (§5.1.1). What is
// nil stays as it is, so that a house number can change alone.
type AddressSettings struct {
	Formatted     *string `json:"formatted,omitempty"`
	StreetAddress *string `json:"street_address,omitempty"`
	Locality      *string `json:"locality,omitempty"`
	Region        *string `json:"region,omitempty"`
	PostalCode    *string `json:"postal_code,omitempty"`
	Country       *string `json:"country,omitempty"`
}

func (s ProfileSettings) apply(u *user.User) error {
	p := &u.Profile
	set(&p.MiddleName, s.MiddleName)
	set(&p.Nickname, s.Nickname)
	set(&p.PreferredUsername, s.PreferredUsername)
	set(&p.Page, s.Page)
	set(&p.Picture, s.Picture)
	set(&p.Website, s.Website)
	set(&p.Gender, s.Gender)
	set(&p.Birthdate, s.Birthdate)
	set(&p.Zoneinfo, s.Zoneinfo)
	set(&p.Locale, s.Locale)
	s.Address.apply(&p.Address)
	return s.applyPhone(u)
}

// applyPhone keeps a verification with the number that it was made of.
func (s ProfileSettings) applyPhone(u *user.User) error {
	switch {
	case s.PhoneNumberVerified == nil:
		set(&u.Profile.PhoneNumber, s.PhoneNumber)
	case s.PhoneNumber != nil:
		u.SetPhone(*s.PhoneNumber, *s.PhoneNumberVerified)
	case u.Profile.PhoneNumber == "" && *s.PhoneNumberVerified:
		return invalid("phone_number_verified", "there is no phone number to be verified")
	default:
		u.SetPhone(u.Profile.PhoneNumber, *s.PhoneNumberVerified)
	}
	return nil
}

func (s *AddressSettings) apply(a *user.Address) {
	if s == nil {
		return
	}
	set(&a.Formatted, s.Formatted)
	set(&a.StreetAddress, s.StreetAddress)
	set(&a.Locality, s.Locality)
	set(&a.Region, s.Region)
	set(&a.PostalCode, s.PostalCode)
	set(&a.Country, s.Country)
}
