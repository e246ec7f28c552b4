package account

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/authn/password"
	"github.com/signet-id/signet/internal/cookie"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/user"
)

// leadToPassword answers password stores, which send people here.
func (h *Handler) leadToPassword(c echo.Context) error { return h.leadTo(c, "/account/password") }

func (h *Handler) askPassword(c echo.Context) error {
	v, ok, err := h.visitor(c)
	if err != nil {
		return err
	}
	if !ok {
		return h.signIn(c, "password")
	}
	return h.showPassword(c, v, http.StatusOK, pages.Password{})
}

func (h *Handler) showPassword(c echo.Context, v visitor, status int, page pages.Password) (err error) {
	page.Login = v.user.Login
	if page.Request, err = h.request(v); err != nil {
		return err
	}
	return h.Pages.Render(c.Response(), c.Request(), status, page)
}

func (h *Handler) changePassword(c echo.Context) error {
	v, ok, err := h.visitor(c)
	if err != nil {
		return err
	}
	if !ok {
		return h.signIn(c, "password")
	}
	if err := h.checkRequest(c, v); err != nil {
		return err
	}
	who, err := h.change(c, v)
	if err != nil {
		return h.passwordAgain(c, v, err)
	}
	if err := h.startAnew(c, who); err != nil {
		return err
	}
	return h.Pages.Render(c.Response(), c.Request(), http.StatusOK, pages.PasswordChanged{Login: v.user.Login})
}

// change proves the current password and keeps the new one. The rules come first:
// a new password that may not be is no guess at the current one.
func (h *Handler) change(c echo.Context, v visitor) (authn.Result, error) {
	ctx := c.Request().Context()
	current, next := c.Request().PostFormValue("current"), c.Request().PostFormValue("password")
	if err := password.Acceptable(next, v.user); err != nil {
		return authn.Result{}, err
	}
	if next == current {
		return authn.Result{}, fault.New(fault.Invalid, "The new password is the current one.").On("password")
	}
	address, _ := netip.ParseAddr(c.RealIP())
	in, err := h.Passwords.SignIn(ctx, v.user.Login, current, address)
	if err != nil {
		return authn.Result{}, err
	}
	if in.Subject != v.user.Subject { // the login has become somebody else's in this very moment
		return authn.Result{}, fault.New(fault.Conflict, "Your user name has changed meanwhile. Sign in again.")
	}
	hash, err := h.Passwords.Hasher.Choose(ctx, in.User, next)
	if err != nil {
		return authn.Result{}, err
	}
	_, err = h.Users.Update(ctx, in.Subject, func(u *user.User) error {
		// What was proved is proved of that password only: an operator who sets
		// another one meanwhile takes this change its ground.
		if !u.Password.Equal(in.User.Password) {
			return fault.New(fault.Conflict, "Your password was changed elsewhere meanwhile. Sign in again.")
		}
		u.Password = hash
		return nil
	})
	return in.Result, err
}

// startAnew ends everything that the old password may have opened, and begins a
// session for this browser, where the person has just proved who they are.
func (h *Handler) startAnew(c echo.Context, who authn.Result) error {
	ctx := c.Request().Context()
	if err := h.Ended.User(ctx, who.Subject); err != nil {
		return err
	}
	s, handle := h.Sessions.Begin(who, session.Origin{Address: c.RealIP(), Agent: c.Request().UserAgent()})
	op, err := h.Sessions.Put(s)
	if err != nil {
		return err
	}
	if _, err := h.Store.Commit(ctx, op); err != nil {
		return fmt.Errorf("beginning a session: %w", err)
	}
	h.Cookies.Set(c.Response(), cookie.Session, handle.Cookie())
	return nil
}

// passwordAgain shows the page with what to do about a failed attempt.
func (h *Handler) passwordAgain(c echo.Context, v visitor, err error) error {
	page, status := pages.Password{}, http.StatusUnprocessableEntity
	switch fault.KindOf(err) {
	case fault.Unauthenticated:
		page.Current = "This is not your current password."
	case fault.Invalid:
		_, page.Next = fault.Public(err)
	case fault.TooMany:
		wait := max(fault.RetryAfter(err).Round(time.Second), time.Second)
		page.Waiting, status = pages.Wait(wait), http.StatusTooManyRequests
		c.Response().Header().Set("Retry-After", fmt.Sprint(int(wait/time.Second)))
	default:
		return err
	}
	return h.showPassword(c, v, status, page)
}
