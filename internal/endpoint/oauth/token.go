package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/object"
	"github.com/signet-id/signet/internal/refusal"
)

// tokens is the token endpoint's answer (RFC 6749 §5.1).
type tokens struct {
	AccessToken, RefreshToken, IDToken string // those that are empty are left out
	Scope                              string
	ExpiresIn                          int64 // seconds
}

// json is the answer in as much memory as it needs, members' names included.
func (t tokens) json() []byte {
	w := object.New(160 + len(t.AccessToken) + len(t.RefreshToken) + len(t.IDToken) + len(t.Scope))
	w.Text("access_token", t.AccessToken)
	w.Text("token_type", "Bearer")
	w.Number("expires_in", t.ExpiresIn)
	w.Optional("refresh_token", t.RefreshToken)
	w.Optional("id_token", t.IDToken)
	w.Optional("scope", t.Scope)
	return w.End()
}

// token answers POST /token.
func (h *Handler) token(c echo.Context) error {
	// RFC 6749 §5.1: no cache may keep tokens, nor the errors about them.
	c.Response().Header().Set("Cache-Control", "no-store")
	out, err := h.exchange(c)
	grantType := c.Request().PostForm.Get("grant_type")
	if checkGrantType(grantType) != nil {
		grantType = "other"
	}
	if err != nil {
		h.Count(grantType, refusalOf(err).code())
		return h.answer(c, err)
	}
	h.Count(grantType, "ok")
	return c.JSONBlob(http.StatusOK, out.json())
}

// exchange is the life of a token request: form, client, what is presented,
// narrowing, tokens, Commit. Nothing is written before the Commit.
func (h *Handler) exchange(c echo.Context) (tokens, error) {
	form, err := readToken(c.Request())
	if err != nil {
		return tokens{}, err
	}
	grantType := form.Get("grant_type")
	if err := checkGrantType(grantType); err != nil {
		return tokens{}, err
	}
	u := &unit{now: time.Now(), grantType: grantType}
	for {
		out, err := h.attempt(c, form, u)
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

func (h *Handler) attempt(c echo.Context, form url.Values, u *unit) (out tokens, err error) {
	ctx := c.Request().Context()
	if u.client, err = h.sender(c, form, u); err != nil {
		return out, err
	}
	if !u.client.May(u.grantType) {
		return out, refuse(refusal.GrantNotRegistered, "this client is not registered for %s", u.grantType)
	}
	if err := h.present(ctx, u, form); err != nil {
		return out, err
	}
	if err := h.narrow(u, form); err != nil {
		return out, err
	}
	if err := h.hold(ctx, u); err != nil {
		return out, err
	}
	if out, err = h.mint(ctx, u); err != nil {
		return tokens{}, err
	}
	if err := h.flush(ctx, u); err != nil {
		return tokens{}, err
	}
	return out, nil
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

// narrow decides what the tokens will be good for: never more than was granted,
// and less when the request says so (RFC 6749 §6, RFC 8707 §2.2).
func (h *Handler) narrow(u *unit, form url.Values) (err error) {
	scopes, resources := strings.Fields(form.Get("scope")), form["resource"]
	if u.grant.ID == "" { // client credentials: the client itself
		if u.scopes, err = u.client.OwnScopes(scopes); err != nil {
			return err
		}
		u.audience, err = u.client.Targets(resources, h.Issuer)
		return err
	}
	if !u.redeems() && len(scopes) > 0 {
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
