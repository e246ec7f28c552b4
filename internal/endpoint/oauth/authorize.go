package oauth

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/cookie"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/journey"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/refusal"
	"github.com/signet-id/signet/internal/session"
)

// authorize answers GET and POST /authorize: a new journey begins.
func (h *Handler) authorize(c echo.Context) error {
	params, err := readAuthorize(c)
	if err != nil && len(params) == 0 {
		return h.fail(c, err)
	}
	q, err := h.validate(c.Request().Context(), params)
	if err != nil {
		return h.refuseRequest(c, q, err)
	}
	binding := h.Door.Cookies.Get(c.Request(), cookie.Journey)
	if binding == "" {
		binding = rand.Text()
		h.Door.Cookies.Set(c.Response(), cookie.Journey, binding)
	}
	return h.advance(c, q, journey.Begin(params, binding, time.Now()))
}

// resume answers GET /authorize/resume: a page did its part. The request is
// validated anew; what held an hour ago may not hold now.
func (h *Handler) resume(c echo.Context) error {
	binding := h.Door.Cookies.Get(c.Request(), cookie.Journey)
	j, err := journey.Open(h.Seal, c.QueryParam("journey"), binding)
	if err != nil {
		return h.fail(c, err)
	}
	q, err := h.validate(c.Request().Context(), j.Request)
	if err != nil {
		return h.refuseRequest(c, q, err)
	}
	return h.advance(c, q, j)
}

// advance takes the journey's next step.
func (h *Handler) advance(c echo.Context, q *request, j journey.Journey) error {
	p, err := h.person(c, q)
	if err != nil {
		return h.refuseRequest(c, q, err)
	}
	step, code := j.Next(q.demand, p.Person, time.Now())
	switch step {
	case journey.SignIn:
		return h.send(c, j, "/signin")
	case journey.Consent:
		return h.send(c, j, "/consent")
	case journey.Refuse:
		return h.refuseRequest(c, q, declined(code))
	case journey.Issue:
	}
	return h.issue(c, q, p)
}

// declined says why a journey ended without a code (OpenID Connect Core §3.1.2.6).
func declined(code string) *refused {
	switch code {
	case "login_required":
		return refuse(refusal.LoginRequired, "the person must sign in, and the request does not allow asking, or names somebody else")
	case "consent_required":
		return refuse(refusal.ConsentRequired, "the person must agree, and the request does not allow asking")
	default:
		return refuse(refusal.PersonDeclined, "the person declined")
	}
}

// send moves the browser to a page, with the sealed journey. The query string
// is not logged, and no page's Referer shows it.
func (h *Handler) send(c echo.Context, j journey.Journey, page string) error {
	sealed, err := j.Seal(h.Seal)
	if err != nil {
		return h.fail(c, err)
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Redirect(http.StatusSeeOther, h.Base+page+"?journey="+sealed)
}

// signedIn is who sits at the browser, and the session that says so.
type signedIn struct {
	journey.Person
	session session.Session
}

// person reads session, user and remembered consent in one round trip, and
// nothing at all for a browser without a cookie.
func (h *Handler) person(c echo.Context, q *request) (signedIn, error) {
	v, recs, err := h.Door.Who(c.Request(), func(subject string) string { return grant.ConsentKey(subject, q.client.ID) })
	if err != nil || v == nil {
		return signedIn{}, err
	}
	consent, err := grant.DecodeConsent(recs[0], q.client.Created)
	if err != nil {
		return signedIn{}, err
	}
	return signedIn{journey.Person{Subject: v.User.Subject, AuthTime: v.Session.AuthTime, Consent: consent}, v.Session}, nil
}

// issue answers with a code. It writes nothing: the code is sealed.
func (h *Handler) issue(c echo.Context, q *request, p signedIn) error {
	code := grant.NewCode(p.Subject, p.session.ID)
	code.ClientID, code.RedirectURI = q.client.ID, q.redirectURI
	code.Scopes, code.Audience, code.Claims = q.asked.Scopes, q.audience, q.asked.Claims
	code.Nonce, code.Challenge = q.params.Get("nonce"), q.challenge
	code.Authentication = grant.Authentication{Time: p.AuthTime, ACR: p.session.ACR, AMR: p.session.AMR}
	sealed, err := code.Seal(h.Seal, time.Now())
	if err != nil {
		return h.refuseRequest(c, q, err)
	}
	answer := append(make([]pages.Parameter, 0, 4), pages.Parameter{Name: "code", Value: sealed})
	if state := p.session.StateFor(q.client.ID, q.redirectURI); state != "" {
		// OpenID Connect Session Management 1.0 §2
		answer = append(answer, pages.Parameter{Name: "session_state", Value: state})
	}
	return h.reply(c, q, answer...)
}
