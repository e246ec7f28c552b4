// Package ended is the one way in which authority ends, and the journal of all
// that did. Whoever wants something ended calls it; nobody deletes a session or
// a grant, disables a user or compromises a key by hand.
//
//	sign-out, operator ──Session──▶ ┐
//	replay, reuse      ──Grant────▶ │ one Commit:
//	consent withdrawn  ──Consent──▶ │   the change itself
//	disabled, password ──User─────▶ │   one record in the journal, with the slots
//	a role was taken   ──Roles────▶ │     of all access tokens that end with it
//	client disabled    ──Client───▶ │   one event in the audit log
//	machine token      ──Token────▶ │   the calls to relying parties (outbox)
//	key compromised    ──Key──────▶ ┘
//	                                     │
//	every node ◀──Follow, in order───────┘  status lists, the stream
//
// It never decides that something should end. What has ended is gone from the
// store, or of another epoch, in the Commit that says so: whoever holds a cookie,
// code or refresh token of it finds nothing. Ending a grant, session, consent or
// token that has ended is no error and leaves no second record; what ends by
// changing a user, a client or a key leaves one each time.
package ended

import (
	"context"
	"fmt"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

// Endings carries endings out. All fields are required. Safe for concurrent use.
type Endings struct {
	Store   store.Store
	Users   *user.Directory
	Clients *client.Directory
	// Lifetime is that of access tokens; Audit is how long an ending can be read
	// up.
	Lifetime, Audit time.Duration
	// Blocks are all slots that a live token of a client may carry.
	Blocks func(ctx context.Context, clientID string) ([]slot.Range, error)
	// Known returns once this node refuses all that ended up to a position in the
	// journal: who asked for an ending meets it with the next request.
	Known func(ctx context.Context, position store.Version) error
}

// Grant ends one grant, its refresh tokens and its access tokens.
func (e *Endings) Grant(ctx context.Context, ref grant.Ref, cause Cause) error {
	return e.carry(ctx, func() (*plan, error) {
		recs, err := e.Store.Get(ctx, ref.Key())
		if err != nil {
			return nil, fmt.Errorf("reading a grant: %w", err)
		}
		p := e.begin(KindGrant, cause)
		p.ending.Subject, p.ending.SessionID, p.ending.GrantID = ref.Subject, ref.SessionID, ref.ID
		p.removeGrants(recs, &p.ending.ClientID)
		return p, nil
	}, e.commit(ctx))
}

// Session ends a browser session and the grants that began in it, but for those
// that a client may keep offline (OpenID Connect Core §11).
func (e *Endings) Session(ctx context.Context, subject, sid string, cause Cause) error {
	return e.carry(ctx, func() (*plan, error) {
		recs, err := e.Store.Get(ctx, session.Key(subject, sid), fence(subject))
		if err != nil {
			return nil, fmt.Errorf("reading a session: %w", err)
		}
		grants, err := e.list(ctx, grant.SessionPrefix(subject, sid))
		if err != nil {
			return nil, err
		}
		p := e.begin(KindSession, cause)
		p.ending.Subject, p.ending.SessionID = subject, sid
		p.demand(recs[1])
		p.remove(recs[0])
		p.removeGrants(online(grants), nil)
		p.calls = e.told(recs[:1], false)
		return p, nil
	}, e.commit(ctx))
}

// Consent ends what a client may do for subject: the remembered consent and every
// grant, offline ones included. What can't be read goes as well: it may be the
// client's, and nobody can use it.
func (e *Endings) Consent(ctx context.Context, subject, clientID string, cause Cause) error {
	for more := true; more; {
		err := e.carry(ctx, func() (*plan, error) {
			recs, err := e.Store.Get(ctx, grant.ConsentKey(subject, clientID), fence(subject))
			if err != nil {
				return nil, fmt.Errorf("reading a consent: %w", err)
			}
			grants, err := e.list(ctx, grant.UserPrefix(subject))
			if err != nil {
				return nil, err
			}
			grants = ofClient(grants, clientID)
			p := e.begin(KindConsent, cause)
			p.ending.Subject, p.ending.ClientID = subject, clientID
			p.demand(recs[1])
			// The consent goes with the last of the grants: were it gone before, and
			// this process as well, nobody would see that there is something to end.
			if more = len(grants) >= most; more { // the consent needs a place as well
				grants = grants[:most]
			} else {
				p.remove(recs[0])
			}
			p.removeGrants(grants, nil)
			return p, nil
		}, e.commit(ctx))
		if err != nil {
			return err
		}
	}
	return nil
}

// User ends every session and grant of subject, offline ones included, in the
// Commit that changes the user: a disabled one, another password. change may be
// called several times; nil changes nothing but what ends.
func (e *Endings) User(ctx context.Context, subject string, cause Cause, change func(*user.User) error) (user.User, error) {
	return e.changeUser(ctx, subject, change, func(u *user.User) { u.Epoch++ }, func() (*plan, error) {
		p, grants, err := e.ofUser(ctx, KindUser, subject, cause)
		if err != nil {
			return nil, err
		}
		sessions, err := e.list(ctx, session.Prefix(subject))
		if err != nil {
			return nil, err
		}
		p.remove(sessions...)
		p.removeGrants(grants, nil)
		p.calls = e.told(sessions, true)
		return p, nil
	})
}

// Roles ends the access tokens that speak of roles and groups of subject, in the
// Commit that takes some away. Sessions and grants go on: their next tokens say
// what is true.
func (e *Endings) Roles(ctx context.Context, subject string, cause Cause, change func(*user.User) error) (user.User, error) {
	return e.changeUser(ctx, subject, change, func(u *user.User) { u.TokenEpoch++ }, func() (*plan, error) {
		p, grants, err := e.ofUser(ctx, KindRoles, subject, cause)
		if err != nil {
			return nil, err
		}
		p.ending.Slots = slotsOf(withRoles(grants))
		return p, nil
	})
}

// Client ends every access token of a client, in the Commit that changes it: its
// users' and its own. Its grants stay; what they yield is the client's record to
// say.
func (e *Endings) Client(ctx context.Context, clientID string, cause Cause, change func(*client.Client) error) (client.Client, error) {
	var changed client.Client
	err := e.carry(ctx, e.ofClient(ctx, clientID, cause), func(ops ...store.Op) (_ store.Version, err error) {
		changed, err = e.Clients.Update(ctx, clientID, func(c *client.Client) error {
			c.TokenEpoch++
			return change(c)
		}, ops...)
		return 0, err
	})
	return changed, err
}

// RemoveClient is Client for one that is removed for good.
func (e *Endings) RemoveClient(ctx context.Context, clientID string, cause Cause) error {
	return e.carry(ctx, e.ofClient(ctx, clientID, cause), func(ops ...store.Op) (store.Version, error) {
		return 0, e.Clients.Remove(ctx, clientID, ops...)
	})
}

// Token ends one access token that a client got for itself, and no other.
func (e *Endings) Token(ctx context.Context, clientID string, at slot.Slot, cause Cause) error {
	return e.carry(ctx, func() (*plan, error) {
		recs, err := e.Store.Get(ctx, tokenKey(at))
		if err != nil {
			return nil, fmt.Errorf("reading whether a token has ended: %w", err)
		}
		p := e.begin(KindToken, cause)
		if p.ending.ClientID = clientID; !recs[0].Exists() {
			p.mark(tokenKey(at))
			p.ending.Slots = []slot.Range{slot.Only(at)}
		}
		return p, nil
	}, e.commit(ctx))
}

// Key records that a signing key is compromised, in the Commit with which
// compromise takes it out of the ring: its storage adds Riding to its Commit.
// What the key signed ends with it, at whoever follows the ring.
func (e *Endings) Key(ctx context.Context, keyID string, cause Cause, compromise func(context.Context) error) error {
	return e.carry(ctx, func() (*plan, error) {
		p := e.begin(KindKey, cause)
		p.ending.KeyID, p.change = keyID, true
		return p, nil
	}, func(ops ...store.Op) (store.Version, error) {
		return 0, compromise(context.WithValue(ctx, ridingKey{}, ops))
	})
}

type ridingKey struct{}

// Riding are the ops that belong into the next Commit that is made with ctx.
func Riding(ctx context.Context) []store.Op {
	ops, _ := ctx.Value(ridingKey{}).([]store.Op)
	return ops
}
