package app

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/assertion"
	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/authn/password"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/cookie"
	"github.com/signet-id/signet/internal/endpoint/account"
	"github.com/signet-id/signet/internal/endpoint/consent"
	"github.com/signet-id/signet/internal/endpoint/contact"
	"github.com/signet-id/signet/internal/endpoint/discovery"
	"github.com/signet-id/signet/internal/endpoint/logout"
	"github.com/signet-id/signet/internal/endpoint/oauth"
	"github.com/signet-id/signet/internal/endpoint/signin"
	"github.com/signet-id/signet/internal/endpoint/statuslist"
	"github.com/signet-id/signet/internal/endpoint/userinfo"
	"github.com/signet-id/signet/internal/httpd"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/remote"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/telemetry"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/internal/visitor"
)

// rooms are what only the endpoints need.
type rooms struct {
	base      string // the issuer's path
	look      *pages.Pages
	cookies   cookie.Jar
	sessions  session.Policy
	passwords *password.Method
	personas  []pages.Persona
}

// mount is the whole server in one list: each endpoint with all it may touch.
func (a *App) mount(r rooms) error {
	documents, err := discovery.New(discovery.Options{
		Issuer: a.config.Issuer, Base: r.base, Keys: a.keys, MaxAge: a.config.Keys.JWKSMaxAge,
		Scopes: a.scopes(), Claims: claims(), ACRValues: []string{authn.ACROneFactor},
	})
	if err != nil {
		return err
	}
	counters := a.newCounters()
	root := a.server.Echo().Group("")
	g := a.server.Echo().Group(r.base)
	documents.Mount(root, g)
	door := visitor.Door{Store: a.store, Cookies: r.cookies, Sessions: r.sessions, Ended: a.ended}
	authorization, err := oauth.New(oauth.Options{
		Issuer: a.config.Issuer, Base: r.base, Door: door, Seal: a.seal, Clients: a.clients, Mint: a.mint,
		Pages: r.look, Log: a.log, Take: a.status.Slots.Take, HasEnded: a.status.Board.HasEnded,
		Assertions: assertion.New(assertion.Options{
			Audience: []string{a.config.Issuer, a.config.Issuer + "/token"}, Box: a.box, Fetch: a.fetcher(remote.DefaultConcurrent),
		}),
		Refresh: oauth.RefreshPolicy{Lifetime: a.config.Tokens.RefreshLifetime, Window: a.config.Tokens.ReuseWindow},
		Count:   counters.token, Refusals: a.refusals, Candid: a.config.Loopback(),
	})
	if err != nil {
		return err
	}
	authorization.Mount(g)
	(&signin.Handler{
		Base: r.base, Door: door, Seal: a.seal, Users: a.users, Passwords: r.passwords, Clients: a.clients,
		Pages: r.look, Cookies: r.cookies, Personas: r.personas, Count: counters.signIn,
	}).Mount(g)
	(&consent.Handler{
		Base: r.base, Door: door, Seal: a.seal, Clients: a.clients, Pages: r.look, Cookies: r.cookies, Scopes: a.config.Scopes,
	}).Mount(g)
	(&logout.Handler{Base: r.base, Door: door, Seal: a.seal, Mint: a.mint, Clients: a.clients, Pages: r.look}).Mount(g)
	(&account.Handler{
		Base: r.base, Door: door, Seal: a.seal, Passwords: r.passwords, Clients: a.clients,
		Pages: r.look, Scopes: a.config.Scopes,
	}).Mount(root, g)
	(&contact.Handler{
		Origin: strings.TrimSuffix(a.config.Issuer, r.base), Contact: a.config.Security.Contact,
	}).Mount(root)
	(&userinfo.Handler{
		Issuer: a.config.Issuer, Store: a.store, Clients: a.clients, Mint: a.mint, Log: a.log, HasEnded: a.status.Board.HasEnded,
	}).Mount(g)
	(&statuslist.Handler{Board: a.status.Board, Hub: a.status.Hub}).Mount(g)
	g.GET("/assets/*", echo.WrapHandler(r.look.Assets()))
	return nil
}

// newServer makes the public server, whose last resort for a browser is a page.
func (a *App) newServer(look *pages.Pages) (*httpd.Server, error) {
	cfg := a.config.HTTP
	return httpd.New(httpd.Options{
		Address: cfg.Address, TLS: httpd.TLS{Certificate: cfg.TLS.Certificate, Key: cfg.TLS.Key},
		TrustedProxies: cfg.TrustedProxies, HTTPS: strings.HasPrefix(a.config.Issuer, "https:"),
		MaxBody: int64(cfg.MaxBody), Timeout: cfg.Timeout, Telemetry: a.Telemetry,
		Fail: func(c echo.Context, err error) {
			f := httpd.FailureOf(err)
			err = look.Render(c.Response(), c.Request(), f.Status, pages.Failure{
				Title: title(f.Status), Message: f.Message, Reference: telemetry.RequestID(c.Request().Context()),
			})
			if err != nil { // nothing is written yet: JSON is the answer then
				a.log.ErrorContext(c.Request().Context(), "showing an error", slog.Any("error", err))
			}
		},
	})
}

func title(status int) string {
	switch {
	case status == http.StatusNotFound:
		return "There is nothing here"
	case status >= http.StatusInternalServerError:
		return "That did not work"
	default:
		return "Please start again"
	}
}

// scopes lists what may be asked for: OpenID Connect's and ours, then those that
// the configuration describes.
func (a *App) scopes() []string {
	return append(client.StandardScopes(), sortedKeys(a.config.Scopes)...)
}

// claims lists what a token or userinfo may say about a person.
func claims() []string {
	return append([]string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid"}, user.ClaimNames()...)
}
