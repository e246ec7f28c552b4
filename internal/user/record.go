package user

import (
	"fmt"
	"strings"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/record"
	"github.com/signet-id/signet/internal/store"
)

// layout rises only when an older release would misread the newer record; a new
// field alone is no reason.
const layout = 1

// The fields of the record, the subject aside, which is in the key. A number is
// never used again for something else. What every token asks for has the numbers
// that take one byte.
const (
	fieldEpoch           record.Number = 2
	fieldTokenEpoch      record.Number = 3
	fieldDisabled        record.Number = 4
	fieldPasswordChanged record.Number = 5
	fieldRoles           record.Number = 6
	fieldGroups          record.Number = 7
	fieldPassword        record.Number = 8
	fieldCreated         record.Number = 9
	fieldUpdated         record.Number = 10
	fieldEmailVerified   record.Number = 11
	fieldPhoneVerified   record.Number = 12

	// From here on all are texts, whose places text knows.
	fieldLogin         record.Number = 16
	fieldEmail         record.Number = 17
	fieldName          record.Number = 18
	fieldGivenName     record.Number = 19
	fieldFamilyName    record.Number = 20
	fieldMiddleName    record.Number = 21
	fieldNickname      record.Number = 22
	fieldPreferred     record.Number = 23
	fieldPage          record.Number = 24
	fieldPicture       record.Number = 25
	fieldWebsite       record.Number = 26
	fieldGender        record.Number = 27
	fieldBirthdate     record.Number = 28
	fieldZoneinfo      record.Number = 29
	fieldLocale        record.Number = 30
	fieldPhone         record.Number = 31
	fieldFormatted     record.Number = 32
	fieldStreetAddress record.Number = 33
	fieldLocality      record.Number = 34
	fieldRegion        record.Number = 35
	fieldPostalCode    record.Number = 36
	fieldCountry       record.Number = 37
)

// usualSize is what the record takes, with a name, an address and a password.
const usualSize = 384

// Key is where the user's record lies, for a Get that also reads other rooms'.
func Key(sub string) string { return prefix + sub }

// Decode reads what a Get of Key returned. An absent record is fault.NotFound.
func Decode(r store.Record) (User, error) {
	if !r.Exists() {
		return User{}, fault.New(fault.NotFound, "there is no such user")
	}
	sub, ok := strings.CutPrefix(r.Key, prefix)
	if !ok {
		return User{}, fmt.Errorf("reading the record %q: not a user's key", r.Key)
	}
	u := User{Subject: sub}
	if err := u.decode(r.Value); err != nil {
		return User{}, fmt.Errorf("reading the record %q: %w", r.Key, err)
	}
	return u, nil
}

// Replace is the op that writes u over the version that was read: for callers
// that change a password hash in a Commit of their own. It does not settle u
// and must not change Subject or Login; for all else there is Update.
func Replace(u User, read store.Version) (store.Op, error) {
	if !validSubject(u.Subject) {
		return store.Op{}, fmt.Errorf("writing user %q: no user has this subject", u.Subject)
	}
	return store.Put(Key(u.Subject), u.encode()).If(read), nil
}

func (u *User) encode() []byte {
	w := record.Write(layout, usualSize)
	w.Number(fieldEpoch, uint64(u.Epoch))
	w.Number(fieldTokenEpoch, uint64(u.TokenEpoch))
	w.Flag(fieldDisabled, u.Disabled)
	w.Time(fieldPasswordChanged, u.PasswordChanged)
	w.Texts(fieldRoles, u.Roles)
	w.Texts(fieldGroups, u.Groups)
	w.Text(fieldPassword, u.Password.Reveal())
	w.Time(fieldCreated, u.Created)
	w.Time(fieldUpdated, u.Updated)
	w.Flag(fieldEmailVerified, u.EmailVerified)
	w.Flag(fieldPhoneVerified, u.Profile.PhoneNumberVerified)
	for n := fieldLogin; n <= fieldCountry; n++ {
		w.Text(n, *u.text(n))
	}
	w.Keep(u.unknown)
	return w.Value()
}

func (u *User) decode(value []byte) error {
	r := record.Read(value, layout)
	for r.Next() {
		switch r.Field() {
		case fieldEpoch:
			u.Epoch = r.Uint32()
		case fieldTokenEpoch:
			u.TokenEpoch = r.Uint32()
		case fieldDisabled:
			u.Disabled = r.Flag()
		case fieldPasswordChanged:
			u.PasswordChanged = r.Time()
		case fieldRoles:
			u.Roles = r.Texts(u.Roles)
		case fieldGroups:
			u.Groups = r.Texts(u.Groups)
		case fieldPassword:
			u.Password = NewPasswordHash(r.Text())
		case fieldCreated:
			u.Created = r.Time()
		case fieldUpdated:
			u.Updated = r.Time()
		case fieldEmailVerified:
			u.EmailVerified = r.Flag()
		case fieldPhoneVerified:
			u.Profile.PhoneNumberVerified = r.Flag()
		default:
			if place := u.text(r.Field()); place != nil {
				*place = r.Text()
			} else {
				r.Keep()
			}
		}
	}
	u.unknown = r.Unknown()
	return r.Err()
}

// text is where the field's text is kept, nil for a field that is not a text of
// ours. Reading and writing both ask here, so that neither can forget one.
func (u *User) text(n record.Number) *string {
	switch n {
	case fieldLogin:
		return &u.Login
	case fieldEmail:
		return &u.Email
	case fieldName:
		return &u.Name
	case fieldGivenName:
		return &u.GivenName
	case fieldFamilyName:
		return &u.FamilyName
	case fieldMiddleName:
		return &u.Profile.MiddleName
	case fieldNickname:
		return &u.Profile.Nickname
	case fieldPreferred:
		return &u.Profile.PreferredUsername
	case fieldPage:
		return &u.Profile.Page
	case fieldPicture:
		return &u.Profile.Picture
	case fieldWebsite:
		return &u.Profile.Website
	case fieldGender:
		return &u.Profile.Gender
	case fieldBirthdate:
		return &u.Profile.Birthdate
	case fieldZoneinfo:
		return &u.Profile.Zoneinfo
	case fieldLocale:
		return &u.Profile.Locale
	case fieldPhone:
		return &u.Profile.PhoneNumber
	case fieldFormatted:
		return &u.Profile.Address.Formatted
	case fieldStreetAddress:
		return &u.Profile.Address.StreetAddress
	case fieldLocality:
		return &u.Profile.Address.Locality
	case fieldRegion:
		return &u.Profile.Address.Region
	case fieldPostalCode:
		return &u.Profile.Address.PostalCode
	case fieldCountry:
		return &u.Profile.Address.Country
	default:
		return nil
	}
}
