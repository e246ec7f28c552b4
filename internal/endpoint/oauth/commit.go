package oauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/refusal"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
)

// hold decides which slot the access token will carry: the grant's, or a fresh
// one for a token that a client gets for itself.
func (h *Handler) hold(ctx context.Context, u *unit) error {
	switch {
	case u.redeems():
		u.begin(h.Seal.MACKey())
	case u.grant.ID != "" && (u.grant.Holds(u.now, u.user, u.client) || u.verdict == grant.Repeated):
		// The answer to a repeated request is the one that was lost: it writes nothing.
		u.slot = u.grant.Hold.Slot
		return nil
	}
	at, until, err := h.Take(ctx, u.client.ID)
	if fault.KindOf(err) == fault.Denied {
		return refuse(refusal.ClientAuthentication, "client authentication failed").because(err)
	}
	if err != nil {
		return fmt.Errorf("taking a slot: %w", err)
	}
	if u.slot = at; u.grant.ID != "" {
		u.moved = true
		u.grant = u.grant.Take(grant.Hold{Slot: at, Until: until.UTC(), User: u.user.TokenEpoch, Client: u.client.TokenEpoch},
			u.now, u.now.Add(h.Mint.AccessLifetime))
	}
	return nil
}

// flush makes the request's one Commit. Client credentials have none.
func (h *Handler) flush(ctx context.Context, u *unit) error {
	switch {
	case u.redeems():
		return h.redeem(ctx, u)
	case u.verdict == grant.Current:
		return h.rotate(ctx, u)
	default: // client credentials, or a repeated refresh: all is written already
		return nil
	}
}

// redeem spends the code and begins its grant, both or neither. Who loses a race
// for one code meets it as spent when the request is judged anew: a replay like
// any other, and the winner's grant ends (RFC 6749 §4.1.2, RFC 9700 §4.5).
func (h *Handler) redeem(ctx context.Context, u *unit) error {
	put, err := u.grant.Put(h.grantExpiry(u))
	if err != nil {
		return err
	}
	return h.commit(ctx, u, u.opened.Spend(), put)
}

// grantExpiry is when the record may leave: with its refresh token, with the
// session that it ends with, or, without either, once no access token of it is
// alive. It is never earlier: an ending must find the slots of those.
func (h *Handler) grantExpiry(u *unit) time.Time {
	until := u.now.Add(h.Refresh.Lifetime)
	switch u.grant.Refresh {
	case client.RefreshNone:
		until = u.now
	case client.RefreshSession:
		if over := u.session.AuthTime.Add(h.Door.Sessions.Absolute); over.Before(until) {
			until = over
		}
	case client.RefreshOffline:
	}
	if alive := u.now.Add(h.Mint.AccessLifetime + time.Minute); alive.After(until) {
		until = alive
	}
	return until
}

// rotate writes the next generation. Of any number of concurrent refreshes with
// one token one writes; the others, judged anew, find the successor that it wrote,
// which is theirs as well, and write nothing.
func (h *Handler) rotate(ctx context.Context, u *unit) error {
	put, err := u.grant.Put(h.grantExpiry(u))
	if err != nil {
		return err
	}
	return h.commit(ctx, u, put)
}

// commit writes ops if all still stands that they were decided on: the user, the
// consent, the session. It fails with errChanged when anything of it does not.
func (h *Handler) commit(ctx context.Context, u *unit, ops ...store.Op) error {
	ops = slices.Grow(ops, 2+len(u.stands))
	if u.moved {
		ops = append(ops, ended.Begun(u.grant.Subject))
	}
	if u.session.ID != "" {
		op, err := h.seen(u)
		if err != nil {
			return err
		}
		ops = append(ops, op)
	}
	_, err := h.Door.Store.Commit(ctx, append(ops, u.stands...)...)
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("%w: %w", errChanged, err)
	}
	return err
}

// seen is the session's part of the Commit. That the client is in it is written
// once, and at most once a minute that it was seen: using its tokens is a sign of
// life, and rides along for free. Otherwise it must only be as it was read.
func (h *Handler) seen(u *unit) (store.Op, error) {
	s, joined := u.session.Join(u.client.ID)
	s, due := s.Touch(u.now)
	if !joined && !due {
		return store.Unchanged(session.Key(s.Subject, s.ID), s.Version), nil
	}
	return h.Door.Sessions.Put(s)
}
