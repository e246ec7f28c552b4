// Package echoverify lets services built on Echo use package verify.
//
//	e.GET("/orders", list, echoverify.Require(v, "orders:read"))
//	tok, ok := echoverify.Token(c) // inside list
//
// It owns nothing but the translation: the judgement and the words of a refusal
// are package verify's, the response is written by the service's own Echo error
// handler. It is a package of its own so that services without Echo do not
// import it.
//
//	request ─▶ verify.Authenticate ──ok──▶ context ─▶ handler
//	                  └─refused─▶ challenge header, *echo.HTTPError ─▶ error handler
package echoverify

import (
	"errors"
	"fmt"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/pkg/verify"
)

// Require returns middleware that lets a request through when it carries a token
// with all of scopes. Otherwise it sets the challenge and returns an
// [*echo.HTTPError] that wraps the [*verify.Error]. Like [verify.Verifier.Require]
// it panics at a scope that no token can have.
func Require(v *verify.Verifier, scopes ...string) echo.MiddlewareFunc {
	v.Require(scopes...) // only for its check of the scopes
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			tok, err := v.Authenticate(c.Request(), scopes...)
			if err != nil {
				return Refuse(c, err)
			}
			c.SetRequest(c.Request().WithContext(verify.NewContext(c.Request().Context(), tok)))
			return next(c)
		}
	}
}

// Token returns the token that Require verified for this request. ok is false
// where Require did not run.
func Token(c echo.Context) (tok verify.Token, ok bool) {
	return verify.FromContext(c.Request().Context())
}

// Refuse sets the response headers of err, which came from package verify, and
// returns what an Echo handler has to return. Any other error it returns as is.
//
//	if err := tok.SignedInWithin(5 * time.Minute); err != nil {
//		return echoverify.Refuse(c, err)
//	}
func Refuse(c echo.Context, err error) error {
	var refusal *verify.Error
	if !errors.As(err, &refusal) {
		return fmt.Errorf("judging the token: %w", err)
	}
	for name, value := range refusal.Header() {
		c.Response().Header()[name] = value
	}
	return echo.NewHTTPError(refusal.Status(), refusal.Body()).SetInternal(err)
}
