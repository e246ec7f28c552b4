package logout

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/cookie"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/session"
)

// frames are what the browser loads so that the clients of a session that just
// ended sign out as well (OpenID Connect Front-Channel Logout 1.0 §3). The client
// that asked for the sign-out is one of them. A client that was stopped still has
// its own session to end.
func (h *Handler) frames(s session.Session) []string {
	var out []string
	for _, id := range s.Clients {
		c, known := h.Clients.Find(id)
		if !known || c.FrontchannelLogoutURI == "" {
			continue
		}
		address := c.FrontchannelLogoutURI
		if c.FrontchannelLogoutSession {
			// Both or none (§2): a sid says nothing without whose it is.
			address = with(address, url.Values{"iss": {h.Mint.Issuer}, "sid": {s.ID}})
		}
		out = append(out, address)
	}
	return out
}

// check is the page that clients frame (OpenID Connect Session Management 1.0
// §3.2). It is the same for everybody: the script in it compares.
func (h *Handler) check(c echo.Context) error {
	page := pages.SessionCheck{Cookie: h.Door.Cookies.Name(cookie.State)}
	return h.Pages.Render(c.Response(), c.Request(), http.StatusOK, page)
}
