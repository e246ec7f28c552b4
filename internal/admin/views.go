package admin

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/keys"
)

// ClientView is what may be seen of a client: its registration in the words of
// RFC 7591, and of its secrets nothing but their dates.
type ClientView struct {
	ID                     string          `json:"client_id"`
	Title                  string          `json:"client_name,omitempty"`
	FirstParty             bool            `json:"first_party"`
	AuthMethod             string          `json:"token_endpoint_auth_method"`
	AuthSigningAlg         string          `json:"token_endpoint_auth_signing_alg,omitempty"`
	JWKS                   json.RawMessage `json:"jwks,omitempty"`
	JWKSURI                string          `json:"jwks_uri,omitempty"`
	RedirectURIs           []string        `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string        `json:"post_logout_redirect_uris,omitempty"`
	BackchannelURI         string          `json:"backchannel_logout_uri,omitempty"`
	BackchannelSession     bool            `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelURI        string          `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelSession    bool            `json:"frontchannel_logout_session_required,omitempty"`
	Grants                 []string        `json:"grant_types"`
	Scope                  string          `json:"scope,omitempty"`
	Audience               []string        `json:"audience,omitempty"`
	Networks               []string        `json:"networks,omitempty"`
	Refresh                client.Refresh  `json:"refresh"`
	IDTokenAlg             string          `json:"id_token_signed_response_alg"`
	UserinfoAlg            string          `json:"userinfo_signed_response_alg,omitempty"` // empty: plain JSON
	Introspects            bool            `json:"introspection"`
	PKCE                   bool            `json:"require_pkce"`
	LogoURI                string          `json:"logo_uri,omitempty"`
	PolicyURI              string          `json:"policy_uri,omitempty"`
	TermsURI               string          `json:"tos_uri,omitempty"`
	Disabled               bool            `json:"disabled"`
	SecretsCreated         []time.Time     `json:"secrets_created,omitempty"`
	Created                time.Time       `json:"created"`
	Updated                time.Time       `json:"updated"`
}

// Public reports whether the client has no way to authenticate.
func (v ClientView) Public() bool { return v.AuthMethod == client.AuthNone }

// HasSecrets reports whether a client of this method has secrets of ours.
func (v ClientView) HasSecrets() bool { return client.Client{AuthMethod: v.AuthMethod}.HasSecrets() }

func viewClient(c client.Client) ClientView {
	v := ClientView{
		ID: c.ID, Title: c.Title, FirstParty: c.FirstParty, AuthMethod: c.AuthMethod,
		AuthSigningAlg: c.AuthSigningAlg, JWKS: slices.Clone(c.JWKS), JWKSURI: c.JWKSURI,
		RedirectURIs: slices.Clone(c.RedirectURIs), PostLogoutRedirectURIs: slices.Clone(c.PostLogoutRedirectURIs),
		BackchannelURI: c.BackchannelLogoutURI, BackchannelSession: c.BackchannelLogoutSession,
		FrontchannelURI: c.FrontchannelLogoutURI, FrontchannelSession: c.FrontchannelLogoutSession,
		Grants: slices.Clone(c.Grants), Scope: strings.Join(c.Scopes, " "), Audience: slices.Clone(c.Audience),
		Networks: slices.Clone(c.Networks), Refresh: c.Refresh, IDTokenAlg: c.IDTokenAlg,
		UserinfoAlg: c.UserinfoAlg, Introspects: c.Introspects, PKCE: c.PKCE,
		LogoURI: c.LogoURI, PolicyURI: c.PolicyURI, TermsURI: c.TermsURI, Disabled: c.Disabled,
		Created: c.Created, Updated: c.Updated,
	}
	for _, s := range c.Secrets {
		v.SecretsCreated = append(v.SecretsCreated, s.Created)
	}
	return v
}

// UserView is what may be seen of a user, in the words of OpenID Connect Core
// §5.1 where it has one.
type UserView struct {
	Subject       string `json:"sub"`
	Login         string `json:"login"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified"`
	Name          string `json:"name,omitempty"`
	GivenName     string `json:"given_name,omitempty"`
	FamilyName    string `json:"family_name,omitempty"`
	user.Profile
	Roles           []string  `json:"roles,omitempty"`
	Groups          []string  `json:"groups,omitempty"`
	Disabled        bool      `json:"disabled"`
	HasPassword     bool      `json:"has_password"`
	PasswordChanged time.Time `json:"password_changed,omitzero"`
	Created         time.Time `json:"created"`
	Updated         time.Time `json:"updated"`
}

func viewUser(u user.User) UserView {
	return UserView{
		Subject: u.Subject, Login: u.Login, Email: u.Email, EmailVerified: u.EmailVerified,
		Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName, Profile: u.Profile,
		Roles: slices.Clone(u.Roles), Groups: slices.Clone(u.Groups),
		Disabled: u.Disabled, HasPassword: u.Password.IsSet(), PasswordChanged: u.PasswordChanged,
		Created: u.Created, Updated: u.Updated,
	}
}

// KeyView is what may be seen of a signing key: everything but the key.
type KeyView struct {
	ID        string         `json:"kid"`
	Algorithm keys.Algorithm `json:"alg"`
	State     keys.State     `json:"state"`
	Created   time.Time      `json:"created"`
	Activates time.Time      `json:"activates,omitzero"`
	Activated time.Time      `json:"activated,omitzero"`
	Retired   time.Time      `json:"retired,omitzero"`
}

func viewKeys(list []keys.Key) []KeyView {
	views := make([]KeyView, 0, len(list))
	for _, k := range list {
		views = append(views, KeyView{
			ID: k.ID, Algorithm: k.Algorithm, State: k.State, Created: k.Created,
			Activates: k.Activates, Activated: k.Activated, Retired: k.Retired,
		})
	}
	return views
}
