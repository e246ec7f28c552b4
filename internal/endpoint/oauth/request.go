package oauth

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/journey"
	"github.com/signet-id/signet/internal/refusal"
)

// request is a validated authorization request.
type request struct {
	params      url.Values
	client      client.Client
	redirectURI string
	audience    []string
	challenge   string
	demand      journey.Demand
	asked       grant.Asked
	mode        string // response_mode: query, fragment or form_post
}

// pageError is a refusal that must not be redirected: it is not certain where to
// (RFC 6749 §4.1.2.1).
type pageError struct{ *refused }

func (e pageError) Unwrap() error { return e.refused }

// check is one thing that an authorization request must satisfy.
type check func(context.Context, *Handler, *request) error

// checksOnPage come first: until they pass, an error is shown and never sent on.
func checksOnPage() []check { return []check{checkClient, checkRedirectURI} }

// checksToClient follow: their errors are the client's to handle.
func checksToClient() []check {
	return []check{
		checkResponseMode, checkAllParameters, checkRequestObject, checkGrant, checkChallenge, checkPrompt, checkMaxAge,
		checkHint, checkResources, checkAsked, checkWithFosite,
	}
}

// validate runs the checks in order. The error is a pageError, or one to
// redirect with, for which the request is complete enough.
func (h *Handler) validate(ctx context.Context, params url.Values) (*request, error) {
	q := &request{params: params, mode: modeQuery}
	for _, check := range checksOnPage() {
		if err := check(ctx, h, q); err != nil {
			return nil, pageError{refusalOf(err)}
		}
	}
	for _, check := range checksToClient() {
		if err := check(ctx, h, q); err != nil {
			return q, err
		}
	}
	return q, nil
}

// one returns a parameter on whose single value the answer's destination hangs.
func one(params url.Values, name string) (string, error) {
	switch values := params[name]; {
	case len(values) == 0 || values[0] == "":
		return "", refuse(refusal.ParameterMissing, "%s is missing: send the one that is registered", name)
	case len(values) > 1:
		return "", refuse(refusal.ParameterDuplicated, "%s was sent %d times, send it once", name, len(values))
	default:
		return values[0], nil
	}
}

func checkClient(_ context.Context, h *Handler, q *request) error {
	id, err := one(q.params, "client_id")
	if err != nil {
		return err
	}
	c, known := h.Clients.Find(id)
	switch {
	case !known:
		return refuse(refusal.ClientUnknown, "client_id: no client is registered as %q", printable(id))
	case c.Disabled:
		return refuse(refusal.ClientDisabled, "client_id: the client %q is disabled", printable(id))
	}
	q.client = c
	return nil
}

func checkRedirectURI(_ context.Context, _ *Handler, q *request) error {
	uri, err := one(q.params, "redirect_uri")
	if err != nil {
		return err
	}
	if !matchRedirectURI(q.client, uri) {
		return refuse(refusal.RedirectURIUnregistered, "redirect_uri: this address is not registered for the client %q; register it exactly, or send one that is", q.client.ID)
	}
	q.redirectURI = uri
	return nil
}

func checkAllParameters(_ context.Context, _ *Handler, q *request) error {
	return checkParameters(q.params)
}

// Request objects are not supported yet, and said so in the metadata
// (OpenID Connect Core §6.1, §6.2; Registration §2).
func checkRequestObject(_ context.Context, _ *Handler, q *request) error {
	for _, not := range [...]struct {
		name   string
		reason refusal.Reason
	}{
		{"request", refusal.RequestObjectUnsupported}, {"request_uri", refusal.RequestURIUnsupported},
		{"registration", refusal.RegistrationUnsupported},
	} {
		if q.params.Get(not.name) != "" {
			return refuse(not.reason, "%s is not supported: send the parameters themselves", not.name)
		}
	}
	return nil
}

func checkGrant(_ context.Context, _ *Handler, q *request) error {
	if !q.client.May(client.GrantCode) {
		return refuse(refusal.GrantNotRegistered, "the client is not registered for %s", client.GrantCode)
	}
	return nil
}

// checkResponseMode comes first of the checks whose errors go to the client: they
// go there in this mode (OAuth 2.0 Multiple Response Type Encoding Practices §2.1).
func checkResponseMode(_ context.Context, _ *Handler, q *request) error {
	switch mode := q.params.Get("response_mode"); mode {
	case "", modeQuery:
	case modeFragment, modeFormPost:
		q.mode = mode
	default:
		return refuse(refusal.ResponseModeUnknown, "response_mode: %q is not known; use query, fragment or form_post", printable(mode))
	}
	return nil
}

