// Package ended is the one way in which authority ends: a grant, a session, a
// client's for one user, all of a user's. Whoever wants something ended calls
// it; nobody deletes a session or a grant by hand.
//
//	sign-out, operator ──Session──▶ the session and its grants
//	replay, reuse      ──Grant────▶ the grant
//	consent withdrawn  ──Client───▶ the consent, and the user's grants of the client
//	user disabled      ──User─────▶ every session and grant of the user
//
// It never decides that something should end. What has ended is gone from the
// store in the Commit that says so: whoever holds a cookie, code or refresh
// token of it finds nothing.
package ended

import (
	"context"
	"fmt"

	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
)

// Endings carries endings out on a store. Safe for concurrent use.
type Endings struct{ store store.Store }

// New makes Endings over s.
func New(s store.Store) *Endings { return &Endings{s} }

// Grant ends one grant: its refresh tokens are dead. Ending what has ended is
// no error.
func (e *Endings) Grant(ctx context.Context, ref grant.Ref) error {
	if _, err := e.store.Commit(ctx, store.Delete(ref.Key())); err != nil {
		return fmt.Errorf("ending a grant: %w", err)
	}
	return nil
}

// Session ends a browser session and the grants that began in it, but for those
// that a client may keep offline (OpenID Connect Core §11).
func (e *Endings) Session(ctx context.Context, subject, sid string) error {
	keys := []string{session.Key(subject, sid)}
	err := e.each(ctx, grant.SessionPrefix(subject, sid), func(r store.Record) {
		// What can't be read goes as well: one damaged grant must not keep a person
		// from signing out.
		if g, err := grant.Decode(r); err != nil || !g.Offline() {
			keys = append(keys, r.Key)
		}
	})
	if err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	return e.remove(ctx, keys)
}

// Client ends what a client may do for subject: the remembered consent and every
// grant, offline ones included. What can't be read goes as well: it may be the
// client's, and nobody can use it.
func (e *Endings) Client(ctx context.Context, subject, clientID string) error {
	keys := []string{grant.ConsentKey(subject, clientID)}
	err := e.each(ctx, grant.UserPrefix(subject), func(r store.Record) {
		if g, err := grant.Decode(r); err != nil || g.ClientID == clientID {
			keys = append(keys, r.Key)
		}
	})
	if err != nil {
		return fmt.Errorf("ending what a client may do: %w", err)
	}
	return e.remove(ctx, keys)
}

// User ends every session and every grant of subject, offline ones included.
func (e *Endings) User(ctx context.Context, subject string) error {
	var keys []string
	for _, prefix := range []string{session.Prefix(subject), grant.UserPrefix(subject)} {
		err := e.each(ctx, prefix, func(r store.Record) { keys = append(keys, r.Key) })
		if err != nil {
			return fmt.Errorf("ending a user's sessions: %w", err)
		}
	}
	return e.remove(ctx, keys)
}

func (e *Endings) each(ctx context.Context, prefix string, visit func(store.Record)) error {
	after := ""
	for {
		recs, err := e.store.List(ctx, prefix, after, store.MaxList)
		if err != nil {
			return err
		}
		for _, r := range recs {
			visit(r)
			after = r.Key
		}
		if len(recs) < store.MaxList {
			return nil
		}
	}
}

// remove deletes keys, as many in one Commit as a Commit takes. The session, or
// the consent, is first, so that nothing new can begin while the rest goes.
func (e *Endings) remove(ctx context.Context, keys []string) error {
	for len(keys) > 0 {
		n := min(len(keys), store.MaxOps)
		ops := make([]store.Op, 0, n)
		for _, k := range keys[:n] {
			ops = append(ops, store.Delete(k))
		}
		if _, err := e.store.Commit(ctx, ops...); err != nil {
			return fmt.Errorf("ending sessions and grants: %w", err)
		}
		keys = keys[n:]
	}
	return nil
}
