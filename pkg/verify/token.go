package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Token is an access token that has passed every check. Only a [Verifier] makes
// one: who holds a Token for which Valid is true need check nothing but whether
// it permits what is asked. Tokens are small, immutable and safe to share.
type Token struct {
	claims    *claims
	staleness time.Duration
	stale     bool
}

// claims is a payload taken apart. It is shared by everybody who presents the
// same token and never changes, so accessors hand out copies of its slices.
type claims struct {
	payload                                  string
	issuer, subject, clientID, id, sid, acr  string
	audience, scopes, roles, groups, amr     []string
	issuedAt, expiresAt, notBefore, authTime int64
	bound                                    bool   // a cnf claim is there, whatever it says
	listURI                                  string // of status.status_list, if there is one
	index                                    uint32
	list                                     *list            // the list of that name, where endings are told
	words                                    []string         // what all the lists above have, one after the other
	few                                      [fewWords]string // where words begins
	name                                     digest           // of the raw token
	key                                      *key             // what signed it
	by                                       *Verifier        // what verified it
}

// Valid reports whether the token was verified; the zero Token was not.
func (t Token) Valid() bool { return t.claims != nil }

// Subject is the stable, opaque id of the user, or of the client when no user
// is behind the token (RFC 9068 §2.2).
func (t Token) Subject() string { return t.read().subject }

// Issuer is the iss claim: the issuer given to New.
func (t Token) Issuer() string { return t.read().issuer }

// Audience is the aud claim; the audience given to New is among it.
func (t Token) Audience() []string { return slices.Clone(t.read().audience) }

// ClientID is the client that obtained the token.
func (t Token) ClientID() string { return t.read().clientID }

// Scopes is what the token permits, in the order of the scope claim.
func (t Token) Scopes() []string { return slices.Clone(t.read().scopes) }

// HasScope reports whether the token permits scope.
func (t Token) HasScope(scope string) bool { return slices.Contains(t.read().scopes, scope) }

// Roles is the roles claim, empty unless the scope asked for it.
func (t Token) Roles() []string { return slices.Clone(t.read().roles) }

// HasRole reports whether role is among Roles.
func (t Token) HasRole(role string) bool { return slices.Contains(t.read().roles, role) }

// Groups is the groups claim, empty unless the scope asked for it.
func (t Token) Groups() []string { return slices.Clone(t.read().groups) }

// HasGroup reports whether group is among Groups.
func (t Token) HasGroup(group string) bool { return slices.Contains(t.read().groups, group) }

// SessionID is the sid claim: the browser session behind the token, if any.
func (t Token) SessionID() string { return t.read().sid }

// ID is the jti claim.
func (t Token) ID() string { return t.read().id }

// IssuedAt is the iat claim.
func (t Token) IssuedAt() time.Time { return instant(t.read().issuedAt) }

// ExpiresAt is the exp claim. The verifier accepts the token 30 s longer.
func (t Token) ExpiresAt() time.Time { return instant(t.read().expiresAt) }

// AuthTime is when the user signed in; zero when no user is behind the token.
func (t Token) AuthTime() time.Time { return instant(t.read().authTime) }

// ACR is the kind of sign-in (authentication context class), if stated.
func (t Token) ACR() string { return t.read().acr }

// AMR is the methods by which the user signed in, if stated (RFC 8176).
func (t Token) AMR() []string { return slices.Clone(t.read().amr) }

// Claims decodes the token's whole payload into v, which is a pointer as for
// [json.Unmarshal]. It is the way to claims that have no accessor here.
func (t Token) Claims(v any) error {
	if !t.Valid() {
		return fail(NoToken)
	}
	if err := json.Unmarshal([]byte(t.claims.payload), v); err != nil {
		return fmt.Errorf("decoding the claims: %w", err)
	}
	return nil
}

// SignedInWithin returns nil when the user signed in no longer ago than maxAge,
// and a [NotFresh] refusal to answer with otherwise (RFC 9470). A token without
// auth_time has no sign-in behind it and is never fresh.
func (t Token) SignedInWithin(maxAge time.Duration) error {
	if t.Valid() && t.claims.authTime != 0 && time.Since(t.AuthTime()) <= maxAge {
		return nil
	}
	return t.stepUp(&Error{Reason: NotFresh, MaxAge: maxAge})
}

// SignedInBy returns nil when the sign-in was of one of the kinds in acr, and a
// [WeakSignIn] refusal to answer with otherwise (RFC 9470).
func (t Token) SignedInBy(acr ...string) error {
	if t.Valid() && t.claims.acr != "" && slices.Contains(acr, t.claims.acr) {
		return nil
	}
	return t.stepUp(&Error{Reason: WeakSignIn, ACR: slices.Clone(acr)})
}

func (t Token) stepUp(e *Error) error {
	if !t.Valid() {
		return fail(NoToken)
	}
	e.place = t.claims.by.place
	t.claims.by.tally.refuse(e.Reason)
	return e
}

// read lets accessors of the zero Token answer with nothing.
func (t Token) read() *claims {
	if t.claims == nil {
		return &claims{}
	}
	return t.claims
}

func instant(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

type contextKey struct{}

// NewContext returns a context that carries tok, for adapters to other
// frameworks; [Verifier.Require] does it for net/http.
func NewContext(ctx context.Context, tok Token) context.Context {
	return context.WithValue(ctx, contextKey{}, tok)
}

// FromContext returns the token that the middleware verified for this request.
// ok is false where no middleware ran.
func FromContext(ctx context.Context) (tok Token, ok bool) {
	tok, _ = ctx.Value(contextKey{}).(Token)
	return tok, tok.Valid()
}
