// Package account is where a person sees and changes what is theirs: what
// third-party clients may do in their name, and their password.
//
//	GET  /account           ──▶ who is signed in, and what was allowed to whom
//	POST /account/consents  ──▶ ended.Client ──▶ /account
//	GET  /account/password  ──▶ page
//	POST /account/password  ──▶ the current password ──▶ one Commit: the new one
//	                        ──▶ everything of theirs ends ──▶ a session for this browser
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
	"github.com/signet-id/signet/internal/cookie"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

// Handler answers the pages of the account.
type Handler struct {
	Base      string // the issuer's path
	Store     store.Store
	Seal      *seal.Ring
	Users     *user.Directory
	Passwords *password.Method
	Clients   *client.Directory
	Sessions  session.Policy
	Ended     *ended.Endings
	Pages     *pages.Pages
	Cookies   cookie.Jar
	Scopes    map[string]string // what API scopes mean to people
}

// Mount adds the pages under g, the issuer's path. At root, the host's own, it
// adds the address at which password stores look for the page that changes a
// password (W3C, A Well-Known URL for Changing Passwords §2).
func (h *Handler) Mount(root, g *echo.Group) {
	g.GET("/account", h.show)
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

// visitor is who sits at the browser.
type visitor struct {
	session session.Session
	user    user.User
}

// visitor reads session and user in one round trip. ok is false when nobody is
// signed in.
func (h *Handler) visitor(c echo.Context) (v visitor, ok bool, err error) {
	handle, ok := session.ParseHandle(h.Cookies.Get(c.Request(), cookie.Session))
	if !ok {
		return v, false, nil
	}
	recs, err := h.Store.Get(c.Request().Context(), handle.Key(), user.Key(handle.Subject))
	if err != nil {
		return v, false, fmt.Errorf("reading the session: %w", err)
	}
	if v.session, ok = handle.Open(recs[0]); !ok {
		return v, false, nil
	}
	v.user, err = user.Decode(recs[1])
	if fault.KindOf(err) == fault.NotFound || (err == nil && v.user.Disabled) {
		return v, false, nil
	}
	return v, err == nil, err
}

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
func (h *Handler) request(v visitor) (string, error) {
	return h.Seal.Seal(purpose, []byte(v.session.ID), time.Now().Add(patience))
}

// checkRequest refuses a form that did not come from a page of this session: a
// stranger's page can post here, but cannot know the field (no CSRF).
func (h *Handler) checkRequest(c echo.Context, v visitor) error {
	sid, err := h.Seal.Open(purpose, c.Request().PostFormValue("request"))
	if err != nil || subtle.ConstantTimeCompare(sid, []byte(v.session.ID)) != 1 {
		return fault.Wrap(fault.Invalid, err, "This page has expired, or somebody else has signed in since it was opened. Open your account again.").On("request")
	}
	return nil
}

func (h *Handler) show(c echo.Context) error {
	v, ok, err := h.visitor(c)
	if err != nil {
		return err
	}
	if !ok {
		return h.signIn(c, "account")
	}
	page := pages.Account{
		User:     pages.User{Name: v.user.Name, Login: v.user.Login},
		Password: pages.Day(v.user.PasswordChanged),
	}
	if page.Accesses, err = h.accesses(c.Request().Context(), v.user.Subject); err != nil {
		return err
	}
	if page.Request, err = h.request(v); err != nil {
		return err
	}
	return h.Pages.Render(c.Response(), c.Request(), http.StatusOK, page)
}

// accesses lists what the person allowed to third parties, by name. A client
// that is no longer registered is listed too: one that takes its id tomorrow
// would find the consent. Beyond a page of the store's nobody would read on.
func (h *Handler) accesses(ctx context.Context, subject string) ([]pages.Access, error) {
	prefix := grant.ConsentPrefix(subject)
	recs, err := h.Store.List(ctx, prefix, "", store.MaxList)
	if err != nil {
		return nil, fmt.Errorf("listing consents: %w", err)
	}
	var out []pages.Access
	for _, r := range recs {
		id := strings.TrimPrefix(r.Key, prefix)
		asked, known := h.Clients.Find(id)
		if known && asked.FirstParty {
			continue // asks nobody any more, so withdrawing would change nothing
		}
		// What can't be read is shown without its scopes, so that it can be withdrawn.
		given, _ := grant.DecodeConsent(r)
		out = append(out, h.access(id, asked, given))
	}
	slices.SortStableFunc(out, func(a, b pages.Access) int {
		return strings.Compare(strings.ToLower(a.Client.Name), strings.ToLower(b.Client.Name))
	})
	return out, nil
}

func (h *Handler) access(id string, asked client.Client, given grant.Consent) pages.Access {
	a := pages.Access{ID: id, Client: pages.Client{Name: id}, Since: pages.Day(given.Given)}
	if asked.ID != "" {
		a.Client = *pages.ClientOf(asked.Name(), "", "", "", slices.Concat(asked.RedirectURIs, []string{""})[0])
	}
	for _, s := range given.Scopes {
		a.Scopes = append(a.Scopes, pages.Scope{Name: s, Description: client.Describe(s, h.Scopes)})
	}
	return a
}

// withdraw takes back what a client was allowed. A client that the person allowed
// nothing is withdrawn from as well: two clicks are not an error.
func (h *Handler) withdraw(c echo.Context) error {
	v, ok, err := h.visitor(c)
	if err != nil {
		return err
	}
	if !ok {
		return h.signIn(c, "account")
	}
	if err := h.checkRequest(c, v); err != nil {
		return err
	}
	if err := h.Ended.Client(c.Request().Context(), v.user.Subject, c.Request().PostFormValue("client")); err != nil {
		return err
	}
	return h.leadTo(c, "/account")
}
