// Package logout ends a browser's session on request of the person or of a
// client (OpenID Connect RP-Initiated Logout 1.0), and tells clients in the
// browser.
//
//	GET /logout ──▶ hint fits the session ──▶ end ──▶ back to the client
//	            ──▶ anything else          ──▶ ask: POST /logout
//	POST /logout with the page's request  ──▶ end ──▶ back, or "signed out"
//	POST /logout from a client            ──▶ GET /logout, same parameters
//
// Clients of the session that want to hear of it in the browser are loaded by a
// page on the way back (Front-Channel Logout 1.0); GET /session/check is a page
// that they frame to ask whether it happened (Session Management 1.0).
//
// The cookie decides whose session ends, never the hint: a hint only shows that
// the client knows this person, and where the browser may go afterwards. It
// never redirects to an address that is not registered for the hint's client.
package logout

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/cookie"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/internal/visitor"
)

// Handler answers the end-session endpoint.
type Handler struct {
	Base    string // the issuer's path
	Door    visitor.Door
	Seal    *seal.Ring
	Mint    *token.Mint
	Clients *client.Directory
	Pages   *pages.Pages
}

// Mount adds the endpoint under the issuer's path.
func (h *Handler) Mount(g *echo.Group) {
	g.GET("/logout", h.ask)
	g.POST("/logout", h.confirmed)
	g.GET("/session/check", h.check)
}

const (
	purpose = "logout"
	// patience is how long the confirmation page may stay open.
	patience = time.Hour
)

// request is a sign-out under way. It is sealed into the confirmation page with
// the session it would end, which makes it its own CSRF token.
type request struct {
	SessionID string `json:"sid"`
	ClientID  string `json:"client,omitempty"` // of a valid hint
	Target    string `json:"target,omitempty"` // registered for that client
	State     string `json:"state,omitempty"`
	hinted    token.Hint
}

// parameters are those that we read (RP-Initiated Logout §2).
func parameters() []string {
	return []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state"}
}

// maxParameter bounds what travels through the page.
const maxParameter = 4096

func (h *Handler) ask(c echo.Context) error {
	q, err := h.parse(c.QueryParams())
	if err != nil {
		return err
	}
	v, _, err := h.Door.Who(c.Request())
	if err != nil {
		return err
	}
	switch {
	case v == nil:
		return h.done(c, q, nil)
	case q.ClientID != "" && q.hinted.SessionID == v.Session.ID:
		// The client showed an ID token of this very session: the person asked
		// there, and need not be asked again.
		return h.end(c, v.Session, q, ended.ByRelyingParty)
	}
	q.SessionID = v.Session.ID
	plain, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("writing a sign-out request: %w", err)
	}
	sealed, err := h.Seal.Seal(purpose, plain, time.Now().Add(patience))
	if err != nil {
		return err
	}
	page := pages.SignOut{Client: h.client(q), User: v.User.Name, Request: sealed}
	if page.User == "" {
		page.User = v.User.Login
	}
	return h.Pages.Render(c.Response(), c.Request(), http.StatusOK, page)
}

// confirmed takes the answer of the page. A client's own POST comes from another
// site, without our cookie (SameSite=Lax); sent on as a GET it has it.
func (h *Handler) confirmed(c echo.Context) error {
	sealed := c.Request().PostFormValue("request")
	if sealed == "" {
		onward := url.Values{}
		for _, name := range parameters() {
			if v := c.Request().PostFormValue(name); v != "" {
				onward.Set(name, v)
			}
		}
		return c.Redirect(http.StatusSeeOther, h.Base+"/logout?"+onward.Encode())
	}
	var q request
	plain, err := h.Seal.Open(purpose, sealed)
	if err != nil {
		return fault.Wrap(fault.Invalid, err, "This page has expired. Sign out again.")
	}
	if err := json.Unmarshal(plain, &q); err != nil {
		return fmt.Errorf("reading a sign-out request: %w", err)
	}
	v, _, err := h.Door.Who(c.Request())
	if err != nil {
		return err
	}
	if v == nil {
		return h.done(c, q, nil)
	}
	if v.Session.ID != q.SessionID {
		return fault.New(fault.Invalid, "Somebody else has signed in since this page was opened. Sign out again.")
	}
	return h.end(c, v.Session, q, ended.BySignOut)
}

// parse judges the parameters. An invalid hint is as good as none: the person is
// asked, and stays here afterwards.
func (h *Handler) parse(params url.Values) (request, error) {
	var q request
	for _, name := range parameters() {
		if v := params[name]; len(v) > 1 || (len(v) == 1 && len(v[0]) > maxParameter) {
			return q, fault.New(fault.Invalid, "%s was sent more than once, or is longer than %d bytes", name, maxParameter)
		}
	}
	hint, err := h.Mint.ParseHint(params.Get("id_token_hint"))
	if err != nil {
		return q, nil //nolint:nilerr // no hint, or none of ours: the person is asked
	}
	if id := params.Get("client_id"); id != "" && id != hint.ClientID {
		return q, fault.New(fault.Invalid, "client_id is not the client that id_token_hint was issued to")
	}
	c, known := h.Clients.Find(hint.ClientID)
	if !known {
		return q, nil
	}
	q.ClientID, q.hinted = c.ID, hint
	target := params.Get("post_logout_redirect_uri")
	if target == "" {
		return q, nil
	}
	if !slices.Contains(c.PostLogoutRedirectURIs, target) {
		return q, fault.New(fault.Invalid, "post_logout_redirect_uri: this address is not registered for the client %q", c.ID)
	}
	q.Target, q.State = target, params.Get("state")
	return q, nil
}

func (h *Handler) end(c echo.Context, s session.Session, q request, cause ended.Cause) error {
	if err := h.Door.Ended.Session(c.Request().Context(), s.Subject, s.ID, cause); err != nil {
		return err
	}
	return h.done(c, q, h.frames(s))
}

// done sends the browser where the client registered, or says that it is done.
// Frames are loaded first.
func (h *Handler) done(c echo.Context, q request, frames []string) error {
	h.Door.Cookies.Clear(c.Response(), cookie.Session)
	h.Door.Cookies.Clear(c.Response(), cookie.State)
	c.Response().Header().Set("Cache-Control", "no-store")
	target := q.Target
	if target != "" && q.State != "" {
		target = with(target, url.Values{"state": {q.State}})
	}
	if target == "" || len(frames) > 0 {
		page := pages.SignedOut{Client: h.client(q), Return: target, Frames: frames}
		return h.Pages.Render(c.Response(), c.Request(), http.StatusOK, page)
	}
	return c.Redirect(http.StatusSeeOther, target)
}

// with appends to the query of a registered address, which stays as it is.
func with(address string, query url.Values) string {
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + query.Encode()
}

func (h *Handler) client(q request) *pages.Client {
	c, known := h.Clients.Find(q.ClientID)
	if !known {
		return nil
	}
	return pages.ClientOf(c.Name(), c.LogoURI, c.PolicyURI, c.TermsURI, q.Target)
}
