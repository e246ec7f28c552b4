// Package signin is where a person proves who they are: the sign-in page, and
// the front door that says who is signed in.
//
//	GET  /signin ──▶ page                     nothing read, nothing written
//	POST /signin ──▶ method ──▶ one Commit: the session ──▶ /authorize/resume
//
// It knows methods of signing in and sessions, never the client's protocol: the
// sealed journey goes back to the authorization endpoint, which decides what is
// next. A journey is bound to the browser by a cookie, so a form that was not
// ours, or not this browser's, signs nobody in (no login CSRF).
package signin

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/authn/password"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/cookie"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/journey"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/internal/visitor"
)

// Handler answers the sign-in page.
type Handler struct {
	Base      string // the issuer's path
	Door      visitor.Door
	Seal      *seal.Ring
	Users     *user.Directory
	Passwords *password.Method
	Clients   *client.Directory
	Pages     *pages.Pages
	Cookies   cookie.Jar
	// Count is told how each attempt ended: ok, or the kind of its failure.
	Count func(outcome string)
	// Personas may be signed in with one click. Only a loopback issuer has any.
	Personas []pages.Persona
}

// Mount adds the page under the issuer's path.
func (h *Handler) Mount(g *echo.Group) {
	g.GET("/", h.home)
	g.GET("/signin", h.ask)
	g.POST("/signin", h.answer)
}

// ask shows the page. A person who comes without a journey signs in to the
// issuer itself.
func (h *Handler) ask(c echo.Context) error {
	sealed := c.QueryParam("journey")
	if sealed == "" {
		return h.begin(c)
	}
	j, err := h.open(c, sealed)
	if err != nil {
		return err
	}
	return h.show(c, http.StatusOK, j, sealed, pages.SignIn{Login: j.Request.Get("login_hint")})
}

// begin starts a journey of no client, so that this sign-in is bound to the
// browser like any other. It remembers which page of ours sent the person.
func (h *Handler) begin(c echo.Context) error {
	binding := h.Cookies.Get(c.Request(), cookie.Journey)
	if binding == "" {
		binding = rand.Text()
		h.Cookies.Set(c.Response(), cookie.Journey, binding)
	}
	j := journey.Begin(url.Values{"then": {c.QueryParam("then")}}, binding, time.Now())
	sealed, err := j.Seal(h.Seal)
	if err != nil {
		return err
	}
	return h.show(c, http.StatusOK, j, sealed, pages.SignIn{})
}

func (h *Handler) open(c echo.Context, sealed string) (journey.Journey, error) {
	return journey.Open(h.Seal, sealed, h.Cookies.Get(c.Request(), cookie.Journey))
}

// show renders the page with what the journey says of the client.
func (h *Handler) show(c echo.Context, status int, j journey.Journey, sealed string, page pages.SignIn) error {
	page.Journey, page.Personas = sealed, h.Personas
	if asked, ok := h.Clients.Find(j.ClientID()); ok {
		page.Client = pages.ClientOf(asked.Name(), asked.LogoURI, asked.PolicyURI, asked.TermsURI, j.Request.Get("redirect_uri"))
		page.CanCancel = true
	}
	return h.Pages.Render(c.Response(), c.Request(), status, page)
}

// answer takes what the person chose on the page.
func (h *Handler) answer(c echo.Context) error {
	sealed := c.Request().PostFormValue("journey")
	j, err := h.open(c, sealed)
	if err != nil {
		return err
	}
	if c.Request().PostFormValue("action") == "cancel" && j.ClientID() != "" {
		j.Refused = "access_denied"
		return h.goOn(c, j)
	}
	in, also, err := h.authenticate(c)
	if err != nil {
		h.Count(fault.KindOf(err).String())
		return h.again(c, j, sealed, err)
	}
	if err := h.Door.Admit(c.Response(), c.Request(), c.RealIP(), in.Result, in.User, also...); err != nil {
		h.Count(fault.KindOf(err).String())
		return err
	}
	h.Count("ok")
	j.SignedIn = in.Subject
	return h.goOn(c, j)
}

// authenticate asks the method that the form names. The ops go into the Commit
// of the sign-in.
func (h *Handler) authenticate(c echo.Context) (password.SignedIn, []store.Op, error) {
	ctx := c.Request().Context()
	if login := c.Request().PostFormValue("persona"); login != "" {
		in, err := h.persona(ctx, login)
		return in, nil, err
	}
	address, _ := netip.ParseAddr(c.RealIP())
	typed := c.Request().PostFormValue("password")
	in, err := h.Passwords.SignIn(ctx, c.Request().PostFormValue("login"), typed, address)
	if err != nil || !in.Rehash {
		return in, nil, err
	}
	if in.User.Password, err = h.Passwords.Hasher.Hash(ctx, typed); err != nil {
		return in, nil, fmt.Errorf("renewing a password hash: %w", err)
	}
	op, err := user.Replace(in.User, in.Version)
	return in, []store.Op{op}, err
}

func (h *Handler) persona(ctx context.Context, login string) (password.SignedIn, error) {
	for _, p := range h.Personas {
		if p.Login == login {
			u, _, err := h.Users.ByLogin(ctx, login)
			return password.SignedIn{Result: authn.New(u.Subject, time.Now(), authn.AMRPassword), User: u}, err
		}
	}
	return password.SignedIn{}, fault.New(fault.Unauthenticated, "There is no such persona.")
}

// again shows the page with what to do about a failed attempt.
func (h *Handler) again(c echo.Context, j journey.Journey, sealed string, err error) error {
	page := pages.SignIn{Login: c.Request().PostFormValue("login")}
	switch fault.KindOf(err) {
	case fault.Unauthenticated:
		_, page.Problem = fault.Public(err)
		return h.show(c, http.StatusUnprocessableEntity, j, sealed, page)
	case fault.TooMany:
		wait := max(fault.RetryAfter(err).Round(time.Second), time.Second)
		page.Waiting = pages.Wait(wait)
		c.Response().Header().Set("Retry-After", fmt.Sprint(int(wait/time.Second)))
		return h.show(c, http.StatusTooManyRequests, j, sealed, page)
	default:
		return err
	}
}

// landing is where a sign-in of no client ends. The pages are named here one by
// one, so that no link can make of the issuer a way to anywhere else.
func landing(then string) string {
	switch then {
	case "account":
		return "/account"
	case "password":
		return "/account/password"
	default:
		return "/"
	}
}

// goOn returns to where the journey is decided, or to a page of ours for a
// journey of no client.
func (h *Handler) goOn(c echo.Context, j journey.Journey) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	if j.ClientID() == "" {
		return c.Redirect(http.StatusSeeOther, h.Base+landing(j.Request.Get("then")))
	}
	sealed, err := j.Seal(h.Seal)
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, h.Base+"/authorize/resume?journey="+sealed)
}
