// Package adminapi gives the operator's commands an address: JSON over HTTP, for
// the local socket.
//
//	signet (command) ──unix socket, mode 0600──▶ Handler ──▶ admin.Operator
//	signet (no server) ───── in process ───────▶ Handler ──▶ admin.Operator
//
// There is no authentication here on purpose: the mode of the socket is the
// authentication. Whoever may open it is the user who owns the store, and could
// read and change the file itself. So this handler must never be served on a
// network. No browser reaches a unix socket, so there is no CSRF either; that a
// body must be application/json is the second wall, should somebody proxy it.
//
// For the same reason an internal error is told in full: who asks is who reads
// the log. It never holds a rule; those are admin's.
package adminapi

import (
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/audit"
)

type handler struct {
	operator *admin.Operator
	version  string
}

// Handler answers for op; version is what GET /status says.
func Handler(op *admin.Operator, version string) http.Handler {
	h := &handler{op, version}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard)
	e.HTTPErrorHandler = fail
	e.Use(limitBody, requireJSON)
	h.mount(e)
	return e
}

func (h *handler) mount(e *echo.Echo) {
	e.GET("/status", h.status)

	e.GET("/clients", h.listClients)
	e.POST("/clients", h.addClient)
	e.GET("/clients/:id", h.showClient)
	e.PATCH("/clients/:id", h.setClient)
	e.DELETE("/clients/:id", h.removeClient)
	e.POST("/clients/:id/secret", h.rotateSecret)
	e.POST("/clients/:id/disable", h.disableClient)
	e.POST("/clients/:id/enable", h.enableClient)

	e.GET("/users", h.listUsers)
	e.POST("/users", h.addUser)
	e.GET("/users/:ref", h.showUser)
	e.PATCH("/users/:ref", h.setUser)
	e.DELETE("/users/:ref", h.removeUser)
	e.POST("/users/:ref/password", h.setPassword)
	e.POST("/users/:ref/disable", h.disableUser)
	e.POST("/users/:ref/enable", h.enableUser)

	e.GET("/users/:ref/sessions", h.listSessions)
	e.DELETE("/users/:ref/sessions", h.endSessions)
	e.DELETE("/users/:ref/sessions/:sid", h.endSession)

	e.GET("/keys", h.listKeys)
	e.POST("/keys/rotate", h.rotateKeys)
	e.POST("/keys/:kid/compromise", h.compromiseKey)

	e.GET("/audit", h.listAudit)

	e.GET("/outbox", h.listCalls)
	e.POST("/outbox/retry", h.retryCalls)

	e.GET("/refusals/:id", h.explainRefusal)

	h.mountStore(e)
}

func (h *handler) status(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"version": h.version})
}

func (h *handler) explainRefusal(c echo.Context) error {
	e, err := h.operator.Explain(c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, e)
}

func (h *handler) listKeys(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]any{"keys": h.operator.ListKeys()})
}

func (h *handler) rotateKeys(c echo.Context) error {
	var asked struct {
		Algorithms []string `json:"algs"`
	}
	if err := read(c, &asked); err != nil {
		return err
	}
	rotated, err := h.operator.RotateKeys(c.Request().Context(), asked.Algorithms...)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"keys": rotated})
}

// compromiseKey answers with the key as it was, and the ring without it: who has
// to act wants to see what signs now.
func (h *handler) compromiseKey(c echo.Context) error {
	removed, err := h.operator.CompromiseKey(c.Request().Context(), named(c, "kid"))
	return answer(c, map[string]any{"compromised": removed, "keys": h.operator.ListKeys()}, err)
}

func (h *handler) listAudit(c echo.Context) error {
	limit, err := pageSize(c)
	if err != nil {
		return err
	}
	events, err := h.operator.ListAudit(c.Request().Context(), c.QueryParam("after"), limit)
	if err != nil {
		return err
	}
	page := struct {
		Events []audit.Event `json:"events"`
		Next   string        `json:"next,omitempty"` // the after of the next page
	}{Events: events}
	if len(events) == limit {
		page.Next = events[len(events)-1].ID
	}
	return c.JSON(http.StatusOK, page)
}
