package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/ory/fosite"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/refusal"
	"github.com/signet-id/signet/internal/store"
)

// tokens is the token endpoint's answer (RFC 6749 §5.1).
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// token answers POST /token.
func (h *Handler) token(c echo.Context) error {
	// RFC 6749 §5.1: no cache may keep tokens, nor the errors about them.
	c.Response().Header().Set("Cache-Control", "no-store")
	out, err := h.exchange(c)
	grantType := c.Request().PostFormValue("grant_type")
	if checkGrantType(grantType) != nil {
		grantType = "other"
	}
	if err != nil {
		h.Count(grantType, refusalOf(err).code())
		return h.answer(c, err)
	}
	h.Count(grantType, "ok")
	return c.JSON(http.StatusOK, out)
}

// exchange is the life of a token request: form, client, request, narrowing,
// response, Commit. Nothing is written before the Commit.
func (h *Handler) exchange(c echo.Context) (tokens, error) {
	form, err := readToken(c.Request())
	if err != nil {
		return tokens{}, err
	}
	if err := checkGrantType(form.Get("grant_type")); err != nil {
		return tokens{}, err
	}
	address, _ := netip.ParseAddr(c.RealIP())
	u := &unit{now: time.Now(), address: address}
	ctx := withUnit(c.Request().Context(), u)
	request, err := h.provider.NewAccessRequest(ctx, tokenRequest(c.Request(), form), newRequestSession("", u.now, u.now))
	if err != nil {
		return tokens{}, err
	}
	if err := h.narrow(u, form); err != nil {
		return tokens{}, err
	}
	response, err := h.provider.NewAccessResponse(ctx, request)
	if err != nil {
		return tokens{}, err
	}
	refresh, _ := response.GetExtra("refresh_token").(string)
	idToken, _ := response.GetExtra("id_token").(string)
	if err := h.flush(ctx, u); err != nil {
		return tokens{}, err
	}
	return tokens{
		AccessToken: u.access, TokenType: "Bearer", ExpiresIn: int64(h.Mint.AccessLifetime / time.Second),
		RefreshToken: refresh, IDToken: idToken, Scope: strings.Join(u.scopes, " "),
	}, nil
}

func checkGrantType(grantType string) error {
	switch grantType {
	case client.GrantCode, client.GrantRefresh, client.GrantCredentials:
		return nil
	case "":
		return refuse(refusal.GrantTypeMissing, "grant_type is missing")
	default:
		return refuse(refusal.GrantTypeUnsupported, "grant_type is not supported: use %s, %s or %s",
			client.GrantCode, client.GrantRefresh, client.GrantCredentials)
	}
}

// tokenRequest is the request as fosite may see it: the checked form and the
// Authorization header. scope and audience are ours to decide, not fosite's.
func tokenRequest(r *http.Request, form url.Values) *http.Request {
	seen := url.Values{}
	for _, name := range []string{
		"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "client_id", "client_secret",
		"client_assertion", "client_assertion_type",
	} {
		if v, ok := form[name]; ok {
			seen[name] = v
		}
	}
	header := http.Header{}
	if v := r.Header.Values("Authorization"); len(v) > 0 {
		header["Authorization"] = v
	}
	return &http.Request{Method: http.MethodPost, Header: header, Form: seen, PostForm: seen}
}

// narrow decides what the tokens will be good for: never more than was granted,
// and less when the request says so (RFC 6749 §6, RFC 8707 §2.2).
func (h *Handler) narrow(u *unit, form url.Values) (err error) {
	scopes, resources := strings.Fields(form.Get("scope")), form["resource"]
	if u.grant.ID == "" { // client credentials: the client itself
		if u.scopes, err = u.client.OwnScopes(scopes); err != nil {
			return err
		}
		u.audience, err = u.client.Targets(resources, h.Issuer)
		return err
	}
	if u.code == "" && len(scopes) > 0 {
		for _, s := range scopes {
			if !slices.Contains(u.scopes, s) {
				return refuse(refusal.ScopeInvalid, "%q was not granted", printable(s))
			}
		}
		u.scopes = scopes
	}
	if len(resources) > 0 {
		for _, r := range resources {
			if !slices.Contains(u.audience, r) {
				return refuse(refusal.AudienceForeign, "a resource was asked for that the grant does not cover")
			}
		}
		u.audience = resources
	}
	return nil
}

