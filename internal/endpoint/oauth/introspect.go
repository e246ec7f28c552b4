package oauth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/object"
	"github.com/signet-id/signet/internal/refusal"
	"github.com/signet-id/signet/internal/token"
)

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
		// An inactive token says nothing but that.
		return c.JSONBlob(http.StatusOK, []byte(`{"active":false}`))
	}
	if t.doubt != nil {
		return h.answer(c, t.doubt)
	}
	return c.JSONBlob(http.StatusOK, h.describe(t))
}

// mayKnow keeps tokens from services that they are not meant for (RFC 7662 §4):
// a client may ask about its own, and about those that name one of its audiences.
func mayKnow(caller client.Client, t inspected) bool {
	if t.clientID == caller.ID {
		return true
	}
	return !t.refresh && slices.ContainsFunc(t.access.Audience, func(a string) bool { return slices.Contains(caller.Audience, a) })
}

// describe is the answer of RFC 7662 §2.2 about a token that is active. What a
// refresh token has not is left out.
func (h *Handler) describe(t inspected) []byte {
	a, kind := t.access, "Bearer"
	if g := t.grant; t.refresh {
		kind = ""
		a = token.Access{
			Subject: g.Subject, Scopes: g.Scopes, Audience: g.Audience, SessionID: g.SessionID,
			AuthTime: g.Authentication.Time, ACR: g.Authentication.ACR, AMR: g.Authentication.AMR,
		}
	}
	w := object.New(640)
	w.Bool("active", true)
	w.Text("iss", h.Issuer)
	w.Text("client_id", t.clientID)
	w.Text("sub", a.Subject)
	w.Optional("username", t.user.Login)
	w.Optional("token_type", kind)
	w.Optional("scope", strings.Join(a.Scopes, " "))
	w.Texts("aud", a.Audience)
	w.Time("exp", a.Expires)
	w.Time("iat", a.IssuedAt)
	w.Optional("jti", a.ID)
	w.Time("auth_time", a.AuthTime)
	w.Optional("acr", a.ACR)
	w.Texts("amr", a.AMR)
	w.Optional("sid", a.SessionID)
	w.Texts("roles", a.Roles)
	w.Texts("groups", a.Groups)
	return w.End()
}
