package oauth

import (
	"context"
	"net/url"
	"slices"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/refusal"
)

// settings is fosite's configuration with every value set, so that none of its
// lazy getters writes to it, and with the two getters that are ours.
type settings struct {
	*fosite.Config
	byGrant map[string]fosite.TokenEndpointHandlers
}

// GetTokenEndpointHandlers returns the handlers of the request's grant type
// alone: each one that would not match costs an error with a stack trace.
func (s settings) GetTokenEndpointHandlers(ctx context.Context) fosite.TokenEndpointHandlers {
	r, ok := ctx.Value(fosite.AccessRequestContextKey).(fosite.AccessRequester)
	if !ok || len(r.GetGrantTypes()) != 1 {
		return nil
	}
	return s.byGrant[r.GetGrantTypes()[0]]
}

// newProvider composes fosite from typed literals: a storage or strategy method
// that is missing is a compile error.
func newProvider(h *Handler) *fosite.Fosite {
	cfg := &fosite.Config{
		AccessTokenLifespan: h.Mint.AccessLifetime, RefreshTokenLifespan: h.Refresh.Lifetime,
		AuthorizeCodeLifespan: grant.CodeLifetime, IDTokenLifespan: h.Mint.IDLifetime,
		IDTokenIssuer: h.Issuer, AccessTokenIssuer: h.Issuer,
		ScopeStrategy: exactScope, AudienceMatchingStrategy: exactAudience,
		EnforcePKCEForPublicClients: true, EnablePKCEPlainChallengeMethod: false,
		// Who may redirect where was decided by our own match, at registration and
		// in the request.
		RedirectSecureChecker: func(context.Context, *url.URL) bool { return true },
		// Empty means every client that has the refresh_token grant; ours decide.
		RefreshTokenScopes:  []string{},
		MinParameterEntropy: 1, // state and nonce belong to the client
		AllowedPromptValues: []string{"login", "none", "consent", "select_account"},
		SanitationWhiteList: []string{"code", "redirect_uri"}, OmitRedirectScopeParam: true,
		ClientAuthenticationStrategy: h.authenticateClient,
	}
	st := &storage{h}
	strategy := &strategy{h}
	s := settings{Config: cfg}
	code := &oauth2.AuthorizeExplicitGrantHandler{
		AccessTokenStrategy: strategy, RefreshTokenStrategy: strategy, AuthorizeCodeStrategy: strategy,
		CoreStorage: st, TokenRevocationStorage: st, Config: cfg,
	}
	idTokens := &openid.IDTokenHandleHelper{IDTokenStrategy: strategy}
	connect := &openid.OpenIDConnectExplicitHandler{
		OpenIDConnectRequestStorage:   st,
		OpenIDConnectRequestValidator: openid.NewOpenIDConnectRequestValidator(strategy, cfg),
		Config:                        cfg, IDTokenHandleHelper: idTokens,
	}
	proof := &pkce.Handler{AuthorizeCodeStrategy: strategy, Storage: st, Config: cfg}
	cfg.AuthorizeEndpointHandlers = fosite.AuthorizeEndpointHandlers{code, connect, proof}
	s.byGrant = map[string]fosite.TokenEndpointHandlers{
		client.GrantCode: {code, proof, connect},
		client.GrantRefresh: {
			&oauth2.RefreshTokenGrantHandler{
				AccessTokenStrategy: strategy, RefreshTokenStrategy: strategy, TokenRevocationStorage: st, Config: cfg,
			},
			&openid.OpenIDConnectRefreshHandler{IDTokenHandleHelper: idTokens, Config: cfg},
		},
		client.GrantCredentials: {
			&oauth2.ClientCredentialsGrantHandler{
				HandleHelper: &oauth2.HandleHelper{AccessTokenStrategy: strategy, AccessTokenStorage: st, Config: cfg},
				Config:       cfg,
			},
		},
	}
	return fosite.NewOAuth2Provider(st, s)
}

// exactScope and exactAudience compare whole words: fosite's defaults match
// wildcards and prefixes, and fold case. What a client may have was decided
// before fosite sees the request; these guard against a path around it.
func exactScope(allowed []string, scope string) bool { return slices.Contains(allowed, scope) }

func exactAudience(allowed, asked []string) error {
	for _, a := range asked {
		if !slices.Contains(allowed, a) {
			return refuse(refusal.AudienceForeign, "%q is not an audience of this client", a)
		}
	}
	return nil
}

// fositeClient shows a client to fosite for one request: the redirect URI,
// scopes and audience are those that our own checks admitted.
type fositeClient struct {
	client.Client
	redirectURI string
	scopes      []string
	audience    []string
}

func (c fositeClient) GetID() string                      { return c.ID }
func (c fositeClient) GetHashedSecret() []byte            { return nil }
func (c fositeClient) GetRedirectURIs() []string          { return []string{c.redirectURI} }
func (c fositeClient) GetGrantTypes() fosite.Arguments    { return c.Grants }
func (c fositeClient) GetResponseTypes() fosite.Arguments { return fosite.Arguments{"code"} }
func (c fositeClient) GetScopes() fosite.Arguments        { return c.scopes }
func (c fositeClient) IsPublic() bool                     { return c.Public }
func (c fositeClient) GetAudience() fosite.Arguments      { return c.audience }
func (c fositeClient) GetResponseModes() []fosite.ResponseModeType {
	return []fosite.ResponseModeType{fosite.ResponseModeDefault, fosite.ResponseModeQuery}
}
