package account

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/authn/password"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/internal/visitor"
)

// leadToPassword answers password stores, which send people here.
func (h *Handler) leadToPassword(c echo.Context) error { return h.leadTo(c, "/account/password") }

func (h *Handler) askPassword(c echo.Context) error {
	v, _, err := h.Door.Who(c.Request())
	if err != nil {
		return err
	}
	if v == nil {
		return h.signIn(c, "password")
	}
	return h.showPassword(c, v, http.StatusOK, pages.Password{})
}

func (h *Handler) showPassword(c echo.Context, v *visitor.Visitor, status int, page pages.Password) (err error) {
	page.Login = v.User.Login
	if page.Request, err = h.request(v); err != nil {
		return err
	}
	return h.Pages.Render(c.Response(), c.Request(), status, page)
}

func (h *Handler) changePassword(c echo.Context) error {
	v, _, err := h.Door.Who(c.Request())
	if err != nil {
		return err
	}
	if v == nil {
		return h.signIn(c, "password")
	}
	if err := h.checkRequest(c, v); err != nil {
		return err
	}
	who, changed, err := h.change(c, v)
	if err != nil {
		return h.passwordAgain(c, v, err)
	}
	// This browser's person has just proved themselves, and goes on in a session of
	// the new password.
	if err := h.Door.Admit(c.Response(), c.Request(), c.RealIP(), who, changed); err != nil {
		return err
	}
	return h.Pages.Render(c.Response(), c.Request(), http.StatusOK, pages.PasswordChanged{Login: v.User.Login})
}

// change proves the current password and keeps the new one; what the old one may
// have opened ends with it. The rules come first: a new password that may not be
// is no guess at the current one.
func (h *Handler) change(c echo.Context, v *visitor.Visitor) (authn.Result, user.User, error) {
	ctx := c.Request().Context()
	current, next := c.Request().PostFormValue("current"), c.Request().PostFormValue("password")
	if err := password.Acceptable(next, v.User); err != nil {
		return authn.Result{}, user.User{}, err
	}
	if next == current {
		return authn.Result{}, user.User{}, fault.New(fault.Invalid, "The new password is the current one.").On("password")
	}
	address, _ := netip.ParseAddr(c.RealIP())
	in, err := h.Passwords.SignIn(ctx, v.User.Login, current, address)
	if err != nil {
		return authn.Result{}, user.User{}, err
	}
	if in.Subject != v.User.Subject { // the login has become somebody else's in this very moment
		return authn.Result{}, user.User{}, fault.New(fault.Conflict, "Your user name has changed meanwhile. Sign in again.")
	}
	hash, err := h.Passwords.Hasher.Choose(ctx, in.User, next)
	if err != nil {
		return authn.Result{}, user.User{}, err
	}
	changed, err := h.Door.Ended.User(ctx, in.Subject, ended.ByPasswordChange, func(u *user.User) error {
		// What was proved is proved of that password only: an operator who sets
		// another one meanwhile takes this change its ground.
		if !u.Password.Equal(in.User.Password) {
			return fault.New(fault.Conflict, "Your password was changed elsewhere meanwhile. Sign in again.")
		}
		u.Password = hash
		return nil
	})
	return in.Result, changed, err
}

// passwordAgain shows the page with what to do about a failed attempt.
func (h *Handler) passwordAgain(c echo.Context, v *visitor.Visitor, err error) error {
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
