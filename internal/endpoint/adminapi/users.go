package adminapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/secret"
)

func (h *handler) listUsers(c echo.Context) error {
	limit, err := pageSize(c)
	if err != nil {
		return err
	}
	users, err := h.operator.ListUsers(c.Request().Context(), c.QueryParam("after"), limit)
	if err != nil {
		return err
	}
	page := struct {
		Users []admin.UserView `json:"users"`
		Next  string           `json:"next,omitempty"` // the after of the next page
	}{Users: users}
	if len(users) == limit {
		page.Next = users[len(users)-1].Subject
	}
	return c.JSON(http.StatusOK, page)
}

func (h *handler) addUser(c echo.Context) error {
	var asked struct {
		admin.UserSettings
		Password string `json:"password,omitempty"`
	}
	if err := read(c, &asked); err != nil {
		return err
	}
	view, err := h.operator.AddUser(c.Request().Context(), asked.UserSettings, secret.New(asked.Password))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, view)
}

func (h *handler) showUser(c echo.Context) error {
	view, err := h.operator.ShowUser(c.Request().Context(), named(c, "ref"))
	return answer(c, view, err)
}

func (h *handler) setUser(c echo.Context) error {
	var asked admin.UserSettings
	if err := read(c, &asked); err != nil {
		return err
	}
	view, err := h.operator.SetUser(c.Request().Context(), named(c, "ref"), asked)
	return answer(c, view, err)
}

func (h *handler) removeUser(c echo.Context) error {
	if err := h.operator.RemoveUser(c.Request().Context(), named(c, "ref")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (h *handler) setPassword(c echo.Context) error {
	var asked struct {
		Password string `json:"password"`
	}
	if err := read(c, &asked); err != nil {
		return err
	}
	view, err := h.operator.SetPassword(c.Request().Context(), named(c, "ref"), secret.New(asked.Password))
	return answer(c, view, err)
}

func (h *handler) disableUser(c echo.Context) error {
	view, err := h.operator.DisableUser(c.Request().Context(), named(c, "ref"))
	return answer(c, view, err)
}

func (h *handler) enableUser(c echo.Context) error {
	view, err := h.operator.EnableUser(c.Request().Context(), named(c, "ref"))
	return answer(c, view, err)
}
