package ended

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/signet-id/signet/internal/audit"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/outbox"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

const (
	// most is how many records one ending removes in its Commit. A session or a
	// user may have more; they are worth nothing from that Commit on.
	most = 64
	// mostCalls is how many rows of the outbox ride in the Commit.
	mostCalls = 48
	// fenceLife is how long a fence is kept: longer than an ending takes between
	// its reading and its Commit.
	fenceLife = 10 * time.Minute
	// keepLeast is how long the journal keeps an ending at least, so that a verifier
	// that was away for a while finds what it missed.
	keepLeast = 30 * time.Minute
	// margin is for clocks that disagree.
	margin = 5 * time.Minute
)

// fence is the key that every Commit puts in which a session or grant of a user
// begins, or a grant takes another slot. An ending demands that it is as it was
// when it read what there was to end: so nothing begins unseen in between. It is
// where the grant is that the Commit puts, so that it costs no page of its own.
func fence(subject string) string { return grant.Beside(subject) }

func clientFence(clientID string) string { return "begun/client/" + clientID }

// tokenKey marks a machine's token as ended, so that it is ended once.
func tokenKey(at slot.Slot) string { return "ended-token/" + strconv.FormatUint(uint64(at), 10) }

// Begun belongs into every Commit in which a session or a grant of subject
// begins, or a grant takes another slot.
func Begun(subject string) store.Op { return put(fence(subject)) }

// ClientBegun belongs into every Commit that leases slots for a client.
func ClientBegun(clientID string) store.Op { return put(clientFence(clientID)) }

func put(key string) store.Op { return store.Put(key, nil).Until(time.Now().Add(fenceLife)) }

// Kept is how long the journal keeps an ending when access tokens live so long.
func Kept(lifetime time.Duration) time.Duration { return max(lifetime+margin, keepLeast) }

// plan is one ending on its way to its Commit.
type plan struct {
	ending  Ending
	demands []store.Op     // that what was read still stands
	gone    []store.Record // the first of them in the Commit, each as it was read
	marks   []store.Op
	calls   []outbox.Call
	change  bool // the Commit changes something even if nothing is gone
}

func (e *Endings) begin(kind Kind, cause Cause) *plan {
	now := time.Now().UTC()
	return &plan{ending: Ending{Kind: kind, Cause: cause, Time: now, Expires: now.Add(Kept(e.Lifetime))}}
}

// demand makes the ending void if r, a fence, changes before its Commit.
func (p *plan) demand(r store.Record) {
	p.demands = append(p.demands, store.Unchanged(r.Key, r.Version))
}

// mark writes a record that must not be there yet, for as long as the journal's.
func (p *plan) mark(key string) {
	p.marks = append(p.marks, store.Put(key, nil).Until(p.ending.Expires).IfAbsent())
}

// remove takes what exists of records away with the ending.
func (p *plan) remove(records ...store.Record) {
	for _, r := range records {
		if r.Exists() {
			p.gone = append(p.gone, r)
		}
	}
}

// removeGrants takes grants away, and ends their tokens. What can't be read goes
// as well: one damaged grant must not keep a person from signing out.
func (p *plan) removeGrants(records []store.Record, clientID *string) {
	p.remove(records...)
	p.ending.Slots = append(p.ending.Slots, slotsOf(records)...)
	if len(records) == 1 && clientID != nil {
		if g, err := grant.Decode(records[0]); err == nil {
			*clientID = g.ClientID
		}
	}
}

// carry makes one ending true: what prepare plans is committed, and planned anew
// when what it was planned on has changed meanwhile. Each lost round means that
// somebody else's Commit was made, so the loop ends.
func (e *Endings) carry(ctx context.Context, prepare func() (*plan, error), commit func(...store.Op) (store.Version, error)) error {
	for {
		p, err := prepare()
		if err != nil {
			return err
		}
		if len(p.gone) == 0 && len(p.marks) == 0 && !p.change {
			return nil // has ended already
		}
		journal, ops, err := e.ops(p)
		if err != nil {
			return err
		}
		position, err := commit(ops...)
		if key := store.ConflictOn(err); key != "" && slices.ContainsFunc(ops, func(op store.Op) bool { return op.Key == key }) {
			continue
		}
		if err != nil {
			return fmt.Errorf("ending a %s: %w", p.ending.Kind, err)
		}
		if len(p.gone) > most {
			if err := e.sweep(ctx, p.gone[most:]); err != nil {
				return err
			}
		}
		return e.known(ctx, journal, position)
	}
}

// ops are the plan's Commit, and the key of its record in the journal.
func (e *Endings) ops(p *plan) (journal string, ops []store.Op, err error) {
	record, err := p.ending.op()
	if err != nil {
		return "", nil, err
	}
	event, err := audit.Op(audit.Event{
		Time: p.ending.Time, What: string(p.ending.Kind) + " ended", Cause: string(p.ending.Cause), Subject: p.ending.Subject,
		SessionID: p.ending.SessionID, GrantID: p.ending.GrantID, ClientID: p.ending.ClientID, KeyID: p.ending.KeyID,
	}, e.Audit)
	if err != nil {
		return "", nil, err
	}
	calls, err := outbox.Ops(p.calls, p.ending.Time, mostCalls)
	if err != nil {
		return "", nil, err
	}
	ops = append([]store.Op{record, event}, p.demands...)
	for _, r := range p.gone[:min(len(p.gone), most)] {
		ops = append(ops, store.Delete(r.Key).If(r.Version))
	}
	return record.Key, slices.Concat(ops, p.marks, calls), nil
}