// isChallenge knows the base64url of a SHA-256 (RFC 7636 §4.2).
func isChallenge(s string) bool { return len(s) == 43 && isWord(s, "-_") }

// isVerifier is RFC 7636 §4.1.
func isVerifier(s string) bool { return len(s) >= 43 && len(s) <= 128 && isWord(s, "-._~") }

// isWord reports whether s is letters and digits of ASCII, and these marks.
func isWord(s, marks string) bool {
	for _, b := range []byte(s) {
		plain := 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte(marks, b) >= 0
		if !plain {
			return false
		}
	}
	return true
}

// checkChallenge refuses before anybody signs in what the token endpoint would
// refuse after. plain protects nothing that S256 does not (RFC 9700 §2.1.1).
func checkChallenge(_ context.Context, _ *Handler, q *request) error {
	challenge, method := q.params.Get("code_challenge"), q.params.Get("code_challenge_method")
	switch {
	case challenge == "" && method == "" && !q.client.PKCE:
		return nil
	case challenge == "":
		return refuse(refusal.ChallengeMissing, "code_challenge is missing: this client must use PKCE (RFC 7636)")
	case method != "S256":
		return refuse(refusal.ChallengeMethod, "code_challenge_method must be S256")
	case !isChallenge(challenge):
		return refuse(refusal.ChallengeMalformed, "code_challenge must be the base64url of a SHA-256, 43 characters")
	}
	q.challenge = challenge
	return nil
}

func checkPrompt(_ context.Context, _ *Handler, q *request) error {
	q.demand.Prompt = strings.Fields(q.params.Get("prompt"))
	for _, p := range q.demand.Prompt {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, p) {
			return refuse(refusal.PromptUnknown, "prompt: %q is not known; use none, login, consent or select_account", printable(p))
		}
	}
	if len(q.demand.Prompt) > 1 && slices.Contains(q.demand.Prompt, "none") {
		return refuse(refusal.PromptCombined, "prompt: none can't be combined with others")
	}
	return nil
}

func checkMaxAge(_ context.Context, _ *Handler, q *request) error {
	raw := q.params.Get("max_age")
	if raw == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(raw, 10, 31)
	if err != nil {
		return refuse(refusal.MaxAgeMalformed, "max_age must be a number of seconds, 0 or more")
	}
	age := time.Duration(seconds) * time.Second
	q.demand.MaxAge = &age
	return nil
}

func checkHint(_ context.Context, h *Handler, q *request) error {
	raw := q.params.Get("id_token_hint")
	if raw == "" {
		return nil
	}
	hint, err := h.Mint.ParseHint(raw)
	if err != nil {
		return err
	}
	q.demand.Hint = hint.Subject
	return nil
}

func checkResources(_ context.Context, h *Handler, q *request) (err error) {
	for _, r := range q.params["resource"] {
		if client.CheckResource("resource", r) != nil {
			return refuse(refusal.ResourceMalformed, "resource must be an absolute URI without fragment (RFC 8707)")
		}
	}
	q.audience, err = q.client.Targets(q.params["resource"], h.Issuer)
	return err
}

// checkAsked reads what is asked for: scopes, and claims one by one. An essential
// acr that nobody here can have is a failed authentication (Core §5.5.1.1).
func checkAsked(_ context.Context, _ *Handler, q *request) (err error) {
	if q.asked, err = grant.ReadAsked(q.client, q.params); err != nil {
		return err
	}
	if a := q.asked.ACR; len(a) > 0 && !slices.Contains(a, authn.ACROneFactor) {
		return refuse(refusal.ACRUnavailable, "acr: none of the classes demanded can be had here")
	}
	if q.demand.Hint != "" && q.asked.Subject != "" && q.demand.Hint != q.asked.Subject {
		return refuse(refusal.ClaimsContradict, "claims and id_token_hint name different people")
	}
	if q.asked.Subject != "" {
		q.demand.Hint = q.asked.Subject
	}
	q.demand.Scopes = q.asked.Questions()
	q.demand.FirstParty = q.client.FirstParty
	return nil
}
