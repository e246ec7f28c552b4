package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/internal/visitor"
)

// storage is what fosite takes for its database. Reads fill the unit of work,
// once; writes are collected there and committed by flush. Access tokens, ID
// tokens and sealed codes need no row, so most of fosite's calls do nothing.
type storage struct{ h *Handler }

var (
	_ fosite.Storage                     = (*storage)(nil)
	_ oauth2.CoreStorage                 = (*storage)(nil)
	_ oauth2.TokenRevocationStorage      = (*storage)(nil)
	_ openid.OpenIDConnectRequestStorage = (*storage)(nil)
	_ pkce.PKCERequestStorage            = (*storage)(nil)
)

type requestKey struct{}

// withRequest hands fosite the client of an authorization request that our own
// checks have admitted, with exactly what was admitted.
func withRequest(ctx context.Context, c fositeClient) context.Context {
	return context.WithValue(ctx, requestKey{}, c)
}

func (s *storage) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	if c, ok := ctx.Value(requestKey{}).(fositeClient); ok && c.ID == id {
		return c, nil
	}
	return nil, fosite.ErrNotFound
}

// errNoAssertions: assertions are judged by our own client authentication.
var errNoAssertions = errors.New("client assertions are not fosite's here")

func (s *storage) ClientAssertionJWTValid(context.Context, string) error { return errNoAssertions }
func (s *storage) SetClientAssertionJWT(context.Context, string, time.Time) error {
	return errNoAssertions
}

// GetAuthorizeCodeSession opens the code and reads, in one round trip, whether it
// was spent and whether its session and user still stand.
func (s *storage) GetAuthorizeCodeSession(ctx context.Context, code string, _ fosite.Session) (fosite.Requester, error) {
	u := unitOf(ctx)
	if u.requester != nil {
		return u.requester, nil
	}
	opened, err := grant.OpenCode(s.h.Seal, code)
	if err != nil {
		return nil, notFound("the code is not valid, or has expired", err)
	}
	// Another client's code is refused before anything is looked up: who stole a
	// code can't use it, nor end the grant with it.
	if opened.ClientID != u.client.ID {
		return nil, notFound("the code was issued to another client", nil)
	}
	ref := opened.Ref
	recs, err := s.h.Door.Store.Get(ctx, grant.SpentKey(code), session.Key(ref.Subject, ref.SessionID), user.Key(ref.Subject),
		grant.ConsentKey(ref.Subject, u.client.ID))
	if err != nil {
		return nil, fmt.Errorf("reading what a code names: %w", err)
	}
	u.code, u.opened, u.grant.Ref = code, opened, ref
	u.scopes, u.audience = opened.Scopes, opened.Audience
	r := s.requester(u, url.Values{
		"redirect_uri":   {opened.RedirectURI},
		"code_challenge": {opened.Challenge}, "code_challenge_method": {"S256"},
	}, opened.Authentication.Time)
	if recs[0].Exists() {
		return r, fosite.ErrInvalidatedAuthorizeCode // fosite then revokes, below
	}
	if !recs[1].Exists() {
		return nil, notFound("the session in which the code was issued has ended", nil)
	}
	if u.session, err = session.Decode(recs[1]); err != nil {
		return nil, err
	}
	if u.user, err = activeUser(recs[2]); err != nil || !visitor.Stands(u.session, u.user) {
		return nil, notFound("the user can no longer sign in, or changed the password", err)
	}
	if !s.agreed(u, recs[3]) {
		return nil, notFound("the person has withdrawn what they agreed to", nil)
	}
	u.stand(recs[2])
	u.stand(recs[3])
	u.requester = r
	return r, nil
}

// agreed reports whether the person's consent still covers the code: it may have
// been withdrawn in the minute since.
func (s *storage) agreed(u *unit, r store.Record) bool {
	if u.client.FirstParty {
		return true
	}
	consent, err := grant.DecodeConsent(r, u.client.Created)
	return err == nil && consent.Covers(grant.Asked{Scopes: u.opened.Scopes, Claims: u.opened.Claims}.Questions())
}

// GetRefreshTokenSession reads, in one round trip, the grant that the token
// continues, its session and its user, and judges the token's generation.
func (s *storage) GetRefreshTokenSession(ctx context.Context, refresh string, _ fosite.Session) (fosite.Requester, error) {
	u := unitOf(ctx)
	p, err := grant.ParseRefreshToken(s.h.Seal, refresh)
	if err != nil {
		return nil, notFound("the refresh token is not valid", err)
	}
	u.presented = p
	if err := s.readGrant(ctx, u, p.Ref); err != nil {
		return nil, err
	}
	r := s.requester(u, url.Values{}, u.grant.Authentication.Time)
	u.verdict = u.grant.Judge(p.Generation, u.now, s.h.Refresh.Window)
	switch u.verdict {
	case grant.Current, grant.Repeated:
		return r, nil
	case grant.Stolen:
		return r, fosite.ErrInactiveToken // fosite then revokes, below
	case grant.Unknown:
	}
	return nil, notFound("the refresh token is not valid", nil)
}

