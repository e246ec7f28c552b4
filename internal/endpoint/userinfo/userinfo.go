// Package userinfo answers who the user behind an access token is (OpenID
// Connect Core §5.3).
//
//	token ──Mint.ParseAccess──▶ sub, grant ──one Get──▶ claims of its scopes
//
// The token must be ours, alive, and of a grant that has not ended; its scopes
// decide what is told. It never takes a token from the URL.
package userinfo

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/cors"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/object"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/keys"
)

// Handler answers the UserInfo endpoint.
type Handler struct {
	Issuer  string
	Store   store.Store
	Clients *client.Directory
	Mint    *token.Mint
	Log     *slog.Logger
	// HasEnded reports whether a slot's bit is set, or fails when that can't be known.
	HasEnded func(slot.Slot) (bool, error)
}

// Mount adds the endpoint under the issuer's path. Browser apps of any origin
// may call it: it takes no cookie.
func (h *Handler) Mount(g *echo.Group) {
	anyone := cors.New([]string{http.MethodGet, http.MethodPost}, "Authorization")
	g.Match([]string{http.MethodGet, http.MethodPost, http.MethodOptions}, "/userinfo", func(c echo.Context) error {
		if anyone.Answer(c.Response().Header(), c.Request()) {
			return c.NoContent(http.StatusNoContent)
		}
		return h.userinfo(c)
	})
}

func (h *Handler) userinfo(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	raw, err := bearer(c)
	if err != nil {
		return h.challenge(c, http.StatusBadRequest, "invalid_request", err)
	}
	if raw == "" {
		// RFC 6750 §3.1: who sent no token gets no error code.
		return h.challenge(c, http.StatusUnauthorized, "", nil)
	}
	access, err := h.Mint.ReadAccess(c.Request().Context(), raw, time.Now())
	if err != nil && fault.KindOf(err) != fault.Unauthenticated {
		return err
	}
	if err != nil {
		return h.challenge(c, http.StatusUnauthorized, "invalid_token", err)
	}
	if !slices.Contains(access.Scopes, client.ScopeOpenID) {
		return h.challenge(c, http.StatusForbidden, "insufficient_scope", fault.New(fault.Denied, "the token was not issued for the scope openid"))
	}
	who, asked, err := h.read(c, access)
	if err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return h.challenge(c, http.StatusUnauthorized, "invalid_token", err)
		}
		return err
	}
	claims := who.Claims(access.Scopes...)
	for _, name := range asked.Userinfo {
		if value, ok := who.Claim(name); ok {
			claims[name] = value
		}
	}
	claims["sub"] = who.Subject
	return h.answer(c, access.ClientID, claims)
}

// answer writes the claims as the client registered it: signed, or plain
// (OpenID Connect Core §5.3.2).
func (h *Handler) answer(c echo.Context, clientID string, claims map[string]any) error {
	asked, known := h.Clients.Find(clientID)
	if !known || asked.UserinfoAlg == "" {
		return c.JSONBlob(http.StatusOK, object.Of(claims))
	}
	claims["iss"], claims["aud"] = h.Issuer, clientID
	signed, err := h.Mint.Userinfo(c.Request().Context(), keys.Algorithm(asked.UserinfoAlg), claims)
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "application/jwt", []byte(signed))
}

// read fetches the user and, in the same round trip, whether the grant stands.
func (h *Handler) read(c echo.Context, access token.Access) (user.User, grant.Claims, error) {
	ended := fault.New(fault.NotFound, "the access token is no longer valid")
	ref, ok := grant.OfToken(access.Subject, access.SessionID, access.ID)
	if !ok {
		return user.User{}, grant.Claims{}, ended
	}
	switch over, err := h.HasEnded(access.Slot); {
	case err != nil:
		return user.User{}, grant.Claims{}, err
	case over:
		return user.User{}, grant.Claims{}, ended
	}
	recs, err := h.Store.Get(c.Request().Context(), user.Key(access.Subject), ref.Key())
	if err != nil {
		return user.User{}, grant.Claims{}, fmt.Errorf("reading the user behind a token: %w", err)
	}
	if !recs[1].Exists() {
		return user.User{}, grant.Claims{}, ended
	}
	g, err := grant.Decode(recs[1])
	if err != nil {
		return user.User{}, grant.Claims{}, err
	}
	who, err := user.Decode(recs[0])
	if err == nil && (who.Disabled || g.Epoch != who.Epoch) {
		return who, grant.Claims{}, ended
	}
	return who, g.Claims, err
}

// bearer takes the token from the header, or from the form of a POST (RFC 6750
// §2.1, §2.2); never from both, and never from the URL (RFC 9700 §4.3.2).
func bearer(c echo.Context) (string, error) {
	r := c.Request()
	inForm := ""
	if r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if err := r.ParseForm(); err != nil {
			return "", fault.Wrap(fault.Invalid, err, "the form body is malformed or too large")
		}
		inForm = r.PostForm.Get("access_token")
	}
	header := r.Header.Values("Authorization")
	switch {
	case len(header) > 1, len(header) == 1 && inForm != "":
		return "", fault.New(fault.Invalid, "the token was sent more than once")
	case len(header) == 0:
		return inForm, nil
	}
	scheme, value, _ := strings.Cut(header[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	return strings.TrimSpace(value), nil
}

// challenge answers as RFC 6750 §3 has it.
func (h *Handler) challenge(c echo.Context, status int, code string, err error) error {
	value := `Bearer realm="` + h.Issuer + `"`
	if code != "" {
		_, message := fault.Public(err)
		value += `, error="` + code + `", error_description="` + message + `"`
		h.Log.InfoContext(c.Request().Context(), "request refused",
			slog.String("route", c.Path()), slog.String("code", code), slog.Any("reason", err))
	}
	c.Response().Header().Set("WWW-Authenticate", value)
	return c.NoContent(status)
}
