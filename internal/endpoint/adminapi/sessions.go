package adminapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

func (h *handler) listSessions(c echo.Context) error {
	views, err := h.operator.ListSessions(c.Request().Context(), named(c, "ref"))
	return answer(c, map[string]any{"sessions": views}, err)
}

func (h *handler) endSession(c echo.Context) error {
	if err := h.operator.EndSession(c.Request().Context(), named(c, "ref"), named(c, "sid")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (h *handler) endSessions(c echo.Context) error {
	if err := h.operator.EndSessions(c.Request().Context(), named(c, "ref")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
