package client

import (
	"slices"
	"strings"

	"github.com/signet-id/signet/internal/fault"
)

// The scopes that any client with a user behind it may ask for: OpenID
// Connect's own (Core §5.4, §11), and ours for roles and groups.
const (
	ScopeOpenID  = "openid"
	ScopeOffline = "offline_access"
	ScopeRoles   = "roles"
	ScopeGroups  = "groups"
)

// StandardScopes lists them, in the order in which metadata shows them.
func StandardScopes() []string {
	return []string{ScopeOpenID, "profile", "email", "phone", "address", ScopeRoles, ScopeGroups, ScopeOffline}
}

// Describe says what a scope means to a person: in the deployment's own words
// where it has some, else in ours; "" for a scope that nobody described.
func Describe(scope string, own map[string]string) string {
	if text := own[scope]; text != "" {
		return text
	}
	switch scope {
	case ScopeOpenID:
		return "Know who you are"
	case "profile":
		return "See your name and profile"
	case "email":
		return "See your e-mail address"
	case "phone":
		return "See your phone number"
	case "address":
		return "See your postal address"
	case ScopeRoles:
		return "See your roles"
	case ScopeGroups:
		return "See the groups you belong to"
	case ScopeOffline:
		return "Keep access while you are away, even after you sign out"
	}
	return ""
}

// UserScopes returns those of the requested scopes that the client may have of a
// user. Unknown ones are dropped, not refused: a scope that the issuer does not
// know must not break sign-in (OpenID Connect Core §3.1.2.1).
func (c Client) UserScopes(requested []string) []string {
	granted := make([]string, 0, len(requested))
	for _, s := range requested {
		known := slices.Contains(c.Scopes, s) || (slices.Contains(StandardScopes(), s) && (s != ScopeOffline || c.Refresh == RefreshOffline))
		if known && !slices.Contains(granted, s) {
			granted = append(granted, s)
		}
	}
	return granted
}

// OwnScopes returns the scopes that the client gets for itself: those requested,
// or all that are registered when none was. Here an unknown scope is refused
// (RFC 6749 §5.2): a machine should learn that it will not get what it asked.
func (c Client) OwnScopes(requested []string) ([]string, error) {
	if len(requested) == 0 {
		return c.Scopes, nil
	}
	granted := make([]string, 0, len(requested))
	for _, s := range requested {
		if !slices.Contains(c.Scopes, s) {
			return nil, fault.New(fault.Invalid, "%q is not registered for this client; registered: %s", s, strings.Join(c.Scopes, " ")).On("scope")
		}
		if !slices.Contains(granted, s) {
			granted = append(granted, s)
		}
	}
	return granted, nil
}

// Targets returns the audience of a token that asks for the given resources
// (RFC 8707 §2): these if all are registered, or the client's default. fallback
// stands in for a client that names no service of its own.
func (c Client) Targets(resources []string, fallback string) ([]string, error) {
	if len(resources) == 0 {
		if len(c.Audience) > 0 {
			return c.Audience[:1:1], nil // without room: append must not write into the directory
		}
		return []string{fallback}, nil
	}
	for _, r := range resources {
		if !slices.Contains(c.Audience, r) && r != fallback {
			return nil, fault.New(fault.Invalid, "%q is not an audience of this client", r).On("resource")
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(resources))), nil
}
