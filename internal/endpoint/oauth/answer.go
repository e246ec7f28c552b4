package oauth

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/refusal"
)

// answer writes err as the token endpoint does (RFC 6749 §5.2).
func (h *Handler) answer(c echo.Context, err error) error {
	r := refusalOf(err)
	h.report(c, c.Request().PostForm, r)
	header := c.Response().Header()
	switch r.code() {
	case "invalid_client":
		// The answer names the scheme that the client may use.
		header.Set("WWW-Authenticate", `Basic realm="`+h.Issuer+`", charset="UTF-8"`)
	case "temporarily_unavailable":
		header.Set("Retry-After", "1")
	}
	return c.JSON(r.status(), map[string]string{
		"error": r.code(), "error_description": h.describeWith(c, r), "error_uri": r.reason.Page(),
	})
}

// refuseRequest sends an error to where the request came from, or shows it when
// that is not certain.
func (h *Handler) refuseRequest(c echo.Context, q *request, err error) error {
	var page pageError
	if q == nil || errors.As(err, &page) {
		return h.fail(c, err)
	}
	r := refusalOf(err)
	h.report(c, q.params, r)
	return h.reply(c, q,
		pages.Parameter{Name: "error", Value: r.code()},
		pages.Parameter{Name: "error_description", Value: h.describeWith(c, r)},
		pages.Parameter{Name: "error_uri", Value: r.reason.Page()})
}

// fail shows an error to the person: nobody else can be told.
func (h *Handler) fail(c echo.Context, err error) error {
	r := refusalOf(err)
	sent := c.QueryParams()
	if c.Request().Method == http.MethodPost {
		sent = c.Request().PostForm
	}
	entry := h.report(c, sent, r)
	status := http.StatusBadRequest
	if r.status() >= http.StatusInternalServerError {
		status = r.status()
	}
	page := pages.Failure{Title: "This request can’t be answered", Message: r.description, Reference: entry.ID}
	if errors.As(err, new(pageError)) {
		page.Message = "The application sent a request that can't be answered. Its developers can see below what to change."
		page.Details = []pages.Detail{{Name: string(r.reason), Text: r.description}}
	}
	if h.Candid {
		page.Details = append(page.Details, difference(entry)...)
	}
	return h.Pages.Render(c.Response(), c.Request(), status, page)
}

// difference puts what was sent beside what is registered, for the developer who
// runs the issuer on the own machine.
func difference(e refusal.Entry) []pages.Detail {
	var out []pages.Detail
	for _, name := range []string{"redirect_uri", "scope", "resource"} {
		for _, sent := range e.Sent[name] {
			out = append(out, pages.Detail{Name: name + " sent", Text: sent})
		}
		for _, registered := range e.Registered[name] {
			out = append(out, pages.Detail{Name: name + " registered", Text: registered})
		}
	}
	return out
}

// describeWith adds the id by which the operator finds the whole story: signet
// explain ID.
func (h *Handler) describeWith(c echo.Context, r *refused) string {
	return r.describe() + " [" + c.Response().Header().Get(echo.HeaderXRequestID) + "]"
}

// report logs a refusal once, what is ours loudly and what is theirs for who
// looks, and remembers it for whoever asks.
func (h *Handler) report(c echo.Context, sent url.Values, r *refused) refusal.Entry {
	ctx := c.Request().Context()
	if r.status() >= http.StatusInternalServerError {
		h.Log.ErrorContext(ctx, "request failed", slog.String("route", c.Path()), slog.Any("error", r))
	} else {
		h.Log.InfoContext(ctx, "request refused",
			slog.String("route", c.Path()), slog.String("code", r.code()), slog.Any("reason", r))
	}
	e := refusal.Entry{
		ID: c.Response().Header().Get(echo.HeaderXRequestID), Time: time.Now().UTC(), Route: c.Path(),
		Reason: r.reason, Code: r.code(), Description: r.description,
		ClientID: printable(sent.Get("client_id")), Address: c.RealIP(), Sent: map[string][]string{},
	}
	if r.cause != nil {
		e.Cause = r.cause.Error()
	}
	if id, _, ok := c.Request().BasicAuth(); ok && e.ClientID == "" {
		e.ClientID = printable(id)
	}
	for _, name := range tellable() {
		for _, v := range sent[name] {
			e.Sent[name] = append(e.Sent[name], v[:min(len(v), maxTold)])
		}
	}
	if asked, known := h.Clients.Find(e.ClientID); known {
		e.Registered = registered(asked)
	}
	h.Refusals.Add(e)
	return e
}

// maxTold bounds what a stranger can make us remember of one parameter.
const maxTold = 256

// tellable are the parameters that hold no secret, token or personal value.
func tellable() []string {
	return []string{
		"client_id", "redirect_uri", "response_type", "response_mode", "scope", "prompt", "max_age", "resource",
		"code_challenge_method", "grant_type", "acr_values", "display", "token_type_hint",
	}
}

// registered is the other side: what the client's record says.
func registered(c client.Client) map[string][]string {
	pkce := "optional"
	if c.PKCE {
		pkce = "required, S256"
	}
	return map[string][]string{
		"redirect_uri": c.RedirectURIs, "scope": append(client.StandardScopes(), c.Scopes...), "resource": c.Audience,
		"grant_type": c.Grants, "token_endpoint_auth_method": {c.AuthMethod}, "networks": c.Networks, "pkce": {pkce},
	}
}
