package oauth

import (
	"cmp"
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
func (h *Handler) reply(c echo.Context, q *request, values ...pages.Parameter) error {
	if state, sent := q.params["state"]; sent && len(state) == 1 && state[0] != "" {
		values = append(values, pages.Parameter{Name: "state", Value: state[0]})
	}
	values = append(values, pages.Parameter{Name: "iss", Value: h.Issuer})
	slices.SortFunc(values, func(a, b pages.Parameter) int { return cmp.Compare(a.Name, b.Name) })
	c.Response().Header().Set("Cache-Control", "no-store")
	switch q.mode {
	case modeFormPost:
		return h.formPost(c, q, values)
	case modeFragment:
		return c.Redirect(http.StatusSeeOther, joined(q.redirectURI, "#", values))
	}
	separator := "?"
	if strings.Contains(q.redirectURI, "?") {
		separator = "&" // a registered URI keeps its own query (RFC 6749 §3.1.2)
	}
	return c.Redirect(http.StatusSeeOther, joined(q.redirectURI, separator, values))
}

// joined is a redirect URI with the answer behind it.
func joined(uri, separator string, values []pages.Parameter) string {
	size := len(uri)
	for _, v := range values {
		size += len("&=") + len(v.Name) + len(v.Value) + 16 // and some escapes
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString(uri)
	for _, v := range values {
		b.WriteString(separator)
		b.WriteString(v.Name)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(v.Value))
		separator = "&"
	}
	return b.String()
}

// formPost answers by a form that the browser posts to the client (OAuth 2.0 Form
// Post Response Mode §2).
func (h *Handler) formPost(c echo.Context, q *request, values []pages.Parameter) error {
	page := pages.FormPost{Client: &pages.Client{Name: q.client.Name()}, Action: q.redirectURI, Parameters: values}
	return h.Pages.Render(c.Response(), c.Request(), http.StatusOK, page)
}
