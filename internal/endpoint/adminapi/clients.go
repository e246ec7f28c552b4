package adminapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/admin"
)

func (h *handler) listClients(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]any{"clients": h.operator.ListClients()})
}

func (h *handler) addClient(c echo.Context) error {
	var asked struct {
		ID string `json:"client_id"`
		admin.ClientSettings
	}
	if err := read(c, &asked); err != nil {
		return err
	}
	made, err := h.operator.AddClient(c.Request().Context(), asked.ID, asked.ClientSettings)
	if err != nil {
		return err
	}
	// The form of a registration response (RFC 7591 §3.2.1).
	return c.JSON(http.StatusCreated, struct {
		admin.ClientView
		Secret string `json:"client_secret,omitempty"`
	}{made.ClientView, made.Secret.Reveal()})
}

func (h *handler) showClient(c echo.Context) error {
	view, err := h.operator.ShowClient(named(c, "id"))
	return answer(c, view, err)
}

func (h *handler) setClient(c echo.Context) error {
	var asked admin.ClientSettings
	if err := read(c, &asked); err != nil {
		return err
	}
	view, err := h.operator.SetClient(c.Request().Context(), named(c, "id"), asked)
	return answer(c, view, err)
}

func (h *handler) removeClient(c echo.Context) error {
	if err := h.operator.RemoveClient(c.Request().Context(), named(c, "id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (h *handler) rotateSecret(c echo.Context) error {
	var asked struct {
		RevokeOld bool `json:"revoke_old"`
	}
	if err := read(c, &asked); err != nil {
		return err
	}
	id := named(c, "id")
	made, err := h.operator.RotateSecret(c.Request().Context(), id, asked.RevokeOld)
	return answer(c, map[string]string{"client_id": id, "client_secret": made.Reveal()}, err)
}

func (h *handler) disableClient(c echo.Context) error {
	view, err := h.operator.DisableClient(c.Request().Context(), named(c, "id"))
	return answer(c, view, err)
}

func (h *handler) enableClient(c echo.Context) error {
	view, err := h.operator.EnableClient(c.Request().Context(), named(c, "id"))
	return answer(c, view, err)
}