// flush makes the request's one Commit. Client credentials have none.
func (h *Handler) flush(ctx context.Context, u *unit) error {
	switch {
	case u.code != "":
		return h.redeem(ctx, u)
	case u.verdict == grant.Current:
		return h.rotate(ctx, u)
	default: // client credentials, or a repeated refresh: all is written already
		return nil
	}
}

// redeem spends the code and begins its grant, both or neither. Who loses a race
// for one code is a replay like any other: the winner's grant ends (RFC 6749
// §4.1.2, RFC 9700 §4.5).
func (h *Handler) redeem(ctx context.Context, u *unit) error {
	if u.grant.Created.IsZero() {
		u.begin(h.Seal.MACKey())
	}
	put, err := u.grant.Put(h.grantExpiry(u))
	if err != nil {
		return err
	}
	err = h.commit(ctx, u, grant.Spend(u.code, u.grant.Ref, u.now), put)
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	if err := h.Door.Ended.Grant(ctx, u.grant.Ref); err != nil {
		return err
	}
	return grant.ErrReplayed()
}

// grantExpiry is when the record may leave: with its refresh token, or, without
// one, once no access token of it is alive.
func (h *Handler) grantExpiry(u *unit) time.Time {
	if u.grant.Refresh == client.RefreshNone {
		return u.now.Add(h.Mint.AccessLifetime + time.Minute)
	}
	return u.now.Add(h.Refresh.Lifetime)
}

// rotate writes the next generation. Of any number of concurrent refreshes with
// one token one writes; the others find the successor that it wrote, which is
// theirs as well, and write nothing.
func (h *Handler) rotate(ctx context.Context, u *unit) error {
	put, err := u.grant.Put(h.grantExpiry(u))
	if err != nil {
		return err
	}
	if err = h.commit(ctx, u, put); errors.Is(err, store.ErrConflict) {
		return h.rejoin(ctx, u)
	}
	return err
}

// commit writes ops and, at most once a minute, that the session was seen: using
// its tokens is a sign of life, and rides along for free. If the session changed
// meanwhile, it was seen by another request, which is as good, or has ended,
// and nothing may begin or go on in it.
func (h *Handler) commit(ctx context.Context, u *unit, ops ...store.Op) error {
	touched, due := u.session.Touch(u.now)
	if !due || u.session.ID == "" {
		_, err := h.Door.Store.Commit(ctx, ops...)
		return err
	}
	seen, err := h.Door.Sessions.Put(touched)
	if err != nil {
		return err
	}
	_, err = h.Door.Store.Commit(ctx, append(slices.Clip(ops), seen)...)
	var conflict *store.ConflictError
	if !errors.As(err, &conflict) || conflict.Key != seen.Key {
		return err
	}
	recs, err := h.Door.Store.Get(ctx, seen.Key)
	if err != nil {
		return fmt.Errorf("reading a session: %w", err)
	}
	if !recs[0].Exists() {
		return refuse(refusal.GrantEnded, "the session in which the grant began has ended")
	}
	_, err = h.Door.Store.Commit(ctx, ops...)
	return err
}

// rejoin judges the presented token anew after somebody else changed the grant.
// The tokens made for this request stand if the token is merely repeated: the
// successor is the same.
func (h *Handler) rejoin(ctx context.Context, u *unit) error {
	successor := u.grant.Generation
	st := &storage{h}
	if err := st.readGrant(ctx, u, u.presented.Ref); err != nil {
		if errors.Is(err, fosite.ErrNotFound) {
			return refuse(refusal.GrantEnded, "the grant has ended").because(err)
		}
		return err
	}
	if u.grant.Judge(u.presented.Generation, u.now, h.Refresh.Window) == grant.Repeated && u.grant.Generation == successor {
		return nil
	}
	if err := h.Door.Ended.Grant(ctx, u.grant.Ref); err != nil {
		return err
	}
	return refuse(refusal.RefreshTokenReused, "the refresh token was used already")
}
