package adminapi

import (
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/fault"
)

func (h *handler) listCalls(c echo.Context) error {
	limit, err := pageSize(c)
	if err != nil {
		return err
	}
	givenUp := false
	if text := c.QueryParam("given_up"); text != "" {
		if givenUp, err = strconv.ParseBool(text); err != nil {
			return fault.Wrap(fault.Invalid, err, "%q is neither true nor false", text).On("given_up")
		}
	}
	calls, next, err := h.operator.ListCalls(c.Request().Context(), givenUp, c.QueryParam("after"), limit)
	return answer(c, struct {
		Calls []admin.CallView `json:"calls"`
		Next  string           `json:"next,omitempty"` // the after of the next page
	}{calls, next}, err)
}

// retryCalls wants names, or to be told that all are meant: an empty list that a
// program has made by mistake retries nothing.
func (h *handler) retryCalls(c echo.Context) error {
	var asked struct {
		IDs []string `json:"ids"`
		All bool     `json:"all"`
	}
	if err := read(c, &asked); err != nil {
		return err
	}
	if asked.All == (len(asked.IDs) > 0) {
		return fault.New(fault.Invalid, "name the calls in ids, or set all for every call that was given up").On("ids")
	}
	n, err := h.operator.RetryCalls(c.Request().Context(), asked.IDs...)
	return answer(c, map[string]int{"retried": n}, err)
}
