package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/url"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/refusal"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/internal/visitor"
)

// present reads what the request presents, in one round trip at most, and judges
// whether it is worth tokens now. It writes nothing, unless something is
// presented that nobody but a thief would have: then its grant ends.
func (h *Handler) present(ctx context.Context, u *unit, form url.Values) error {
	switch u.grantType {
	case client.GrantCode:
		if form.Get("code") == "" {
			return refuse(refusal.ParameterMissing, "code is missing")
		}
		return h.presentCode(ctx, u, form)
	case client.GrantRefresh:
		if form.Get("refresh_token") == "" {
			return refuse(refusal.ParameterMissing, "refresh_token is missing")
		}
		return h.presentRefreshToken(ctx, u, form.Get("refresh_token"))
	}
	if u.client.Public {
		// RFC 6749 §4.4: who can't keep a secret can't speak for itself alone.
		return refuse(refusal.GrantNotRegistered, "a public client has no tokens of its own")
	}
	return nil
}

// presentCode opens the code and reads whether it was spent and whether its
// session, user and consent still stand (RFC 6749 §4.1.3, OpenID Connect Core
// §3.1.3.2).
func (h *Handler) presentCode(ctx context.Context, u *unit, form url.Values) error {
	opened, err := grant.OpenCode(h.Seal, form.Get("code"))
	if err != nil {
		return invalidGrant("the code is not valid, or has expired").because(err)
	}
	// Another client's code is refused before anything is looked up: who stole a
	// code can't use it, nor end the grant with it.
	if opened.ClientID != u.client.ID {
		return invalidGrant("the code was issued to another client")
	}
	ref := opened.Ref
	recs, err := h.Door.Store.Get(ctx, opened.SpentKey(), session.Key(ref.Subject, ref.SessionID), user.Key(ref.Subject),
		grant.ConsentKey(ref.Subject, u.client.ID))
	if err != nil {
		return fmt.Errorf("reading what a code names: %w", err)
	}
	u.opened, u.grant.Ref = opened, ref
	u.scopes, u.audience = opened.Scopes, opened.Audience
	if recs[0].Exists() {
		return h.endStolen(ctx, ref, ended.ByCodeReplay, "the code was redeemed already: what began with it has ended")
	}
	if opened.RedirectURI != form.Get("redirect_uri") {
		return invalidGrant("redirect_uri is not the one that the code was sent to")
	}
	if err := checkVerifier(opened.Challenge, form.Get("code_verifier")); err != nil {
		return err
	}
	return h.standing(u, recs[1], recs[2], recs[3])
}

// standing demands that session, user and consent behind a code still stand, and
// that they do so when the tokens are committed.
func (h *Handler) standing(u *unit, sess, person, consent store.Record) (err error) {
	if !sess.Exists() {
		return invalidGrant("the session in which the code was issued has ended")
	}
	if u.session, err = session.Decode(sess); err != nil {
		return err
	}
	if u.user, err = activeUser(person); err != nil || !visitor.Stands(u.session, u.user) {
		return invalidGrant("the user can no longer sign in, or changed the password").because(err)
	}
	if !agreed(u, consent) {
		return invalidGrant("the person has withdrawn what they agreed to")
	}
	u.stand(person)
	u.stand(consent)
	return nil
}

// agreed reports whether the person's consent still covers the code: it may have
// been withdrawn in the minute since.
func agreed(u *unit, r store.Record) bool {
	if u.client.FirstParty {
		return true
	}
	consent, err := grant.DecodeConsent(r, u.client.Created)
	return err == nil && consent.Covers(grant.Asked{Scopes: u.opened.Scopes, Claims: u.opened.Claims}.Questions())
}

