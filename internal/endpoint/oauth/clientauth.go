package oauth

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/assertion"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/refusal"
)

// sender is the caller of a token request. One that is judged anew has proved
// who it is from, and its assertion is spent; only the client's record is read
// again.
func (h *Handler) sender(e echo.Context, form url.Values, u *unit) (client.Client, error) {
	if !u.authenticated {
		return h.caller(e, form)
	}
	c, known := h.Clients.Find(u.client.ID)
	if !known || c.Disabled {
		return c, refuse(refusal.ClientAuthentication, "client authentication failed").because(errText("disabled meanwhile: " + u.client.ID))
	}
	return c, nil
}

// caller finds out which client sends a request, and whether it may from where it
// is (RFC 6749 §2.3).
func (h *Handler) caller(e echo.Context, form url.Values) (client.Client, error) {
	p, err := presentedBy(e.Request(), form)
	if err != nil {
		return client.Client{}, err
	}
	c, known := h.Clients.Find(p.id)
	// One answer for unknown, disabled, wrong secret and wrong place: whoever
	// guesses learns nothing (the log knows).
	deny := func(why string) (client.Client, error) {
		return client.Client{}, refuse(refusal.ClientAuthentication, "client authentication failed").because(errText(why))
	}
	switch {
	case !known:
		return deny("no such client: " + printable(p.id))
	case c.Disabled:
		return deny("client is disabled: " + c.ID)
	case len(c.Networks) > 0 && !c.AllowsAddress(addressOf(e)): // who may from anywhere is not asked
		return deny(c.ID + " may not call from " + addressOf(e).String())
	case p.assertion != "" && (c.AuthMethod == client.AuthKeyJWT || c.AuthMethod == client.AuthSecretJWT):
		return c, h.spend(e.Request().Context(), c, p.assertion)
	case p.method != c.AuthMethod:
		return deny(c.ID + " is registered for " + c.AuthMethod + " and used " + p.method)
	case p.method != client.AuthNone && !c.CheckSecret(p.secret):
		return deny("wrong secret for " + c.ID)
	}
	return c, nil
}

// addressOf is where a request comes from, or an address that is in no network.
func addressOf(e echo.Context) netip.Addr {
	address, _ := netip.ParseAddr(e.RealIP())
	return address
}

// spend judges an assertion and uses it up, by one Commit: of any number of
// requests that carry it one goes on, on whichever node (RFC 7523 §3, jti).
func (h *Handler) spend(ctx context.Context, c client.Client, raw string) error {
	accepted, err := h.Assertions.Judge(ctx, c, raw, time.Now())
	if err != nil {
		return err
	}
	if _, err := h.Door.Store.Commit(ctx, accepted.Op); err != nil {
		return fmt.Errorf("spending an assertion: %w", accepted.Explain(err))
	}
	return nil
}

// credentials are what a token request says about its sender.
type credentials struct{ id, secret, method, assertion string }

// presentedBy reads the credentials. More than one method in one request is
// refused (RFC 6749 §2.3).
func presentedBy(r *http.Request, form url.Values) (credentials, error) {
	header := r.Header.Values("Authorization")
	_, inForm := form["client_secret"]
	_, asserted := form["client_assertion"]
	switch {
	case len(header) > 1 || (len(header) == 1 && inForm) || (asserted && (inForm || len(header) > 0)):
		return credentials{}, refuse(refusal.ClientAuthenticatedTwice, "the client authenticated more than once: use the Authorization header, client_secret or client_assertion, one of them")
	case asserted:
		return byAssertion(form)
	case len(header) == 1:
		return basic(header[0], form.Get("client_id"))
	case form.Get("client_id") == "":
		return credentials{}, refuse(refusal.ClientMissing, "the request names no client: authenticate with HTTP Basic, or send client_id")
	case inForm:
		return credentials{id: form.Get("client_id"), secret: form.Get("client_secret"), method: client.AuthPost}, nil
	default:
		return credentials{id: form.Get("client_id"), method: client.AuthNone}, nil
	}
}

// basic reads HTTP Basic as RFC 6749 §2.3.1 has it: id and secret are
// form-urlencoded before they are joined.
func basic(header, inForm string) (credentials, error) {
	malformed := func(err error) (credentials, error) {
		return credentials{}, refuse(refusal.ClientAuthentication, "the Authorization header is not HTTP Basic with a form-urlencoded client id and secret").because(err)
	}
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return malformed(nil)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return malformed(err)
	}
	user, password, ok := strings.Cut(string(raw), ":")
	if !ok {
		return malformed(nil)
	}
	id, err := url.QueryUnescape(user)
	if err != nil {
		return malformed(nil) // the error would quote what may be a secret
	}
	secret, err := url.QueryUnescape(password)
	if err != nil {
		return malformed(nil)
	}
	if inForm != "" && inForm != id {
		return credentials{}, refuse(refusal.ClientAuthenticatedTwice, "client_id and the Authorization header name different clients")
	}
	return credentials{id: id, secret: secret, method: client.AuthBasic}, nil
}

// byAssertion reads who an assertion says it is from (RFC 7521 §4.2: client_id is
// optional beside it). Nothing of it is believed yet.
func byAssertion(form url.Values) (credentials, error) {
	if form.Get("client_assertion_type") != assertion.Type {
		return credentials{}, refuse(refusal.ClientAuthentication, "client_assertion_type must be %s", assertion.Type)
	}
	id, err := assertion.ClientID(form.Get("client_assertion"))
	if err != nil {
		return credentials{}, err
	}
	if named := form.Get("client_id"); named != "" && named != id {
		return credentials{}, refuse(refusal.ClientAuthenticatedTwice, "client_id and the assertion name different clients")
	}
	return credentials{id: id, method: "client_assertion", assertion: form.Get("client_assertion")}, nil
}

// errText is a cause that is only text.
type errText string

func (e errText) Error() string { return string(e) }
