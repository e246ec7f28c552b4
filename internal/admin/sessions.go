package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/signet-id/signet/internal/audit"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
)

// SessionView is what may be seen of a browser that is signed in.
type SessionView struct {
	ID       string    `json:"sid"`
	Subject  string    `json:"sub"`
	Since    time.Time `json:"since"`
	AuthTime time.Time `json:"auth_time"`
	Seen     time.Time `json:"seen"`
	Expires  time.Time `json:"expires"`
	Address  string    `json:"address,omitempty"`
	Agent    string    `json:"agent,omitempty"`
	Clients  []string  `json:"clients,omitempty"`
}

// ListSessions returns the sessions of the user whom ref names, as many as one
// page of the store holds.
func (o *Operator) ListSessions(ctx context.Context, ref string) ([]SessionView, error) {
	u, err := o.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	recs, err := o.Store.List(ctx, session.Prefix(u.Subject), "", store.MaxList)
	if err != nil {
		return nil, fmt.Errorf("listing the sessions of %s: %w", u.Login, err)
	}
	views := make([]SessionView, 0, len(recs))
	for _, r := range recs {
		s, err := session.Decode(r)
		if err != nil {
			return nil, err
		}
		views = append(views, SessionView{
			ID: s.ID, Subject: s.Subject, Since: s.Created, AuthTime: s.AuthTime, Seen: s.Seen, Expires: r.Expires,
			Address: s.Address, Agent: s.Agent, Clients: s.Clients,
		})
	}
	return views, nil
}

// EndSession ends one session of a user, named by its sid, with the grants that
// began in it. One that has ended already is fault.NotFound, so that a mistyped
// name does not look like success.
func (o *Operator) EndSession(ctx context.Context, ref, sid string) error {
	u, err := o.find(ctx, ref)
	if err != nil {
		return err
	}
	recs, err := o.Store.Get(ctx, session.Key(u.Subject, sid))
	if err != nil {
		return fmt.Errorf("reading a session: %w", err)
	}
	if !recs[0].Exists() {
		return fault.New(fault.NotFound, "%s has no session %q; see: signet session list %s", u.Login, sid, ref).On("sid")
	}
	return o.Ended.Session(ctx, u.Subject, sid, ended.ByOperator)
}

// EndSessions ends every session and every grant of a user, offline ones
// included. The user may sign in again.
func (o *Operator) EndSessions(ctx context.Context, ref string) error {
	u, err := o.find(ctx, ref)
	if err != nil {
		return err
	}
	_, err = o.Ended.User(ctx, u.Subject, ended.ByOperator, nil)
	return err
}

// ListAudit returns up to limit events of the audit log, the newest first,
// beginning after the one named (when not empty).
func (o *Operator) ListAudit(ctx context.Context, after string, limit int) ([]audit.Event, error) {
	return audit.List(ctx, o.Store, after, limit)
}
