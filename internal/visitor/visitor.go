// Package visitor owns the door: who sits at a browser, and letting somebody in.
//
//	request ──cookie──▶ one Get: session, user, what else is asked for ──▶ Who
//	proof   ──Admit──▶ one Commit: the session, new or renewed ──▶ cookie
//
// It is the one place that decides whether a cookie stands for somebody: the
// secret fits, the user exists and may sign in, and has not changed the password
// since. It never judges a proof and never says what a visitor may do.
package visitor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/cookie"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

// Door is safe for concurrent use.
type Door struct {
	Store    store.Store
	Cookies  cookie.Jar
	Sessions session.Policy
	Ended    *ended.Endings
}

// Visitor is somebody who is signed in.
type Visitor struct {
	Session session.Session
	User    user.User
}

// Who returns who sends r, or nil for nobody, and the records under the keys that
// also names for the subject: all in one round trip, and in none for a browser
// without a cookie. The records are nil with a nil Visitor.
func (d Door) Who(r *http.Request, also ...func(subject string) string) (*Visitor, []store.Record, error) {
	handle, ok := session.ParseHandle(d.Cookies.Get(r, cookie.Session))
	if !ok {
		return nil, nil, nil
	}
	keys := append(make([]string, 0, 2+len(also)), handle.Key(), user.Key(handle.Subject))
	for _, key := range also {
		keys = append(keys, key(handle.Subject))
	}
	recs, err := d.Store.Get(r.Context(), keys...)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the session: %w", err)
	}
	s, ok := handle.Open(recs[0])
	if !ok {
		return nil, nil, nil
	}
	who, err := user.Decode(recs[1])
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case !Stands(s, who):
		return nil, nil, nil
	}
	return &Visitor{s, who}, recs[2:], nil
}

// Stands reports whether a session still stands for its user. A sign-in that
// raced with a change of the password was proved with the old one: its session
// may have been written after all others had ended.
func Stands(s session.Session, u user.User) bool {
	return !u.Disabled && s.Epoch == u.Epoch
}

// Admit gives the browser its session: a new one, or the one it has, renewed,
// when the same person proves themselves again. Another person's session in this
// browser ends. The ops go into the same Commit; address is the client's.
func (d Door) Admit(w http.ResponseWriter, r *http.Request, address string, who authn.Result, u user.User, also ...store.Op) error {
	ctx := r.Context()
	from := session.Origin{Address: address, Agent: r.UserAgent()}
	s, handle := d.Sessions.Begin(who, from)
	old, had, err := d.current(r)
	if err != nil {
		return err
	}
	if had && old.Subject == who.Subject {
		s, handle = d.Sessions.Renew(old, who)
	}
	err = d.write(ctx, s, u, also...)
	if errors.Is(err, store.ErrConflict) {
		// The session or the user's record changed in this very moment; neither
		// the old sid nor what rides along is worth failing a sign-in.
		s, handle = d.Sessions.Begin(who, from)
		err = d.write(ctx, s, u)
	}
	if err != nil {
		return fmt.Errorf("beginning a session: %w", err)
	}
	if had && old.Subject != who.Subject {
		if err := d.Ended.Session(ctx, old.Subject, old.ID, ended.ByAnotherPerson); err != nil {
			return err
		}
	}
	if err := d.makeRoom(ctx, s.Subject); err != nil {
		return err
	}
	d.Cookies.Set(w, cookie.Session, handle.Cookie())
	d.Cookies.Set(w, cookie.State, s.BrowserState())
	return nil
}

func (d Door) write(ctx context.Context, s session.Session, u user.User, also ...store.Op) error {
	s.Epoch = u.Epoch
	op, err := d.Sessions.Put(s)
	if err != nil {
		return err
	}
	_, err = d.Store.Commit(ctx, append(slices.Clip(also), op, ended.Begun(s.Subject))...)
	return err
}

// makeRoom ends the oldest sessions of a person who has more than the policy
// allows. Each sign-in does it after its own Commit, so of any number at once the
// last one sees them all; and all agree on which are the oldest, so they do not end
// one another.
func (d Door) makeRoom(ctx context.Context, subject string) error {
	if d.Sessions.Most == 0 {
		return nil
	}
	recs, err := d.Store.List(ctx, session.Prefix(subject), "", store.MaxList)
	if err != nil {
		return fmt.Errorf("counting sessions: %w", err)
	}
	var all []session.Session
	for _, r := range recs {
		if s, err := session.Decode(r); err == nil {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b session.Session) int {
		return cmp.Or(b.AuthTime.Compare(a.AuthTime), cmp.Compare(b.Version, a.Version))
	})
	for _, s := range all[min(len(all), d.Sessions.Most):] {
		if err := d.Ended.Session(ctx, s.Subject, s.ID, ended.ByTooManySessions); err != nil {
			return err
		}
	}
	return nil
}

// current is the session that the browser has, whoever's it is.
func (d Door) current(r *http.Request) (session.Session, bool, error) {
	handle, ok := session.ParseHandle(d.Cookies.Get(r, cookie.Session))
	if !ok {
		return session.Session{}, false, nil
	}
	recs, err := d.Store.Get(r.Context(), handle.Key())
	if err != nil {
		return session.Session{}, false, fmt.Errorf("reading a session: %w", err)
	}
	s, ok := handle.Open(recs[0])
	return s, ok, nil
}
