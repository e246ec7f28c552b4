package oauth

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/refusal"
)

// tokens is the token endpoint's answer (RFC 6749 §5.1).
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// token answers POST /token.
func (h *Handler) token(c echo.Context) error {
	// RFC 6749 §5.1: no cache may keep tokens, nor the errors about them.
	c.Response().Header().Set("Cache-Control", "no-store")
	out, err := h.exchange(c)
	grantType := c.Request().PostFormValue("grant_type")
	if checkGrantType(grantType) != nil {
		grantType = "other"
	}
	if err != nil {
		h.Count(grantType, refusalOf(err).code())
		return h.answer(c, err)
	}
	h.Count(grantType, "ok")
	return c.JSON(http.StatusOK, out)
}

// exchange is the life of a token request: form, client, request, narrowing,
// response, Commit. Nothing is written before the Commit.
func (h *Handler) exchange(c echo.Context) (tokens, error) {
	form, err := readToken(c.Request())
	if err != nil {
		return tokens{}, err
	}
	if err := checkGrantType(form.Get("grant_type")); err != nil {
		return tokens{}, err
	}
	address, _ := netip.ParseAddr(c.RealIP())
	u := &unit{now: time.Now(), address: address}
	for {
		out, err := h.attempt(c.Request(), form, u)
		if !errors.Is(err, errChanged) {
			return out, err
		}
		u = u.again()
	}
}

// errChanged means that what a request was judged by has changed before its
// Commit, and nothing was written: it is judged anew. Each such round means that
// another's Commit was made, so they end.
var errChanged = errors.New("what was read has changed")

func (h *Handler) attempt(r *http.Request, form url.Values, u *unit) (tokens, error) {
	ctx := withUnit(r.Context(), u)
	request, err := h.provider.NewAccessRequest(ctx, tokenRequest(r, form), newRequestSession("", u.now, u.now))
	if err != nil {
		return tokens{}, err
	}
	if err := h.narrow(u, form); err != nil {
		return tokens{}, err
	}
	if err := h.hold(ctx, u); err != nil {
		return tokens{}, err
	}
	response, err := h.provider.NewAccessResponse(ctx, request)
	if err != nil {
		return tokens{}, err
	}
	refresh, _ := response.GetExtra("refresh_token").(string)
	idToken, _ := response.GetExtra("id_token").(string)
	if err := h.flush(ctx, u); err != nil {
		return tokens{}, err
	}
	return tokens{
		AccessToken: u.access, TokenType: "Bearer", ExpiresIn: int64(h.Mint.AccessLifetime / time.Second),
		RefreshToken: refresh, IDToken: idToken, Scope: strings.Join(u.scopes, " "),
	}, nil
}

func checkGrantType(grantType string) error {
	switch grantType {
	case client.GrantCode, client.GrantRefresh, client.GrantCredentials:
		return nil
	case "":
		return refuse(refusal.GrantTypeMissing, "grant_type is missing")
	default:
		return refuse(refusal.GrantTypeUnsupported, "grant_type is not supported: use %s, %s or %s",
			client.GrantCode, client.GrantRefresh, client.GrantCredentials)
	}
}

// tokenRequest is the request as fosite may see it: the checked form and the
// Authorization header. scope and audience are ours to decide, not fosite's.
func tokenRequest(r *http.Request, form url.Values) *http.Request {
	seen := url.Values{}
	for _, name := range []string{
		"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "client_id", "client_secret",
		"client_assertion", "client_assertion_type",
	} {
		if v, ok := form[name]; ok {
			seen[name] = v
		}
	}
	header := http.Header{}
	if v := r.Header.Values("Authorization"); len(v) > 0 {
		header["Authorization"] = v
	}
	return &http.Request{Method: http.MethodPost, Header: header, Form: seen, PostForm: seen}
}

// narrow decides what the tokens will be good for: never more than was granted,
// and less when the request says so (RFC 6749 §6, RFC 8707 §2.2).
func (h *Handler) narrow(u *unit, form url.Values) (err error) {
	scopes, resources := strings.Fields(form.Get("scope")), form["resource"]
	if u.grant.ID == "" { // client credentials: the client itself
		// fosite asks for it as late as in the answer; who is refused takes no slot.
		if !u.client.May(client.GrantCredentials) {
			return refuse(refusal.GrantNotRegistered, "this client is not registered for %s", client.GrantCredentials)
		}
		if u.scopes, err = u.client.OwnScopes(scopes); err != nil {
			return err
		}
		u.audience, err = u.client.Targets(resources, h.Issuer)
		return err
	}
	if u.code == "" && len(scopes) > 0 {
		for _, s := range scopes {
			if !slices.Contains(u.scopes, s) {
				return refuse(refusal.ScopeInvalid, "%q was not granted", printable(s))
			}
		}
		u.scopes = scopes
	}
	if len(resources) > 0 {
		for _, r := range resources {
			if !slices.Contains(u.audience, r) {
				return refuse(refusal.AudienceForeign, "a resource was asked for that the grant does not cover")
			}
		}
		u.audience = resources
	}
	return nil
}
