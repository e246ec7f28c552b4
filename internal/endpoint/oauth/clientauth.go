package oauth

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/ory/fosite"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/refusal"
)

// authenticateClient is fosite's client authentication, in our terms. It leaves
// the client in the unit of work.
func (h *Handler) authenticateClient(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	u := unitOf(ctx)
	c, err := h.caller(ctx, r, form, u.address)
	if err != nil {
		return nil, err
	}
	u.client = c
	return fositeClient{
		Client: c, scopes: slices.Concat(client.StandardScopes(), c.Scopes), audience: append([]string{h.Issuer}, c.Audience...),
	}, nil
}

// caller finds out which client sends a request from address (RFC 6749 §2.3).
func (h *Handler) caller(_ context.Context, r *http.Request, form url.Values, address netip.Addr) (client.Client, error) {
	p, err := presentedBy(r, form)
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
	case p.method != c.AuthMethod:
		return deny(c.ID + " is registered for " + c.AuthMethod + " and used " + p.method)
	case p.method != client.AuthNone && !c.CheckSecret(p.secret):
		return deny("wrong secret for " + c.ID)
	case !c.AllowsAddress(address):
		return deny(c.ID + " may not call from " + address.String())
	}
	return c, nil
}

// credentials are what a token request says about its sender.
type credentials struct{ id, secret, method string }

// presentedBy reads the credentials. More than one method in one request is
// refused (RFC 6749 §2.3).
func presentedBy(r *http.Request, form url.Values) (credentials, error) {
	header := r.Header.Values("Authorization")
	_, inForm := form["client_secret"]
	switch {
	case len(header) > 1 || (len(header) == 1 && inForm):
		return credentials{}, refuse(refusal.ClientAuthenticatedTwice, "the client authenticated more than once: use the Authorization header or client_secret, not both")
	case len(header) == 1:
		return basic(header[0], form.Get("client_id"))
	case form.Get("client_id") == "":
		return credentials{}, refuse(refusal.ClientMissing, "the request names no client: authenticate with HTTP Basic, or send client_id")
	case inForm:
		return credentials{form.Get("client_id"), form.Get("client_secret"), client.AuthPost}, nil
	default:
		return credentials{form.Get("client_id"), "", client.AuthNone}, nil
	}
}

// basic reads HTTP Basic as RFC 6749 §2.3.1 has it: id and secret are
// form-urlencoded before they are joined.
func basic(header, inForm string) (credentials, error) {
	malformed := refuse(refusal.ClientAuthentication, "the Authorization header is not HTTP Basic with a form-urlencoded client id and secret")
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return credentials{}, malformed
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return credentials{}, malformed.because(err)
	}
	user, password, ok := strings.Cut(string(raw), ":")
	if !ok {
		return credentials{}, malformed
	}
	id, err1 := url.QueryUnescape(user)
	secret, err2 := url.QueryUnescape(password)
	if err1 != nil || err2 != nil {
		return credentials{}, malformed
	}
	if inForm != "" && inForm != id {
		return credentials{}, refuse(refusal.ClientAuthenticatedTwice, "client_id and the Authorization header name different clients")
	}
	return credentials{id, secret, client.AuthBasic}, nil
}

// errText is a cause that is only text.
type errText string

func (e errText) Error() string { return string(e) }
