package oauth

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/keys"
)

// strategy makes codes and tokens for fosite, from the unit of work.
type strategy struct{ h *Handler }

var (
	_ oauth2.CoreStrategy               = (*strategy)(nil)
	_ openid.OpenIDConnectTokenStrategy = (*strategy)(nil)
	_ jwt.Signer                        = (*strategy)(nil)
)

type codeKey struct{}

// withCode hands over the code that this authorization will issue.
func withCode(ctx context.Context, c grant.Code) context.Context {
	return context.WithValue(ctx, codeKey{}, c)
}

// GenerateAuthorizeCode seals the code. Its signature is the code itself, so
// that storage receives all of it back and needs no row.
func (s *strategy) GenerateAuthorizeCode(ctx context.Context, _ fosite.Requester) (code, signature string, err error) {
	c, ok := ctx.Value(codeKey{}).(grant.Code)
	if !ok {
		return "", "", errors.New("no code was prepared")
	}
	code, err = c.Seal(s.h.Seal, time.Now())
	return code, code, err
}

func (s *strategy) AuthorizeCodeSignature(_ context.Context, code string) string { return code }

// ValidateAuthorizeCode has nothing left to check: the seal holds the expiry,
// and opening it was the check.
func (s *strategy) ValidateAuthorizeCode(context.Context, fosite.Requester, string) error { return nil }

// GenerateAccessToken signs what the unit says. A user's token names its grant
// in jti, so that the issuer can tell whether the grant has ended without a
// record per token.
func (s *strategy) GenerateAccessToken(ctx context.Context, _ fosite.Requester) (access, signature string, err error) {
	u := unitOf(ctx)
	a := token.Access{
		Subject: u.client.ID, ClientID: u.client.ID, Audience: u.audience, Scopes: u.scopes, ID: ident.New(), Slot: u.slot,
	}
	if u.grant.ID != "" {
		auth := u.authentication()
		a.Subject, a.SessionID = u.grant.Subject, u.grant.SessionID
		a.AuthTime, a.ACR, a.AMR = auth.Time, auth.ACR, auth.AMR
		a.ID = grant.TokenID(u.grant.ID)
		if slices.Contains(u.scopes, client.ScopeRoles) {
			a.Roles = u.user.Roles
		}
		if slices.Contains(u.scopes, client.ScopeGroups) {
			a.Groups = u.user.Groups
		}
	}
	u.access, err = s.h.Mint.Access(ctx, a, u.now)
	return u.access, "", err
}

func (s *strategy) AccessTokenSignature(context.Context, string) string { return "" }

// ValidateAccessToken is for fosite's introspection, which we don't use.
func (s *strategy) ValidateAccessToken(context.Context, fosite.Requester, string) error {
	return fosite.ErrInactiveToken
}

// GenerateRefreshToken returns the successor of what was presented, or the first
// token of a new grant. A repeated request gets the same successor again.
func (s *strategy) GenerateRefreshToken(ctx context.Context, _ fosite.Requester) (refresh, signature string, err error) {
	u := unitOf(ctx)
	switch {
	case u.verdict == grant.Current && u.code == "":
		u.grant = u.grant.Next(u.now, s.h.Seal.MACKey())
	case u.grant.Refresh == client.RefreshNone:
		return "", "", nil
	}
	refresh, err = u.grant.RefreshToken(s.h.Seal)
	return refresh, refresh, err
}

func (s *strategy) RefreshTokenSignature(_ context.Context, t string) string { return t }

// ValidateRefreshToken has nothing left to check: MAC, expiry and generation
// were judged when the grant was read.
func (s *strategy) ValidateRefreshToken(context.Context, fosite.Requester, string) error { return nil }

// GenerateIDToken signs the ID token that goes with the unit's access token.
func (s *strategy) GenerateIDToken(ctx context.Context, _ time.Duration, _ fosite.Requester) (string, error) {
	u := unitOf(ctx)
	auth := u.authentication()
	return s.h.Mint.ID(ctx, keys.Algorithm(u.client.IDTokenAlg), token.ID{
		Subject: u.grant.Subject, ClientID: u.client.ID, SessionID: u.grant.SessionID,
		Nonce:    u.opened.Nonce, // empty after a refresh (OpenID Connect Core §12.2)
		AuthTime: auth.Time, ACR: auth.ACR, AMR: auth.AMR,
		AccessToken: u.access, Claims: u.claims(),
	}, u.now)
}

// Decode reads an id_token_hint for fosite's prompt validation. Our own checks
// have verified it; an expired one is accepted.
func (s *strategy) Decode(_ context.Context, raw string) (*jwt.Token, error) {
	hint, err := s.h.Mint.ParseHint(raw)
	if err != nil {
		return nil, err
	}
	return &jwt.Token{Claims: jwt.MapClaims{"sub": hint.Subject}}, nil
}

var errNotUsed = errors.New("fosite does not sign here")

// Generate, Validate and the rest of jwt.Signer are never called: only Decode is.
func (s *strategy) Generate(context.Context, jwt.MapClaims, jwt.Mapper) (string, string, error) {
	return "", "", errNotUsed
}
func (s *strategy) Validate(context.Context, string) (string, error)     { return "", errNotUsed }
func (s *strategy) Hash(context.Context, []byte) ([]byte, error)         { return nil, errNotUsed }
func (s *strategy) GetSignature(context.Context, string) (string, error) { return "", errNotUsed }
func (s *strategy) GetSigningMethodLength(context.Context) int           { return 0 }
