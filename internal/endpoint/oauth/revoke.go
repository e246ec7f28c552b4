package oauth

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/ended"
)

// revoke answers POST /revoke (RFC 7009). A token that is unknown, expired or
// another client's is answered like one that was revoked (§2.2): the client has
// what it wants, and whoever guesses learns nothing. With either of its tokens
// the whole grant ends, its other tokens included (§2.1); a token that a client
// got for itself ends alone.
func (h *Handler) revoke(c echo.Context) error {
	form, caller, err := h.about(c)
	if err != nil {
		return h.answer(c, err)
	}
	t, err := h.inspect(c.Request().Context(), form.Get("token"))
	switch {
	case err != nil:
		return h.answer(c, err)
	case t.clientID != caller.ID:
	case t.ref.ID != "":
		err = h.Door.Ended.Grant(c.Request().Context(), t.ref, ended.ByRevocation)
	case t.active:
		err = h.Door.Ended.Token(c.Request().Context(), caller.ID, t.access.Slot, ended.ByRevocation)
	}
	if err != nil {
		return h.answer(c, err)
	}
	return c.NoContent(http.StatusOK)
}
