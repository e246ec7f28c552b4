package ended_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

// redeem is what the token endpoint does with a code: it reads the session, the
// user and the consent, and commits a grant if all of them are as they were.
func (h *house) redeem(kind, sid string) (grant.Grant, bool) {
	subject := h.alice.Subject
	recs := h.get(session.Key(subject, sid), user.Key(subject), grant.ConsentKey(subject, "orders"))
	s, err := session.Decode(recs[0])
	who, userErr := user.Decode(recs[1])
	if err != nil || userErr != nil || who.Disabled || s.Epoch != who.Epoch || !recs[2].Exists() {
		return grant.Grant{}, false
	}
	g := speaking(h.grant(who, sid, "orders", refreshOf(kind)))
	return g, h.try(append(unchanged(recs), h.put(g), ended.Begun(subject))...)
}

// refreshOf is a kind of grant that the ending does not leave alone.
func refreshOf(kind string) client.Refresh {
	if kind == "session" {
		return client.RefreshSession
	}
	return client.RefreshOffline
}

// speaking makes g one whose tokens tell of roles.
func speaking(g grant.Grant) grant.Grant {
	g.Scopes = []string{"openid", client.ScopeRoles}
	return g
}

// refresh is what it does with a refresh token of a grant whose slot is old.
func (h *house) refresh(g grant.Grant) (grant.Grant, bool) {
	recs := h.get(g.Key(), session.Key(g.Subject, g.SessionID), user.Key(g.Subject))
	g, err := grant.Decode(recs[0])
	who, userErr := user.Decode(recs[2])
	if err != nil || userErr != nil || who.Disabled || g.Epoch != who.Epoch {
		return g, false
	}
	now := time.Now()
	g = g.Take(grant.Hold{Slot: h.slot(), Until: now.Add(time.Hour), User: who.TokenEpoch}, now, now.Add(lifetime))
	return g, h.try(append(unchanged(recs[1:]), h.put(g), ended.Begun(g.Subject))...)
}

func unchanged(recs []store.Record) []store.Op {
	ops := make([]store.Op, len(recs))
	for i, r := range recs {
		ops[i] = store.Unchanged(r.Key, r.Version)
	}
	return ops
}

// try commits as somebody else does, and reports whether it came about.
func (h *house) try(ops ...store.Op) bool {
	_, err := h.store.Store.Commit(h.t.Context(), ops...)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		h.t.Error(err)
	}
	return err == nil
}

// endings of what Alice has in one session; each is to end what redeem and
// refresh made, whenever they did.
func (h *house) endings(sid string) map[string]func() error {
	ctx, alice := h.t.Context(), h.alice.Subject
	return map[string]func() error{
		"session": func() error { return h.Session(ctx, alice, sid, ended.BySignOut) },
		"consent": func() error { return h.Consent(ctx, alice, "orders", ended.ByAccountPage) },
		"user":    func() error { _, err := h.User(ctx, alice, ended.ByOperator, nil); return err },
		"roles":   func() error { _, err := h.Roles(ctx, alice, ended.ByRoleLoss, noRoles); return err },
	}
}

func kinds() []string { return []string{"session", "consent", "user", "roles"} }

// wantNothingUnseen checks that no slot of what began before the ending is alive:
// each is in a record of the journal, or its grant began after the ending.
func (h *house) wantNothingUnseen(kind string, made []grant.Grant) {
	h.t.Helper()
	ends, now := marked(h.journal()...), h.userOf(h.alice)
	stored := map[string]bool{}
	for _, r := range h.list(grant.UserPrefix(h.alice.Subject)) {
		stored[r.Key] = true
	}
	for _, g := range made {
		if kind == "roles" && g.Hold.User == now.TokenEpoch {
			continue // of after the ending; what it held before is of another in made
		}
		if stored[g.Key()] && kind != "roles" {
			h.t.Errorf("%s: a grant is alive that began before", kind)
		}
		for _, s := range slotsOf(g) {
			if !ends[s] {
				h.t.Errorf("%s: slot %d of a grant that ended is in no record", kind, s)
			}
		}
	}
}

// A grant begins, or takes another slot, after the ending has read what there is
// and before its Commit.
func TestWhatBeginsWhileAnEndingIsUnderWayEndsWithIt(t *testing.T) {
	for _, kind := range kinds() {
		for _, what := range []string{"begins", "moves"} {
			t.Run(kind+", a grant "+what, func(t *testing.T) {
				h := open(t)
				sid := h.signIn(h.alice, "orders")
				h.agree(h.alice, "orders")
				old := speaking(h.grant(h.alice, sid, "orders", client.RefreshSession))
				h.commit(h.put(old))
				made := []grant.Grant{old}
				h.store.before = func(n int64) error {
					if n > 1 {
						return nil
					}
					meanwhile := func() (grant.Grant, bool) { return h.redeem(kind, sid) }
					if what == "moves" {
						meanwhile = func() (grant.Grant, bool) { return h.refresh(old) }
					}
					g, ok := meanwhile()
					if !ok {
						t.Fatal("nothing happened")
					}
					made = append(made, g)
					return nil
				}
				if err := h.endings(sid)[kind](); err != nil {
					t.Fatal(err)
				}
				h.wantNothingUnseen(kind, made)
				if n := len(h.journal()); n != 1 {
					t.Errorf("%d records, want 1", n)
				}
			})
		}
	}
}

