// Package client owns the registered applications: the record, its rules, and a
// directory that answers from memory.
//
//	operator ──Create/Update──▶ store ──Watch──▶ Directory ──Find──▶ endpoints
//
// Find never asks the store: a token request of a known client costs no read.
// The package never sees a request and never authenticates a person.
package client

import (
	"encoding/json"
	"net/netip"
	"slices"
	"time"
)

// The grant types (RFC 6749 §1.3) and authentication methods (OpenID Connect
// Core §9) that a client can be registered for.
const (
	GrantCode        = "authorization_code"
	GrantRefresh     = "refresh_token"
	GrantCredentials = "client_credentials"

	AuthBasic     = "client_secret_basic"
	AuthPost      = "client_secret_post"
	AuthSecretJWT = "client_secret_jwt"
	AuthKeyJWT    = "private_key_jwt"
	AuthNone      = "none"
)

// Refresh says how long the refresh tokens of a client live.
type Refresh string

// With RefreshSession a grant ends with the browser session in which it began;
// RefreshOffline lets the client ask for offline_access and survive it.
const (
	RefreshSession Refresh = "session"
	RefreshOffline Refresh = "offline"
	RefreshNone    Refresh = "none"
)

// Client is a registered application (RFC 7591 §2 where the words agree).
type Client struct {
	ID    string `json:"client_id"`
	Title string `json:"client_name,omitempty"` // what people read; the ID when empty

	// FirstParty clients belong to the deployment's owner: consent is never asked.
	FirstParty bool `json:"first_party,omitempty"`
	// Public clients can't keep a secret; PKCE binds their codes (RFC 9700 §2.1.1).
	Public bool `json:"public,omitempty"`

	Secrets    []Secret `json:"secrets,omitempty"` // at most MaxSecrets, oldest first
	AuthMethod string   `json:"token_endpoint_auth_method"`
	// AuthSigningAlg is the one algorithm of its assertions; empty: any of its method's.
	AuthSigningAlg string `json:"token_endpoint_auth_signing_alg,omitempty"`
	// The client's public keys, or where it publishes them; never both (RFC 7591 §2).
	JWKS    json.RawMessage `json:"jwks,omitempty"`
	JWKSURI string          `json:"jwks_uri,omitempty"`

	RedirectURIs           []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`

	// Where the client is told that a session ended: by a POST from here (OpenID
	// Connect Back-Channel Logout 1.0 §2.2), or by an iframe in the browser
	// (Front-Channel Logout 1.0 §2). Session asks that the sid be named.
	BackchannelLogoutURI      string `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSession  bool   `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelLogoutURI     string `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelLogoutSession bool   `json:"frontchannel_logout_session_required,omitempty"`

	Grants     []string `json:"grant_types"`
	Scopes     []string `json:"scopes,omitempty"`   // beyond OpenID Connect's own
	Audience   []string `json:"audience,omitempty"` // the first is the default (RFC 8707 §2)
	Networks   []string `json:"networks,omitempty"` // CIDR; empty: anywhere
	Refresh    Refresh  `json:"refresh"`
	IDTokenAlg string   `json:"id_token_signed_response_alg"`
	PKCE       bool     `json:"require_pkce"`
	// UserinfoAlg signs userinfo answers; empty: they are plain JSON.
	UserinfoAlg string `json:"userinfo_signed_response_alg,omitempty"`
	// Introspects lets the client ask about tokens (RFC 7662): its own, and those
	// that are meant for one of its audiences.
	Introspects bool `json:"introspection,omitempty"`

	LogoURI   string `json:"logo_uri,omitempty"`
	PolicyURI string `json:"policy_uri,omitempty"`
	TermsURI  string `json:"tos_uri,omitempty"`

	Disabled bool `json:"disabled,omitempty"`
	// TokenEpoch counts how often all its access tokens were ended.
	TokenEpoch uint32 `json:"token_epoch,omitempty"`

	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// Name is what people read.
func (c Client) Name() string {
	if c.Title != "" {
		return c.Title
	}
	return c.ID
}

// May reports whether the client is registered for the grant type.
func (c Client) May(grant string) bool { return slices.Contains(c.Grants, grant) }

// AllowsAddress reports whether a token request may come from a. A client with
// no networks may call from anywhere.
func (c Client) AllowsAddress(a netip.Addr) bool {
	if len(c.Networks) == 0 {
		return true
	}
	a = a.Unmap() // ::ffff:10.0.0.1 is 10.0.0.1
	for _, n := range c.Networks {
		if p, err := netip.ParsePrefix(n); err == nil && p.Contains(a) {
			return true
		}
	}
	return false
}
