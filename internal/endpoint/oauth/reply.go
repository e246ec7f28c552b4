package oauth

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/pages"
)

// The ways in which an answer reaches the client.
const (
	modeQuery    = "query"
	modeFragment = "fragment"
	modeFormPost = "form_post"
)

// reply answers the client with values, success or error alike: the state byte
// for byte if one was sent, and iss, by which the client knows which issuer
// answers (RFC 9207).
func (h *Handler) reply(c echo.Context, q *request, values url.Values) error {
	if state, sent := q.params["state"]; sent && len(state) == 1 && state[0] != "" {
		values.Set("state", state[0])
	}
	values.Set("iss", h.Issuer)
	c.Response().Header().Set("Cache-Control", "no-store")
	switch q.mode {
	case modeFormPost:
		return h.formPost(c, q, values)
	case modeFragment:
		return c.Redirect(http.StatusSeeOther, q.redirectURI+"#"+values.Encode())
	}
	separator := "?"
	if strings.Contains(q.redirectURI, "?") {
		separator = "&" // a registered URI keeps its own query (RFC 6749 §3.1.2)
	}
	return c.Redirect(http.StatusSeeOther, q.redirectURI+separator+values.Encode())
}

// formPost answers by a form that the browser posts to the client (OAuth 2.0 Form
// Post Response Mode §2).
func (h *Handler) formPost(c echo.Context, q *request, values url.Values) error {
	page := pages.FormPost{Client: &pages.Client{Name: q.client.Name()}, Action: q.redirectURI}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		page.Parameters = append(page.Parameters, pages.Parameter{Name: name, Value: values.Get(name)})
	}
	return h.Pages.Render(c.Response(), c.Request(), http.StatusOK, page)
}