// sweep removes what did not fit into the Commit, and is worth nothing already.
func (e *Endings) sweep(ctx context.Context, records []store.Record) error {
	for chunk := range slices.Chunk(records, store.MaxOps) {
		ops := make([]store.Op, len(chunk))
		for i, r := range chunk {
			ops[i] = store.Delete(r.Key)
		}
		if _, err := e.Store.Commit(ctx, ops...); err != nil {
			return fmt.Errorf("removing what has ended: %w", err)
		}
	}
	return nil
}

// known waits until this node refuses what ended.
func (e *Endings) known(ctx context.Context, journal string, position store.Version) error {
	if position == 0 {
		recs, err := e.Store.Get(ctx, journal)
		if err != nil {
			return fmt.Errorf("reading back an ending: %w", err)
		}
		position = recs[0].Version
	}
	return e.Known(ctx, position)
}

// commit is the Commit of an ending that changes nothing else.
func (e *Endings) commit(ctx context.Context) func(...store.Op) (store.Version, error) {
	return func(ops ...store.Op) (store.Version, error) { return e.Store.Commit(ctx, ops...) }
}

// changeUser carries an ending out in the Commit that changes the user.
func (e *Endings) changeUser(
	ctx context.Context, subject string, change func(*user.User) error, count func(*user.User), prepare func() (*plan, error),
) (user.User, error) {
	var changed user.User
	err := e.carry(ctx, prepare, func(ops ...store.Op) (_ store.Version, err error) {
		changed, err = e.Users.Update(ctx, subject, func(u *user.User) error {
			count(u)
			if change == nil {
				return nil
			}
			return change(u)
		}, ops...)
		return 0, err
	})
	return changed, err
}

// ofUser begins a plan about a user, of whom nothing can begin meanwhile.
func (e *Endings) ofUser(ctx context.Context, kind Kind, subject string, cause Cause) (*plan, []store.Record, error) {
	recs, err := e.Store.Get(ctx, fence(subject))
	if err != nil {
		return nil, nil, fmt.Errorf("reading what a user has begun: %w", err)
	}
	grants, err := e.list(ctx, grant.UserPrefix(subject))
	if err != nil {
		return nil, nil, err
	}
	p := e.begin(kind, cause)
	p.ending.Subject, p.change = subject, true
	p.demand(recs[0])
	return p, grants, nil
}

// ofClient plans the ending of all tokens of a client.
func (e *Endings) ofClient(ctx context.Context, clientID string, cause Cause) func() (*plan, error) {
	return func() (*plan, error) {
		recs, err := e.Store.Get(ctx, clientFence(clientID))
		if err != nil {
			return nil, fmt.Errorf("reading what a client has begun: %w", err)
		}
		p := e.begin(KindClient, cause)
		p.ending.ClientID, p.change = clientID, true
		p.demand(recs[0])
		p.ending.Slots, err = e.Blocks(ctx, clientID)
		return p, err
	}
}

func (e *Endings) list(ctx context.Context, prefix string) ([]store.Record, error) {
	var all []store.Record
	for after := ""; ; {
		recs, err := e.Store.List(ctx, prefix, after, store.MaxList)
		if err != nil {
			return nil, fmt.Errorf("listing what is to end: %w", err)
		}
		if all = append(all, recs...); len(recs) < store.MaxList {
			return all, nil
		}
		after = recs[len(recs)-1].Key
	}
}

// told are the calls to the relying parties of sessions (OpenID Connect
// Back-Channel Logout 1.0 §2.3). When everything of a user ends, who does not
// insist on the sid is told once, of the user.
func (e *Endings) told(sessions []store.Record, all bool) []outbox.Call {
	var calls []outbox.Call
	for _, r := range sessions {
		if !r.Exists() {
			continue
		}
		s, err := session.Decode(r)
		if err != nil {
			continue // nobody can know whom it was for
		}
		for _, id := range s.Clients {
			c, known := e.Clients.Find(id)
			if !known || c.BackchannelLogoutURI == "" {
				continue
			}
			call := outbox.Call{ClientID: id, Subject: s.Subject, SessionID: s.ID}
			if all && !c.BackchannelLogoutSession {
				call.SessionID = ""
			}
			if !slices.Contains(calls, call) {
				calls = append(calls, call)
			}
		}
	}
	return calls
}

// online leaves out the grants that outlive their session.
func online(grants []store.Record) []store.Record {
	return without(grants, func(g grant.Grant) bool { return g.Offline() })
}

// ofClient leaves out the grants of other clients.
func ofClient(grants []store.Record, clientID string) []store.Record {
	return without(grants, func(g grant.Grant) bool { return g.ClientID != clientID })
}

// withRoles leaves out the grants whose tokens say nothing of roles and groups.
func withRoles(grants []store.Record) []store.Record {
	return without(grants, func(g grant.Grant) bool {
		return !slices.Contains(g.Scopes, client.ScopeRoles) && !slices.Contains(g.Scopes, client.ScopeGroups)
	})
}

// without leaves out the grants that out names; one that can't be read stays in.
func without(grants []store.Record, out func(grant.Grant) bool) []store.Record {
	return slices.DeleteFunc(grants, func(r store.Record) bool {
		g, err := grant.Decode(r)
		return err == nil && out(g)
	})
}

// slotsOf are the slots that tokens of the grants may carry.
func slotsOf(grants []store.Record) []slot.Range {
	var slots []slot.Range
	for _, r := range grants {
		if !r.Exists() {
			continue
		}
		if g, err := grant.Decode(r); err == nil {
			slots = append(slots, g.Slots()...)
		}
	}
	return slots
}