// checkVerifier proves that who redeems a code is who asked for it (RFC 7636
// §4.6). The challenge is sealed in the code, so no failed attempt loosens it;
// and a verifier for a code that never had a challenge is a downgrade (RFC 9700
// §2.1.1, §4.8.2).
func checkVerifier(challenge, verifier string) error {
	switch {
	case challenge == "" && verifier == "":
		return nil
	case challenge == "":
		return invalidGrant("code_verifier was sent, and the code was asked for without a code_challenge")
	case verifier == "":
		return invalidGrant("code_verifier is missing: the code was asked for with a code_challenge")
	case !isVerifier(verifier):
		return invalidGrant("code_verifier must be 43 to 128 characters of A-Z a-z 0-9 - . _ ~")
	}
	digest := sha256.Sum256([]byte(verifier))
	if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(digest[:])), []byte(challenge)) != 1 {
		return invalidGrant("code_verifier does not match the code_challenge")
	}
	return nil
}

// presentRefreshToken reads the grant that the token continues, with its session
// and user, and judges the token's generation (RFC 6749 §6, RFC 9700 §4.14.2).
func (h *Handler) presentRefreshToken(ctx context.Context, u *unit, token string) error {
	p, err := grant.ParseRefreshToken(h.Seal, token)
	if err != nil {
		return invalidGrant("the refresh token is not valid").because(err)
	}
	if err := h.readGrant(ctx, u, p.Ref); err != nil {
		return err
	}
	switch u.verdict = u.grant.Judge(p.Generation, u.now, h.Refresh.Window); u.verdict {
	case grant.Current, grant.Repeated:
		return nil
	case grant.Stolen:
		return h.endStolen(ctx, p.Ref, ended.ByTokenReuse, "the refresh token was used already: its grant has ended")
	case grant.Unknown:
	}
	return invalidGrant("the refresh token is not valid")
}

// readGrant fills the unit from the grant that a refresh token names, unless it
// or what it depends on has ended.
func (h *Handler) readGrant(ctx context.Context, u *unit, ref grant.Ref) error {
	recs, err := h.Door.Store.Get(ctx, ref.Key(), session.Key(ref.Subject, ref.SessionID), user.Key(ref.Subject))
	if err != nil {
		return fmt.Errorf("reading what a refresh token names: %w", err)
	}
	if !recs[0].Exists() {
		return invalidGrant("the grant has ended")
	}
	if u.grant, err = grant.Decode(recs[0]); err != nil {
		return err
	}
	if u.grant.ClientID != u.client.ID {
		return invalidGrant("the refresh token was issued to another client")
	}
	if u.grant.Created.Before(u.client.Created) {
		return invalidGrant("the grant is of a client of the same name that was removed")
	}
	if u.grant.Refresh == client.RefreshNone {
		return invalidGrant("the grant can't be continued")
	}
	if !u.grant.Offline() {
		if !recs[1].Exists() {
			return invalidGrant("the session in which the grant began has ended")
		}
		if u.session, err = session.Decode(recs[1]); err != nil {
			return err
		}
	}
	u.user, err = activeUser(recs[2])
	if err != nil || u.grant.Epoch != u.user.Epoch || (!u.grant.Offline() && !visitor.Stands(u.session, u.user)) {
		return invalidGrant("the user can no longer sign in, or changed the password").because(err)
	}
	u.stand(recs[2])
	// What the client may have is asked anew: a scope that was taken from it is
	// gone from its next token.
	u.scopes, u.audience = u.client.UserScopes(u.grant.Scopes), u.grant.Audience
	return nil
}

// endStolen ends a grant of which something is in two hands, and refuses.
func (h *Handler) endStolen(ctx context.Context, ref grant.Ref, cause ended.Cause, why string) error {
	if err := h.Door.Ended.Grant(ctx, ref, cause); err != nil {
		return fmt.Errorf("ending a stolen grant: %w", err)
	}
	return invalidGrant("%s", why)
}

// invalidGrant says that what was presented is worth nothing, and why: for the
// developer of the client that presented it, who has proved to be that client.
func invalidGrant(format string, args ...any) *refused {
	return refuse(refusal.GrantInvalid, format, args...)
}
