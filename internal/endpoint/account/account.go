// Package account is where a person sees and changes what is theirs: where they
// are signed in, what third-party clients may do in their name, and their password.
//
//	GET  /account                      ──▶ who is signed in, where, and what was allowed to whom
//	POST /account/sessions/end         ──▶ ended.Session ──▶ /account
//	POST /account/sessions/end-others  ──▶ ended.Session, each but this ──▶ /account
//	POST /account/consents             ──▶ ended.Consent ──▶ /account
//	GET  /account/password             ──▶ page
//	POST /account/password             ──▶ the current password ──▶ one Commit: the new one
//	                                       with the end of everything of theirs ──▶ a session for this browser
//
// The cookie alone decides whose account it is; nothing in a form names a
// person. Each form carries the sealed name of its session, so one that was not
// ours, or not of this session, changes nothing. It never serves anybody but the
// person at the browser: what operators change is package admin's.
package account

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/authn/password"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/visitor"
)

// Handler answers the pages of the account.
type Handler struct {
	Base      string // the issuer's path
	Door      visitor.Door
	Seal      *seal.Ring
	Passwords *password.Method
	Clients   *client.Directory
	Pages     *pages.Pages
	Scopes    map[string]string // what API scopes mean to people
}

// Mount adds the pages under g, the issuer's path. At root, the host's own, it
// adds the address at which password stores look for the page that changes a
// password (W3C, A Well-Known URL for Changing Passwords §2).
func (h *Handler) Mount(root, g *echo.Group) {
	g.GET("/account", h.show)
	g.POST("/account/sessions/end", h.endSession)
	g.POST("/account/sessions/end-others", h.endOthers)
	g.POST("/account/consents", h.withdraw)
	g.GET("/account/password", h.askPassword)
	g.POST("/account/password", h.changePassword)
	root.GET("/.well-known/change-password", h.leadToPassword)
}

const (
	purpose = "account"
	// patience is how long a page may stay open before its forms are refused.
	patience = time.Hour
)

// signIn sends a person who is not signed in to where they can, and says where
// they were going.
func (h *Handler) signIn(c echo.Context, then string) error {
	return h.leadTo(c, "/signin?then="+then)
}

func (h *Handler) leadTo(c echo.Context, page string) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Redirect(http.StatusSeeOther, h.Base+page)
}

// request makes the hidden field of the visitor's forms.
func (h *Handler) request(v *visitor.Visitor) (string, error) {
	return h.Seal.Seal(purpose, []byte(v.Session.ID), time.Now().Add(patience))
}

// checkRequest refuses a form that did not come from a page of this session: a
// stranger's page can post here, but cannot know the field (no CSRF).
func (h *Handler) checkRequest(c echo.Context, v *visitor.Visitor) error {
	sid, err := h.Seal.Open(purpose, c.Request().PostFormValue("request"))
	if err != nil || subtle.ConstantTimeCompare(sid, []byte(v.Session.ID)) != 1 {
		return fault.Wrap(fault.Invalid, err, "This page has expired, or somebody else has signed in since it was opened. Open your account again.").On("request")
	}
	return nil
}

func (h *Handler) show(c echo.Context) error {
	v, _, err := h.Door.Who(c.Request())
	if err != nil {
		return err
	}
	if v == nil {
		return h.signIn(c, "account")
	}
	page := pages.Account{
		User:     pages.User{Name: v.User.Name, Login: v.User.Login},
		Password: pages.Day(v.User.PasswordChanged),
	}
	if page.Seats, err = h.seats(c.Request().Context(), v); err != nil {
		return err
	}
	if page.Consents, err = h.consents(c.Request().Context(), v.User.Subject); err != nil {
		return err
	}
	if page.Request, err = h.request(v); err != nil {
		return err
	}
	return h.Pages.Render(c.Response(), c.Request(), http.StatusOK, page)
}

// consents lists what the person allowed to third parties, by name. A client
// that is no longer registered is listed too: one that takes its id tomorrow
// would find the consent. Beyond a page of the store's nobody would read on.
func (h *Handler) consents(ctx context.Context, subject string) ([]pages.Given, error) {
	prefix := grant.ConsentPrefix(subject)
	recs, err := h.Door.Store.List(ctx, prefix, "", store.MaxList)
	if err != nil {
		return nil, fmt.Errorf("listing consents: %w", err)
	}
	var out []pages.Given
	for _, r := range recs {
		id := strings.TrimPrefix(r.Key, prefix)
		asked, known := h.Clients.Find(id)
		if known && asked.FirstParty {
			continue // asks nobody any more, so withdrawing would change nothing
		}
		// What can't be read is shown without its scopes, so that it can be withdrawn.
		consent, _ := grant.DecodeConsent(r, asked.Created)
		out = append(out, h.given(id, asked, consent))
	}
	slices.SortStableFunc(out, func(a, b pages.Given) int {
		return strings.Compare(strings.ToLower(a.Client.Name), strings.ToLower(b.Client.Name))
	})
	return out, nil
}

func (h *Handler) given(id string, asked client.Client, consent grant.Consent) pages.Given {
	g := pages.Given{ID: id, Client: pages.Client{Name: id}, Since: pages.Day(consent.Given)}
	if asked.ID != "" {
		g.Client = *pages.ClientOf(asked.Name(), "", "", "", slices.Concat(asked.RedirectURIs, []string{""})[0])
	}
	for _, s := range consent.Scopes {
		g.Scopes = append(g.Scopes, pages.Scope{Name: s, Description: client.Describe(s, h.Scopes)})
	}
	return g
}

// withdraw takes back what a client was allowed. A client that the person allowed
// nothing is withdrawn from as well: two clicks are not an error.
func (h *Handler) withdraw(c echo.Context) error {
	return h.end(c, func(ctx context.Context, v *visitor.Visitor) error {
		return h.Door.Ended.Consent(ctx, v.User.Subject, c.Request().PostFormValue("client"), ended.ByAccountPage)
	})
}

// end does what a form of the account page asks for, if it is of this session,
// and shows the page anew.
func (h *Handler) end(c echo.Context, what func(context.Context, *visitor.Visitor) error) error {
	v, _, err := h.Door.Who(c.Request())
	if err != nil {
		return err
	}
	if v == nil {
		return h.signIn(c, "account")
	}
	if err := h.checkRequest(c, v); err != nil {
		return err
	}
	if err := what(c.Request().Context(), v); err != nil {
		return err
	}
	return h.leadTo(c, "/account")
}
