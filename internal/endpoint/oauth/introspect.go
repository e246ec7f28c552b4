package oauth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/refusal"
)

// introspection is the answer of RFC 7662 §2.2. An inactive token says nothing
// but that.
type introspection struct {
	Active    bool     `json:"active"`
	Issuer    string   `json:"iss,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Username  string   `json:"username,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	Scope     string   `json:"scope,omitempty"`
	Audience  []string `json:"aud,omitempty"`
	Expires   int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	ID        string   `json:"jti,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`
	SessionID string   `json:"sid,omitempty"`
	Roles     []string `json:"roles,omitempty"`
	Groups    []string `json:"groups,omitempty"`
}

// introspect answers POST /introspect, for clients that are allowed to ask and
// about tokens that they may know.
func (h *Handler) introspect(c echo.Context) error {
	form, caller, err := h.about(c)
	if err != nil {
		return h.answer(c, err)
	}
	if !caller.Introspects {
		return h.answer(c, refuse(refusal.IntrospectionNotAllowed, "this client may not introspect tokens"))
	}
	t, err := h.inspect(c.Request().Context(), form.Get("token"))
	if err != nil {
		return h.answer(c, err)
	}
	if !t.active || !mayKnow(caller, t) {
		return c.JSON(http.StatusOK, introspection{})
	}
	if t.doubt != nil {
		return h.answer(c, t.doubt)
	}
	return c.JSON(http.StatusOK, h.describe(t))
}

// mayKnow keeps tokens from services that they are not meant for (RFC 7662 §4):
// a client may ask about its own, and about those that name one of its audiences.
func mayKnow(caller client.Client, t inspected) bool {
	if t.clientID == caller.ID {
		return true
	}
	return !t.refresh && slices.ContainsFunc(t.access.Audience, func(a string) bool { return slices.Contains(caller.Audience, a) })
}

func (h *Handler) describe(t inspected) introspection {
	out := introspection{Active: true, Issuer: h.Issuer, ClientID: t.clientID, Username: t.user.Login}
	if t.refresh {
		g := t.grant
		out.Subject, out.Scope, out.Audience, out.SessionID = g.Subject, strings.Join(g.Scopes, " "), g.Audience, g.SessionID
		out.AuthTime, out.ACR, out.AMR = g.Authentication.Time.Unix(), g.Authentication.ACR, g.Authentication.AMR
		return out
	}
	a := t.access
	out.Subject, out.Scope, out.Audience, out.SessionID = a.Subject, strings.Join(a.Scopes, " "), a.Audience, a.SessionID
	out.TokenType, out.Expires, out.IssuedAt, out.ID = "Bearer", a.Expires.Unix(), a.IssuedAt.Unix(), a.ID
	out.ACR, out.AMR, out.Roles, out.Groups = a.ACR, a.AMR, a.Roles, a.Groups
	if !a.AuthTime.IsZero() {
		out.AuthTime = a.AuthTime.Unix()
	}
	return out
}
