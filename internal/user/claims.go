package user

import (
	"slices"
)

// scopeClaims says what each scope asks for (OpenID Connect Core §5.4); roles
// and groups are ours, each claim under a scope of its own name.
func scopeClaims(scope string) []string {
	switch scope {
	case "profile":
		return []string{
			"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile",
			"picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
		}
	case "email":
		return []string{"email", "email_verified"}
	case "address":
		return []string{"address"}
	case "phone":
		return []string{"phone_number", "phone_number_verified"}
	case "roles", "groups":
		return []string{scope}
	default:
		return nil
	}
}

// ClaimScopes lists the scopes that ask for claims about a user.
func ClaimScopes() []string {
	return []string{"profile", "email", "address", "phone", "roles", "groups"}
}

// ClaimNames lists every claim that a user may have, for claims_supported.
func ClaimNames() []string {
	var names []string
	for _, scope := range ClaimScopes() {
		names = append(names, scopeClaims(scope)...)
	}
	slices.Sort(names)
	return names
}

// Claims returns the claims that the scopes ask for and the user has, ready for
// JSON. A claim without a value is left out, never null and never empty
// (OpenID Connect Core §5.3.2); sub is the caller's to add.
func (u User) Claims(scopes ...string) map[string]any {
	claims := make(map[string]any)
	for _, scope := range scopes {
		for _, name := range scopeClaims(scope) {
			if value, ok := u.Claim(name); ok {
				claims[name] = value
			}
		}
	}
	return claims
}

// Claim returns one claim by its name, for a claims parameter that asks for it
// (OpenID Connect Core §5.5), and whether the user has it.
func (u User) Claim(name string) (value any, ok bool) {
	p := u.Profile
	switch name {
	case "updated_at":
		return u.Updated.Unix(), !u.Updated.IsZero()
	case "email_verified":
		return u.EmailVerified, u.Email != ""
	case "phone_number_verified":
		return p.PhoneNumberVerified, p.PhoneNumber != ""
	case "address":
		return p.Address, p.Address != Address{}
	case "roles":
		return u.Roles, len(u.Roles) > 0
	case "groups":
		return u.Groups, len(u.Groups) > 0
	}
	text := u.textClaim(name)
	return text, text != ""
}

func (u User) textClaim(name string) string {
	p := u.Profile
	switch name {
	case "name":
		return u.Name
	case "given_name":
		return u.GivenName
	case "family_name":
		return u.FamilyName
	case "middle_name":
		return p.MiddleName
	case "nickname":
		return p.Nickname
	case "preferred_username":
		if p.PreferredUsername == "" {
			return u.Login
		}
		return p.PreferredUsername
	case "profile":
		return p.Page
	case "picture":
		return p.Picture
	case "website":
		return p.Website
	case "gender":
		return p.Gender
	case "birthdate":
		return p.Birthdate
	case "zoneinfo":
		return p.Zoneinfo
	case "locale":
		return p.Locale
	case "email":
		return u.Email
	case "phone_number":
		return p.PhoneNumber
	default:
		return ""
	}
}

// ScopeOf returns the scope that asks for the claim, for whoever must say in
// words what a single claim means. ok is false for a claim that no user has.
func ScopeOf(claim string) (scope string, ok bool) {
	for _, s := range ClaimScopes() {
		if slices.Contains(scopeClaims(s), claim) {
			return s, true
		}
	}
	return "", false
}
