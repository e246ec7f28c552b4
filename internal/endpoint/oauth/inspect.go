package oauth

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/refusal"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/internal/visitor"
)

// inspected is a presented token, and whether it is still good.
type inspected struct {
	clientID string
	ref      grant.Ref    // of the grant; zero for a token that a client got for itself
	access   token.Access // when it is an access token
	grant    grant.Grant
	user     user.User
	refresh  bool
	active   bool  // as far as this node knows
	doubt    error // why it can't know of every ending; nil when it does
}

// about reads a request about a token, and who asks: what revocation and
// introspection share.
func (h *Handler) about(c echo.Context) (form url.Values, caller client.Client, err error) {
	c.Response().Header().Set("Cache-Control", "no-store")
	if form, err = readToken(c.Request()); err != nil {
		return nil, caller, err
	}
	if caller, err = h.caller(c, form); err != nil {
		return nil, caller, err
	}
	if form.Get("token") == "" {
		return nil, caller, refuse(refusal.ParameterMissing, "token is missing")
	}
	return form, caller, nil
}

// inspect finds out what a token is and, in one round trip, whether what it
// stands on still stands. token_type_hint is not needed: ours tell themselves
// apart.
func (h *Handler) inspect(ctx context.Context, raw string) (inspected, error) {
	now := time.Now()
	if p, err := grant.ParseRefreshToken(h.Seal, raw); err == nil {
		t := inspected{ref: p.Ref, refresh: true}
		if err := h.lookUp(ctx, &t); err != nil || !t.active {
			return t, err
		}
		verdict := t.grant.Judge(p.Generation, now, h.Refresh.Window)
		t.active = verdict == grant.Current || verdict == grant.Repeated
		return t, nil
	}
	access, err := h.Mint.ReadAccess(ctx, raw, now)
	if err != nil && fault.KindOf(err) != fault.Unauthenticated {
		return inspected{}, err
	}
	if err != nil {
		return inspected{}, nil //nolint:nilerr // RFC 7662 §2.2: what is not ours is not active, and no error
	}
	t := inspected{clientID: access.ClientID, access: access}
	var over bool
	if over, t.doubt = h.HasEnded(access.Slot); over {
		return t, nil
	}
	ref, ok := grant.OfToken(access.Subject, access.SessionID, access.ID)
	if !ok {
		c, known := h.Clients.Find(access.ClientID)
		t.active = known && !c.Disabled
		return t, nil
	}
	t.ref = ref
	return t, h.lookUp(ctx, &t)
}

// lookUp reads the grant with its session and user.
func (h *Handler) lookUp(ctx context.Context, t *inspected) error {
	recs, err := h.Door.Store.Get(ctx, t.ref.Key(), session.Key(t.ref.Subject, t.ref.SessionID), user.Key(t.ref.Subject))
	if err != nil {
		return fmt.Errorf("reading what a token names: %w", err)
	}
	if !recs[0].Exists() {
		return nil
	}
	if t.grant, err = grant.Decode(recs[0]); err != nil {
		return err
	}
	t.clientID = t.grant.ClientID
	c, known := h.Clients.Find(t.clientID)
	var userErr error
	t.user, userErr = activeUser(recs[2])
	t.active = known && !c.Disabled && !t.grant.Created.Before(c.Created) && userErr == nil && t.grant.Epoch == t.user.Epoch
	if t.grant.Offline() || !t.active {
		return nil
	}
	s, err := session.Decode(recs[1])
	t.active = err == nil && recs[1].Exists() && visitor.Stands(s, t.user)
	return nil
}
