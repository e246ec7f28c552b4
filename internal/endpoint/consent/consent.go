// Package consent asks a person whether a third-party client may have what it
// asks for, and remembers the answer.
//
//	GET  /consent ──▶ page
//	POST /consent ──accept──▶ one Commit: the consent ──▶ /authorize/resume
//	              ──deny────▶ nothing written        ──▶ /authorize/resume
//
// It never asks on behalf of a first-party client: the journey does not lead
// here then. It never answers the client itself.
package consent

import (
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/cookie"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/journey"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/internal/visitor"
)

// Handler answers the consent page.
type Handler struct {
	Base    string // the issuer's path
	Door    visitor.Door
	Seal    *seal.Ring
	Clients *client.Directory
	Pages   *pages.Pages
	Cookies cookie.Jar
	Scopes  map[string]string // what API scopes mean to people
}

// Mount adds the page under the issuer's path.
func (h *Handler) Mount(g *echo.Group) {
	g.GET("/consent", h.ask)
	g.POST("/consent", h.answer)
}

// question is what the page is about: a journey, its client, and who is asked.
type question struct {
	journey journey.Journey
	sealed  string
	client  client.Client
	user    user.User
	scopes  []string
	given   grant.Consent
}

// read opens the journey and finds out who sits at the browser, in one round trip.
func (h *Handler) read(c echo.Context, sealed string) (question, error) {
	q := question{sealed: sealed}
	var err error
	if q.journey, err = journey.Open(h.Seal, sealed, h.Cookies.Get(c.Request(), cookie.Journey)); err != nil {
		return q, err
	}
	over := fault.New(fault.Invalid, "You are no longer signed in. Go back to the application and start again.")
	known := false
	if q.client, known = h.Clients.Find(q.journey.ClientID()); !known || q.client.Disabled {
		return q, fault.New(fault.Invalid, "The application that asked is no longer registered.")
	}
	v, recs, err := h.Door.Who(c.Request(), func(subject string) string { return grant.ConsentKey(subject, q.client.ID) })
	if err != nil {
		return q, err
	}
	if v == nil {
		return q, over
	}
	q.user = v.User
	if q.given, err = grant.DecodeConsent(recs[0], q.client.Created); err != nil {
		return q, err
	}
	asked, err := grant.ReadAsked(q.client, q.journey.Request)
	q.scopes = asked.Questions()
	return q, err
}

func (h *Handler) ask(c echo.Context) error {
	q, err := h.read(c, c.QueryParam("journey"))
	if err != nil {
		return err
	}
	page := pages.Consent{
		Client: *pages.ClientOf(q.client.Name(), q.client.LogoURI, q.client.PolicyURI, q.client.TermsURI,
			q.journey.Request.Get("redirect_uri")),
		User: q.user.Name, Journey: q.sealed, Audiences: q.journey.Request["resource"],
	}
	if page.User == "" {
		page.User = q.user.Login
	}
	for _, s := range q.scopes {
		page.Scopes = append(page.Scopes, pages.Scope{Name: s, Description: client.Describe(s, h.Scopes)})
	}
	return h.Pages.Render(c.Response(), c.Request(), http.StatusOK, page)
}

func (h *Handler) answer(c echo.Context) error {
	q, err := h.read(c, c.Request().PostFormValue("journey"))
	if err != nil {
		return err
	}
	switch c.Request().PostFormValue("answer") {
	case "accept":
		op, err := q.given.Widen(q.scopes, time.Now()).Put(q.user.Subject, q.client.ID)
		if err != nil {
			return err
		}
		if _, err := h.Door.Store.Commit(c.Request().Context(), op); err != nil {
			return fmt.Errorf("remembering a consent: %w", err)
		}
		q.journey.Agreed = &journey.Agreement{Subject: q.user.Subject, Scopes: q.scopes}
	default: // no answer is not a yes
		q.journey.Refused = "access_denied"
	}
	sealed, err := q.journey.Seal(h.Seal)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Redirect(http.StatusSeeOther, h.Base+"/authorize/resume?journey="+sealed)
}
