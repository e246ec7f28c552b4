package signin

import (
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/cookie"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/user"
)

// home is the front door: who is signed in, and the way out.
func (h *Handler) home(c echo.Context) error {
	page := pages.Home{}
	handle, ok := session.ParseHandle(h.Cookies.Get(c.Request(), cookie.Session))
	if ok {
		recs, err := h.Store.Get(c.Request().Context(), handle.Key(), user.Key(handle.Subject))
		if err != nil {
			return fmt.Errorf("reading the session: %w", err)
		}
		if _, ok := handle.Open(recs[0]); ok {
			if who, err := user.Decode(recs[1]); err == nil && !who.Disabled {
				page.User = &pages.User{Name: who.Name, Login: who.Login}
			}
		}
	}
	return h.Pages.Render(c.Response(), c.Request(), http.StatusOK, page)
}