// The same by chance, in every order. What began is in a record or began after.
func TestABeginningAndAnEndingAtOnceLeaveNothingAliveUnseen(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			h := open(t)
			for range 60 {
				h.alice = h.userOf(h.alice)
				sid := h.signIn(h.alice, "orders")
				h.agree(h.alice, "orders")
				old := speaking(h.grant(h.alice, sid, "orders", client.RefreshSession))
				h.commit(h.put(old))
				made := h.atOnce(old, func() (grant.Grant, bool) { return h.redeem(kind, sid) }, h.endings(sid)[kind])
				h.wantNothingUnseen(kind, made)
			}
		})
	}
}

// atOnce begins, refreshes old and ends at once, and returns all that there was.
func (h *house) atOnce(old grant.Grant, begin func() (grant.Grant, bool), end func() error) []grant.Grant {
	var (
		mu   sync.Mutex
		made = []grant.Grant{old}
		all  sync.WaitGroup
	)
	add := func(g grant.Grant, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if ok {
			made = append(made, g)
		}
	}
	for range 3 {
		all.Go(func() { add(begin()) })
		all.Go(func() { add(h.refresh(old)) })
	}
	all.Go(func() {
		if err := end(); err != nil {
			h.t.Error(err)
		}
	})
	all.Wait()
	return made
}

// A client is leased more slots while it is being disabled.
func TestSlotsThatAreLeasedWhileAClientIsEndedEndWithIt(t *testing.T) {
	h := open(t)
	extra := slot.At(9, 9)
	leased := false
	inner := h.Blocks
	h.Blocks = func(ctx context.Context, clientID string) ([]slot.Range, error) {
		ranges, err := inner(ctx, clientID)
		if leased {
			ranges = append(ranges, slot.Only(extra))
		}
		return ranges, err
	}
	h.store.before = func(n int64) error {
		if n == 1 {
			h.commit(ended.ClientBegun("orders"))
			leased = true
		}
		return nil
	}
	if _, err := h.Client(t.Context(), "orders", ended.ByOperator, func(c *client.Client) error { c.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	h.wantOne(ended.Ending{Kind: ended.KindClient, Cause: ended.ByOperator, ClientID: "orders"}, append(blocks(), extra))
	if c, _ := h.Clients.Find("orders"); c.TokenEpoch != 1 {
		t.Errorf("the client's epoch is %d, want 1", c.TokenEpoch)
	}
}

// A grant's own version is its fence: a refresh in this moment takes another slot.
func TestAGrantThatTakesAnotherSlotMeanwhileEndsWithBoth(t *testing.T) {
	h := open(t)
	sid := h.signIn(h.alice, "orders")
	g := h.begin(h.alice, sid, "orders", client.RefreshSession, 1)[0]
	var moved grant.Grant
	h.store.before = func(n int64) (err error) {
		if n == 1 {
			moved, _ = h.refresh(g)
		}
		return nil
	}
	if err := h.Grant(t.Context(), g.Ref, ended.ByRevocation); err != nil {
		t.Fatal(err)
	}
	h.wantAlive(false, "the grant", g.Key())
	h.wantOne(ended.Ending{
		Kind: ended.KindGrant, Cause: ended.ByRevocation, Subject: g.Subject, SessionID: sid, GrantID: g.ID, ClientID: "orders",
	}, slotsOf(moved))
}

// A client that joined the session in this moment is told as well.
func TestAClientThatJoinsTheSessionMeanwhileIsTold(t *testing.T) {
	h := open(t)
	sid := h.signIn(h.alice)
	h.store.before = func(n int64) error {
		if n > 1 {
			return nil
		}
		s, err := session.Decode(h.get(session.Key(h.alice.Subject, sid))[0])
		if err != nil {
			return err
		}
		s, _ = s.Join("orders")
		op, err := policy().Put(s)
		if err == nil {
			h.commit(op)
		}
		return err
	}
	if err := h.Session(t.Context(), h.alice.Subject, sid, ended.BySignOut); err != nil {
		t.Fatal(err)
	}
	if n := len(h.calls()); n != 1 {
		t.Errorf("%d calls wait, want one to orders", n)
	}
}

// Sixteen clicks on one button.
func TestOneEndingAskedForManyTimesAtOnceLeavesOneRecord(t *testing.T) {
	h := open(t)
	sid := h.signIn(h.alice, "orders")
	grants := h.begin(h.alice, sid, "orders", client.RefreshOffline, 2)
	h.agree(h.alice, "orders")
	ctx, alice := t.Context(), h.alice.Subject
	for i, end := range []func() error{
		func() error { return h.Grant(ctx, grants[0].Ref, ended.ByRevocation) },
		func() error { return h.Consent(ctx, alice, "orders", ended.ByAccountPage) },
		func() error { return h.Session(ctx, alice, sid, ended.BySignOut) },
		func() error { return h.Token(ctx, "robot", 7, ended.ByRevocation) },
	} {
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if err := end(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if j, a := len(h.journal()), len(h.events()); j != i+1 || a != i+1 {
			t.Errorf("after %d endings: %d records and %d events", i+1, j, a)
		}
	}
	if n := len(h.calls()); n != 1 {
		t.Errorf("%d calls wait, want 1", n)
	}
}