// readGrant fills the unit from the grant that a refresh token names, unless it
// or what it depends on has ended.
func (s *storage) readGrant(ctx context.Context, u *unit, ref grant.Ref) error {
	recs, err := s.h.Door.Store.Get(ctx, ref.Key(), session.Key(ref.Subject, ref.SessionID), user.Key(ref.Subject))
	if err != nil {
		return fmt.Errorf("reading what a refresh token names: %w", err)
	}
	if !recs[0].Exists() {
		return notFound("the grant has ended", nil)
	}
	if u.grant, err = grant.Decode(recs[0]); err != nil {
		return err
	}
	if u.grant.ClientID != u.client.ID {
		return notFound("the refresh token was issued to another client", nil)
	}
	if u.grant.Created.Before(u.client.Created) {
		return notFound("the grant is of a client of the same name that was removed", nil)
	}
	if u.grant.Refresh == client.RefreshNone {
		return notFound("the grant can't be continued", nil)
	}
	if !u.grant.Offline() {
		if !recs[1].Exists() {
			return notFound("the session in which the grant began has ended", nil)
		}
		if u.session, err = session.Decode(recs[1]); err != nil {
			return err
		}
	}
	u.user, err = activeUser(recs[2])
	if err != nil || u.grant.Epoch != u.user.Epoch || (!u.grant.Offline() && !visitor.Stands(u.session, u.user)) {
		return notFound("the user can no longer sign in, or changed the password", err)
	}
	u.stand(recs[2])
	// What the client may have is asked anew: a scope that was taken from it is
	// gone from its next token.
	u.scopes, u.audience = u.client.UserScopes(u.grant.Scopes), u.grant.Audience
	return nil
}

// requester is the authorization request as fosite's handlers want to see it.
func (s *storage) requester(u *unit, form url.Values, authTime time.Time) fosite.Requester {
	r := fosite.NewRequest()
	r.ID = u.grant.ID
	r.Client = fositeClient{Client: u.client}
	r.Form = form
	r.Session = newRequestSession(u.grant.Subject, authTime, authTime)
	for _, scope := range u.scopes {
		r.GrantScope(scope)
	}
	return r
}

// RevokeRefreshToken ends the unit's grant: fosite calls it when a code comes
// twice (RFC 6749 §4.1.2) or a refresh token is in two hands (RFC 9700 §4.14.2).
func (s *storage) RevokeRefreshToken(ctx context.Context, _ string) error {
	u, cause := unitOf(ctx), ended.ByTokenReuse
	if u.code != "" {
		cause = ended.ByCodeReplay
	}
	return s.h.Door.Ended.Grant(ctx, u.grant.Ref, cause)
}

// RevokeAccessToken does nothing of its own: access tokens end with their grant.
func (s *storage) RevokeAccessToken(context.Context, string) error { return nil }

func (s *storage) GetPKCERequestSession(ctx context.Context, code string, sess fosite.Session) (fosite.Requester, error) {
	r, err := s.GetAuthorizeCodeSession(ctx, code, sess)
	if err == nil && unitOf(ctx).opened.Challenge == "" {
		return nil, fosite.ErrNotFound
	}
	return r, err
}

func (s *storage) GetOpenIDConnectSession(ctx context.Context, _ string, _ fosite.Requester) (fosite.Requester, error) {
	r := unitOf(ctx).requester
	if !r.GetGrantedScopes().Has(client.ScopeOpenID) {
		return nil, openid.ErrNoSessionFound
	}
	return r, nil
}

func (s *storage) CreateAuthorizeCodeSession(context.Context, string, fosite.Requester) error {
	return nil
}
func (s *storage) InvalidateAuthorizeCodeSession(context.Context, string) error { return nil }
func (s *storage) CreateOpenIDConnectSession(context.Context, string, fosite.Requester) error {
	return nil
}
func (s *storage) DeleteOpenIDConnectSession(context.Context, string) error { return nil }
func (s *storage) CreatePKCERequestSession(context.Context, string, fosite.Requester) error {
	return nil
}
func (s *storage) DeletePKCERequestSession(context.Context, string) error { return nil }
func (s *storage) CreateAccessTokenSession(context.Context, string, fosite.Requester) error {
	return nil
}
func (s *storage) GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}
func (s *storage) DeleteAccessTokenSession(context.Context, string) error { return nil }
func (s *storage) CreateRefreshTokenSession(context.Context, string, string, fosite.Requester) error {
	return nil
}
func (s *storage) DeleteRefreshTokenSession(context.Context, string) error  { return nil }
func (s *storage) RotateRefreshToken(context.Context, string, string) error { return nil }

// notFound is fosite's word for a code or token that is worth nothing; its
// handlers answer invalid_grant. What is said of it is for the developer.
func notFound(why string, cause error) error {
	return fosite.ErrNotFound.WithHint(why).WithWrap(cause)
}
