package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/admin"
)

// userFlags is what is said of a user; add and set share them.
type userFlags struct {
	login, email, name, given, family string
	verified                          bool
	roles, groups                     []string
	profile                           profileFlags
}

// profileFlags are the standard claims beyond the name.
type profileFlags struct {
	middle, nickname, username, page, picture, website         string
	gender, birthdate, zoneinfo, locale, phone                 string
	phoneVerified                                              bool
	street, locality, region, postalCode, country, allTogether string
}

func (f *userFlags) add(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVar(&f.email, "email", "", "the e-mail address")
	set.BoolVar(&f.verified, "email-verified", false, "the address is known to be theirs")
	set.StringVar(&f.name, "name", "", "the full name, as people write it")
	set.StringVar(&f.given, "given-name", "", "the given name")
	set.StringVar(&f.family, "family-name", "", "the family name")
	set.StringArrayVar(&f.roles, "role", nil, "a role that services see; may be repeated")
	set.StringArrayVar(&f.groups, "group", nil, "a group that services see; may be repeated")
	f.profile.add(cmd)
}

func (f *profileFlags) add(cmd *cobra.Command) {
	for _, flag := range []struct {
		value       *string
		name, usage string
	}{
		{&f.middle, "middle-name", "the middle name"},
		{&f.nickname, "nickname", "what they are called"},
		{&f.username, "preferred-username", "what services may show as their user name; without one, the login"},
		{&f.page, "profile", "the URL of their profile page"},
		{&f.picture, "picture", "the URL of their picture"},
		{&f.website, "website", "the URL of their website"},
		{&f.gender, "gender", "the gender, in their own word"},
		{&f.birthdate, "birthdate", "YYYY-MM-DD, YYYY, or 0000-MM-DD without the year"},
		{&f.zoneinfo, "zoneinfo", "the time zone, such as Europe/Paris"},
		{&f.locale, "locale", "the language, such as en-GB"},
		{&f.phone, "phone", "the phone number, best as +1 555 0100"},
		{&f.street, "address-street", "street and number"},
		{&f.locality, "address-locality", "city or village"},
		{&f.region, "address-region", "state, province or region"},
		{&f.postalCode, "address-postal-code", "the postal code"},
		{&f.country, "address-country", "the country"},
		{&f.allTogether, "address-formatted", "the address as it stands on an envelope"},
	} {
		cmd.Flags().StringVar(flag.value, flag.name, "", flag.usage)
	}
	cmd.Flags().BoolVar(&f.phoneVerified, "phone-verified", false, "the number is known to be theirs")
}

// settings are what was said on the command line, and nothing else.
func (f *userFlags) settings(cmd *cobra.Command) admin.UserSettings {
	return admin.UserSettings{
		Login:           said(cmd, "login", f.login),
		Email:           said(cmd, "email", f.email),
		EmailVerified:   said(cmd, "email-verified", f.verified),
		Name:            said(cmd, "name", f.name),
		GivenName:       said(cmd, "given-name", f.given),
		FamilyName:      said(cmd, "family-name", f.family),
		Roles:           saidList(cmd, "role", f.roles),
		Groups:          saidList(cmd, "group", f.groups),
		ProfileSettings: f.profile.settings(cmd),
	}
}

func (f *profileFlags) settings(cmd *cobra.Command) admin.ProfileSettings {
	s := admin.ProfileSettings{
		MiddleName:          said(cmd, "middle-name", f.middle),
		Nickname:            said(cmd, "nickname", f.nickname),
		PreferredUsername:   said(cmd, "preferred-username", f.username),
		Page:                said(cmd, "profile", f.page),
		Picture:             said(cmd, "picture", f.picture),
		Website:             said(cmd, "website", f.website),
		Gender:              said(cmd, "gender", f.gender),
		Birthdate:           said(cmd, "birthdate", f.birthdate),
		Zoneinfo:            said(cmd, "zoneinfo", f.zoneinfo),
		Locale:              said(cmd, "locale", f.locale),
		PhoneNumber:         said(cmd, "phone", f.phone),
		PhoneNumberVerified: said(cmd, "phone-verified", f.phoneVerified),
	}
	address := admin.AddressSettings{
		Formatted:     said(cmd, "address-formatted", f.allTogether),
		StreetAddress: said(cmd, "address-street", f.street),
		Locality:      said(cmd, "address-locality", f.locality),
		Region:        said(cmd, "address-region", f.region),
		PostalCode:    said(cmd, "address-postal-code", f.postalCode),
		Country:       said(cmd, "address-country", f.country),
	}
	if address != (admin.AddressSettings{}) {
		s.Address = &address
	}
	return s
}

func profileFacts(w *page, u admin.UserView) {
	w.fact("middle name", u.MiddleName)
	w.fact("nickname", u.Nickname)
	w.fact("user name", u.PreferredUsername)
	w.fact("profile", u.Page)
	w.fact("picture", u.Picture)
	w.fact("website", u.Website)
	w.fact("gender", u.Gender)
	w.fact("birthdate", u.Birthdate)
	w.fact("time zone", u.Zoneinfo)
	w.fact("language", u.Locale)
	if u.PhoneNumber != "" {
		w.fact("phone", u.PhoneNumber)
		w.fact("phone verified", yesNo(u.PhoneNumberVerified))
	}
	w.fact("street", oneLine(u.Address.StreetAddress))
	w.fact("locality", u.Address.Locality)
	w.fact("region", u.Address.Region)
	w.fact("postal code", u.Address.PostalCode)
	w.fact("country", u.Address.Country)
	w.fact("address", oneLine(u.Address.Formatted))
}

// oneLine keeps an address, which may have lines, in its row of the table.
func oneLine(s string) string { return strings.Join(strings.FieldsFunc(s, isBreak), ", ") }

func isBreak(r rune) bool { return r == '\n' || r == '\r' }
