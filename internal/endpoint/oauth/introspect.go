package oauth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/object"
	"github.com/signet-id/signet/internal/refusal"
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

// describe is the answer of RFC 7662 §2.2 about a token that is active.
func (h *Handler) describe(t inspected) []byte {
	w := object.New(640)
	w.Bool("active", true)
	w.Text("iss", h.Issuer)
	w.Text("client_id", t.clientID)
	if t.refresh {
		g := t.grant
		w.Text("sub", g.Subject)
		w.Optional("username", t.user.Login)
		w.Optional("scope", strings.Join(g.Scopes, " "))
		w.Texts("aud", g.Audience)
		w.Time("auth_time", g.Authentication.Time)
		w.Optional("acr", g.Authentication.ACR)
		w.Texts("amr", g.Authentication.AMR)
		w.Optional("sid", g.SessionID)
		return w.End()
	}
	a := t.access
	w.Text("sub", a.Subject)
	w.Optional("username", t.user.Login)
	w.Text("token_type", "Bearer")
	w.Optional("scope", strings.Join(a.Scopes, " "))
	w.Texts("aud", a.Audience)
	w.Time("exp", a.Expires)
	w.Time("iat", a.IssuedAt)
	w.Text("jti", a.ID)
	w.Time("auth_time", a.AuthTime)
	w.Optional("acr", a.ACR)
	w.Texts("amr", a.AMR)
	w.Optional("sid", a.SessionID)
	w.Texts("roles", a.Roles)
	w.Texts("groups", a.Groups)
	return w.End()
}
