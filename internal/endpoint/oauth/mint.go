package oauth

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/keys"
)

// mint makes the tokens of the answer, from what the unit read and narrowed.
func (h *Handler) mint(ctx context.Context, u *unit) (out tokens, err error) {
	if out.AccessToken, err = h.accessToken(ctx, u); err != nil {
		return out, err
	}
	if out.RefreshToken, err = h.refreshToken(u); err != nil {
		return out, err
	}
	if u.grant.ID != "" && slices.Contains(u.scopes, client.ScopeOpenID) {
		if out.IDToken, err = h.idToken(ctx, u, out.AccessToken); err != nil {
			return out, err
		}
	}
	out.ExpiresIn, out.Scope = int64(h.Mint.AccessLifetime/time.Second), strings.Join(u.scopes, " ")
	return out, nil
}

// accessToken signs what the unit says. A user's token names its grant in jti, so
// that the issuer can tell whether the grant has ended without a record per token.
func (h *Handler) accessToken(ctx context.Context, u *unit) (string, error) {
	a := token.Access{Subject: u.client.ID, ClientID: u.client.ID, Audience: u.audience, Scopes: u.scopes, Slot: u.slot}
	if u.grant.ID == "" {
		a.ID = ident.New()
		return h.Mint.Access(ctx, a, u.now)
	}
	auth := u.authentication()
	a.ID, a.Subject, a.SessionID = grant.TokenID(u.grant.ID), u.grant.Subject, u.grant.SessionID
	a.AuthTime, a.ACR, a.AMR = auth.Time, auth.ACR, auth.AMR
	if slices.Contains(u.scopes, client.ScopeRoles) {
		a.Roles = u.user.Roles
	}
	if slices.Contains(u.scopes, client.ScopeGroups) {
		a.Groups = u.user.Groups
	}
	return h.Mint.Access(ctx, a, u.now)
}

// refreshToken returns the successor of what was presented, or the first token of
// a new grant. A repeated request gets the same successor again.
func (h *Handler) refreshToken(u *unit) (string, error) {
	switch {
	case u.grant.ID == "" || u.grant.Refresh == client.RefreshNone:
		return "", nil
	case u.verdict == grant.Current:
		u.grant = u.grant.Next(u.now, h.Seal.MACKey())
	}
	return u.grant.RefreshToken(h.Seal)
}

// idToken signs the ID token that goes with the access token.
func (h *Handler) idToken(ctx context.Context, u *unit, access string) (string, error) {
	auth := u.authentication()
	return h.Mint.ID(ctx, keys.Algorithm(u.client.IDTokenAlg), token.ID{
		Subject: u.grant.Subject, ClientID: u.client.ID, SessionID: u.grant.SessionID,
		Nonce:    u.opened.Nonce, // empty after a refresh (OpenID Connect Core §12.2)
		AuthTime: auth.Time, ACR: auth.ACR, AMR: auth.AMR,
		AccessToken: access, Claims: u.claims(),
	}, u.now)
}
