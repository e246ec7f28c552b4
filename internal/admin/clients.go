package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/keys"
)

// ClientSettings is what may be said of a client, in the words of RFC 7591
// where it has one. What is nil stays as it is, or gets its default.
type ClientSettings struct {
	Title      *string `json:"client_name,omitempty"`
	FirstParty *bool   `json:"first_party,omitempty"`
	AuthMethod *string `json:"token_endpoint_auth_method,omitempty"`
	// The keys and their place exclude each other: what is said last stands.
	JWKS                   *json.RawMessage `json:"jwks,omitempty"`
	JWKSURI                *string          `json:"jwks_uri,omitempty"`
	AuthSigningAlg         *string          `json:"token_endpoint_auth_signing_alg,omitempty"`
	RedirectURIs           *[]string        `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs *[]string        `json:"post_logout_redirect_uris,omitempty"`
	BackchannelURI         *string          `json:"backchannel_logout_uri,omitempty"`
	BackchannelSession     *bool            `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelURI        *string          `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelSession    *bool            `json:"frontchannel_logout_session_required,omitempty"`
	Grants                 *[]string        `json:"grant_types,omitempty"`
	Scope                  *string          `json:"scope,omitempty"` // separated by spaces
	Audience               *[]string        `json:"audience,omitempty"`
	Networks               *[]string        `json:"networks,omitempty"`
	Refresh                *client.Refresh  `json:"refresh,omitempty"`
	IDTokenAlg             *string          `json:"id_token_signed_response_alg,omitempty"`
	UserinfoAlg            *string          `json:"userinfo_signed_response_alg,omitempty"` // none: plain JSON
	Introspects            *bool            `json:"introspection,omitempty"`
	PKCE                   *bool            `json:"require_pkce,omitempty"`
	LogoURI                *string          `json:"logo_uri,omitempty"`
	PolicyURI              *string          `json:"policy_uri,omitempty"`
	TermsURI               *string          `json:"tos_uri,omitempty"`
}

// unsigned, as a client's userinfo algorithm, is plain JSON: what there is when
// nothing is registered (OpenID Connect Registration §2).
const unsigned = "none"

// NewClient is a client that was just added, with the secret that nobody can
// read again. Secret is absent for a public client, and for one that signs.
type NewClient struct {
	ClientView
	Secret secret.Value
}

// AddClient registers a client. It is third-party (people are asked for their
// consent), requires PKCE and has its ID tokens signed with ES256, unless s says
// otherwise.
func (o *Operator) AddClient(ctx context.Context, id string, s ClientSettings) (NewClient, error) {
	c := client.Client{ID: id, PKCE: true, IDTokenAlg: string(keys.ES256)}
	s.apply(&c)
	if c.Public && !c.PKCE { // Complete would overrule what was asked for without a word
		return NewClient{}, invalid("pkce", "can't be optional for a public client (RFC 9700 §2.1.1)")
	}
	c = c.Complete()
	if err := c.Validate(); err != nil {
		return NewClient{}, err
	}
	made := NewClient{}
	if c.HasSecrets() {
		made.Secret = client.NewSecret()
		if err := c.RotateSealed(made.Secret, o.Box, time.Now()); err != nil {
			return NewClient{}, err
		}
	}
	if err := o.ensureKeys(ctx, &c.IDTokenAlg, &c.UserinfoAlg); err != nil {
		return NewClient{}, err
	}
	c, err := o.Clients.Create(ctx, c)
	if err != nil {
		return NewClient{}, err
	}
	made.ClientView = viewClient(c)
	return made, nil
}

// ListClients returns all clients by name.
func (o *Operator) ListClients() []ClientView {
	all := o.Clients.All()
	views := make([]ClientView, 0, len(all))
	for _, c := range all {
		views = append(views, viewClient(c))
	}
	return views
}

// ShowClient returns one client.
func (o *Operator) ShowClient(id string) (ClientView, error) {
	c, ok := o.Clients.Find(id)
	if !ok {
		return ClientView{}, noClient(id)
	}
	return viewClient(c), nil
}

// SetClient changes what s names.
func (o *Operator) SetClient(ctx context.Context, id string, s ClientSettings) (ClientView, error) {
	if s.IDTokenAlg != nil || s.UserinfoAlg != nil {
		if _, ok := o.Clients.Find(id); !ok {
			return ClientView{}, noClient(id)
		}
		// Before the client names the algorithm: a sign-in in between would find
		// nothing to sign with.
		if err := o.ensureKeys(ctx, s.IDTokenAlg, s.UserinfoAlg); err != nil {
			return ClientView{}, err
		}
	}
	return o.changeClient(ctx, id, func(c *client.Client) error {
		s.apply(c)
		return nil
	})
}

// RotateSecret gives a client a new secret and returns it. The one before stays
// valid until the next rotation, so that the client's nodes can follow one by
// one; with revokeOld it is dead at once.
func (o *Operator) RotateSecret(ctx context.Context, id string, revokeOld bool) (secret.Value, error) {
	made := client.NewSecret()
	_, err := o.changeClient(ctx, id, func(c *client.Client) error {
		if c.Public {
			return invalid("client_id", "%q is a public client: it has no secret, and would not keep one", id)
		}
		if !c.HasSecrets() {
			return invalid("client_id", "%q uses %s: it has no secret; its keys are its own to change", id, c.AuthMethod)
		}
		if revokeOld {
			c.Secrets = nil
		}
		return c.RotateSealed(made, o.Box, time.Now())
	})
	if err != nil {
		return secret.Value{}, err
	}
	return made, nil
}

// DisableClient stops a client: nobody signs in through it, no token request of it
// succeeds, and every access token that it holds ends, its users' and its own.
// Grants stay, for EnableClient; without the token endpoint they yield nothing.
func (o *Operator) DisableClient(ctx context.Context, id string) (ClientView, error) {
	c, err := o.Ended.Client(ctx, id, ended.ByOperator, func(c *client.Client) error { c.Disabled = true; return nil })
	if err != nil {
		return ClientView{}, err
	}
	return viewClient(c), nil
}

// EnableClient lets a disabled client work again. Its tokens that ended stay so.
func (o *Operator) EnableClient(ctx context.Context, id string) (ClientView, error) {
	return o.changeClient(ctx, id, func(c *client.Client) error { c.Disabled = false; return nil })
}

// RemoveClient removes a client for good, and ends its access tokens.
func (o *Operator) RemoveClient(ctx context.Context, id string) error {
	return o.Ended.RemoveClient(ctx, id, ended.ByOperator)
}

func (o *Operator) changeClient(ctx context.Context, id string, change func(*client.Client) error) (ClientView, error) {
	c, err := o.Clients.Update(ctx, id, change)
	if err != nil {
		return ClientView{}, err
	}
	return viewClient(c), nil
}

// ensureKeys makes the first keys of the algorithms that a client begins to use.
func (o *Operator) ensureKeys(ctx context.Context, idToken, userinfo *string) error {
	for _, asked := range []struct {
		field string
		alg   *string
	}{{"id_token_alg", idToken}, {"userinfo_alg", userinfo}} {
		if asked.alg == nil || asked.field == "userinfo_alg" && (*asked.alg == "" || *asked.alg == unsigned) {
			continue
		}
		known, err := algorithm(asked.field, *asked.alg)
		if err != nil {
			return err
		}
		if err := o.Keys.Ensure(ctx, known); err != nil {
			return fmt.Errorf("making the key that a client asks for: %w", err)
		}
	}
	return nil
}

func (s ClientSettings) apply(c *client.Client) {
	set(&c.Title, s.Title)
	set(&c.FirstParty, s.FirstParty)
	set(&c.RedirectURIs, s.RedirectURIs)
	set(&c.PostLogoutRedirectURIs, s.PostLogoutRedirectURIs)
	set(&c.BackchannelLogoutURI, s.BackchannelURI)
	set(&c.BackchannelLogoutSession, s.BackchannelSession)
	set(&c.FrontchannelLogoutURI, s.FrontchannelURI)
	set(&c.FrontchannelLogoutSession, s.FrontchannelSession)
	set(&c.Audience, s.Audience)
	set(&c.Networks, s.Networks)
	set(&c.IDTokenAlg, s.IDTokenAlg)
	set(&c.UserinfoAlg, s.UserinfoAlg)
	if c.UserinfoAlg == unsigned {
		c.UserinfoAlg = ""
	}
	set(&c.Introspects, s.Introspects)
	set(&c.PKCE, s.PKCE)
	set(&c.LogoURI, s.LogoURI)
	set(&c.PolicyURI, s.PolicyURI)
	set(&c.TermsURI, s.TermsURI)
	if s.Scope != nil {
		c.Scopes = strings.Fields(*s.Scope)
	}
	s.applyMethod(c)
	s.applyGrants(c)
}

// applyMethod keeps the method and what follows from it together: without a
// method a client is public, has no secret and must use PKCE (RFC 9700 §2.1.1).
// Whoever registers a client by its keys means them to be used.
func (s ClientSettings) applyMethod(c *client.Client) {
	s.applyKeys(c)
	keyed := len(c.JWKS) > 0 || c.JWKSURI != ""
	switch {
	case s.AuthMethod != nil:
		c.SetAuthMethod(*s.AuthMethod)
	case c.AuthMethod == "" && keyed:
		c.SetAuthMethod(client.AuthKeyJWT)
	}
	set(&c.AuthSigningAlg, s.AuthSigningAlg)
	if s.AuthMethod != nil && c.Public && s.PKCE == nil {
		c.PKCE = true
	}
}

// applyKeys lets the keys replace their place, and the other way round, when only
// one of the two was said.
func (s ClientSettings) applyKeys(c *client.Client) {
	if s.JWKS != nil && s.JWKSURI == nil {
		c.JWKSURI = ""
	}
	if s.JWKSURI != nil && s.JWKS == nil {
		c.JWKS = nil
	}
	set(&c.JWKS, s.JWKS)
	set(&c.JWKSURI, s.JWKSURI)
}

// applyGrants keeps the refresh setting and the refresh grant in step when only
// one of the two was said.
func (s ClientSettings) applyGrants(c *client.Client) {
	set(&c.Grants, s.Grants)
	set(&c.Refresh, s.Refresh)
	newborn := len(c.Grants) == 0
	if newborn && (c.Public || len(c.RedirectURIs) > 0) {
		// A public client without redirect URI forgot it; what it surely is not
		// is a machine.
		c.Grants = []string{client.GrantCode, client.GrantRefresh}
	}
	switch {
	case s.Refresh != nil && s.Grants == nil:
		c.Grants = slices.DeleteFunc(slices.Clone(c.Grants), func(g string) bool { return g == client.GrantRefresh })
		if *s.Refresh != client.RefreshNone && c.May(client.GrantCode) {
			c.Grants = append(c.Grants, client.GrantRefresh)
		}
	case s.Refresh == nil && s.Grants != nil && !newborn:
		if !c.May(client.GrantRefresh) {
			c.Refresh = client.RefreshNone
		} else if c.Refresh == client.RefreshNone {
			c.Refresh = client.RefreshSession
		}
	}
}

func noClient(id string) error {
	return fault.New(fault.NotFound, "no client is named %q; see: signet client list", id).On("client_id")
}
