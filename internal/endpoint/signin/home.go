package signin

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/pages"
)

// home is the front door: who is signed in, and the way out.
func (h *Handler) home(c echo.Context) error {
	v, _, err := h.Door.Who(c.Request())
	if err != nil {
		return err
	}
	page := pages.Home{}
	if v != nil {
		page.User = &pages.User{Name: v.User.Name, Login: v.User.Login}
	}
	return h.Pages.Render(c.Response(), c.Request(), http.StatusOK, page)
}
