package demo

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// issuer is who signs people in, as this service knows it. Discovery waits
// until somebody wants to sign in, so a service starts without its issuer.
type issuer struct {
	service Service
	client  *http.Client

	mu    sync.Mutex
	known *metadata // guarded by mu; nil until the issuer was reached
}

// metadata is what discovery told, ready for use.
type metadata struct {
	oauth2.Config

	provider   *oidc.Provider
	idTokens   *oidc.IDTokenVerifier
	endSession string
}

// discovered returns the metadata, and asks the issuer for it until it has it.
func (i *issuer) discovered(ctx context.Context) (*metadata, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.known != nil {
		return i.known, nil
	}
	m, err := i.discover(ctx)
	if err != nil {
		return nil, i.away(err)
	}
	i.known = m
	return m, nil
}

// away is what people read when the issuer does not answer.
func (i *issuer) away(cause error) error {
	return &failure{
		status: http.StatusServiceUnavailable, title: "The issuer does not answer", cause: cause,
		message: "Signing in happens at " + i.service.Issuer + ", which can’t be reached at the moment. Try again shortly.",
	}
}

func (i *issuer) discover(ctx context.Context) (*metadata, error) {
	provider, err := oidc.NewProvider(i.context(ctx), i.service.Issuer)
	if err != nil {
		return nil, fmt.Errorf("discovering the issuer: %w", err)
	}
	var more struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, fmt.Errorf("reading the issuer's metadata: %w", err)
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // else the library tries both ways
	own := i.service
	return &metadata{
		Config: oauth2.Config{
			ClientID: own.ClientID, ClientSecret: own.ClientSecret, Endpoint: endpoint, RedirectURL: own.URL + "/callback",
			Scopes: []string{"openid", "profile", "email", "roles", own.Name + ":read", own.PeerName + ":read"},
		},
		provider:   provider,
		idTokens:   provider.Verifier(&oidc.Config{ClientID: own.ClientID}),
		endSession: more.EndSession,
	}, nil
}

// context makes both libraries use our client.
func (i *issuer) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, i.client)
}

// authorizeURL is where the browser goes to sign in. The token shall be good
// here and at the peer, which is called with it (RFC 8707 §2: resource may
// repeat, which the library has no words for).
func (m *metadata) authorizeURL(state string, a attempt, resources ...string) (string, error) {
	u, err := url.Parse(m.AuthCodeURL(state, oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier)))
	if err != nil {
		return "", fmt.Errorf("reading the authorization endpoint: %w", err)
	}
	q := u.Query()
	q["resource"] = resources
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// endSessionURL is where the browser goes to sign out (OpenID Connect
// RP-Initiated Logout §2).
func (m *metadata) endSessionURL(idToken, back, state string) (string, error) {
	u, err := url.Parse(m.endSession)
	if err != nil {
		return "", fmt.Errorf("reading the end-session endpoint: %w", err)
	}
	q := u.Query()
	q.Set("id_token_hint", idToken)
	q.Set("post_logout_redirect_uri", back)
	q.Set("state", state)
	u.RawQuery = q.Encode()
	return u.String(), nil
}
