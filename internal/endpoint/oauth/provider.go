package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/refusal"
)

// newProvider composes fosite to judge authorization requests. It has no handlers
// and no strategies: codes and tokens are made by us (ADR 15). Every value is
// set, so that none of its lazy getters writes to the configuration.
func newProvider() *fosite.Fosite {
	return fosite.NewOAuth2Provider(admitted{}, &fosite.Config{
		ScopeStrategy: exactScope, AudienceMatchingStrategy: exactAudience,
		MinParameterEntropy: 1, // state and nonce belong to the client
		SanitationWhiteList: []string{}, OmitRedirectScopeParam: true,
	})
}

// maxJudged is how many different requests fosite need not judge twice.
const maxJudged = 1024

// checkWithFosite lets fosite judge the request, cut down to what was admitted:
// what remains are the response type and the rules that a request must satisfy
// as a whole. For response_type=code its verdict hangs on what names it here and
// on nothing else, and a service's requests are alike but for state, nonce and
// challenge: it judges each of them once.
func checkWithFosite(ctx context.Context, h *Handler, q *request) error {
	name := ""
	if q.params.Get("response_type") == "code" {
		name = strings.Join([]string{q.client.ID, q.redirectURI, strings.Join(q.asked.Scopes, " "), strings.Join(q.audience, " ")}, "\n")
		if h.judged.Contains(name) {
			return nil
		}
	}
	form := url.Values{
		"client_id": {q.client.ID}, "redirect_uri": {q.redirectURI}, "response_type": q.params["response_type"],
		"scope": {strings.Join(q.asked.Scopes, " ")}, "audience": q.audience,
		// fosite insists on a state; ours travels with the journey, and none is
		// none (RFC 6749 §4.1.1: RECOMMENDED, not required).
		"state": {"-"},
	}
	as := fositeClient{q.client, q.redirectURI, q.asked.Scopes, q.audience}
	r := &http.Request{Method: http.MethodGet, Header: http.Header{}, Form: form, PostForm: url.Values{}}
	if _, err := h.provider.NewAuthorizeRequest(context.WithValue(ctx, requestKey{}, as), r); err != nil {
		return err
	}
	if name != "" {
		h.judged.Add(name, struct{}{})
	}
	return nil
}

type requestKey struct{}

// admitted is what fosite takes for its database of clients: the one that our own
// checks have admitted, with exactly what was admitted. It travels in the context,
// because fosite hands over nothing else.
type admitted struct{}

var _ fosite.Storage = admitted{}

func (admitted) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	if c, ok := ctx.Value(requestKey{}).(fositeClient); ok && c.ID == id {
		return c, nil
	}
	return nil, fosite.ErrNotFound
}

// errNoAssertions: assertions are judged by our own client authentication.
var errNoAssertions = errors.New("client assertions are not fosite's here")

func (admitted) ClientAssertionJWTValid(context.Context, string) error { return errNoAssertions }
func (admitted) SetClientAssertionJWT(context.Context, string, time.Time) error {
	return errNoAssertions
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
