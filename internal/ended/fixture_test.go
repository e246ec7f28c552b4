package ended_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/audit"
	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/outbox"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
	"github.com/signet-id/signet/internal/user"
)

// lifetime is that of access tokens here.
const lifetime = 10 * time.Minute

// house is a store with people and clients, and endings over it.
type house struct {
	*ended.Endings
	t          testing.TB
	store      *between
	alice, bob user.User
	slots      atomic.Uint64

	mu    sync.Mutex
	known []store.Version // what was waited for
}

// between lets something happen right before a Commit of an ending, or fails it.
type between struct {
	store.Store
	before func(n int64) error // n counts the Commits
	n      atomic.Int64
}

func (b *between) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	if b.before != nil {
		if err := b.before(b.n.Add(1)); err != nil {
			return 0, err
		}
	}
	return b.Store.Commit(ctx, ops...)
}

func open(t testing.TB) *house {
	t.Helper()
	engine, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &between{Store: engine}
	clients, err := client.Open(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		clients.Close()
		if err := engine.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	h := &house{t: t, store: s}
	h.slots.Store(uint64(slot.At(29396000, 0)))
	h.Endings = &ended.Endings{
		Store: h.store, Users: user.NewDirectory(h.store), Clients: clients, Lifetime: lifetime, Audit: 24 * time.Hour,
		Blocks: func(context.Context, string) ([]slot.Range, error) {
			return []slot.Range{{First: slot.At(7, 64), Count: 64}, slot.Only(slot.At(8, 1))}, nil
		},
		Known: func(_ context.Context, position store.Version) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.known = append(h.known, position)
			return nil
		},
	}
	// orders hears of every ending once, billing of each sid, quiet of none.
	for id, c := range map[string]client.Client{
		"orders":  {BackchannelLogoutURI: "https://orders.example/logout"},
		"billing": {BackchannelLogoutURI: "https://billing.example/logout", BackchannelLogoutSession: true},
		"quiet":   {},
	} {
		c.ID, c.Public, c.RedirectURIs = id, true, []string{"https://" + id + ".example/cb"}
		if _, err := clients.Create(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	h.alice, h.bob = h.user("alice"), h.user("bob")
	return h
}

func (h *house) user(login string) user.User {
	h.t.Helper()
	u, err := h.Users.Create(h.t.Context(), user.User{Login: login, Roles: []string{"clerk"}})
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

func (h *house) commit(ops ...store.Op) {
	h.t.Helper()
	for chunk := range slices.Chunk(ops, store.MaxOps) {
		if _, err := h.store.Store.Commit(h.t.Context(), chunk...); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) get(keys ...string) []store.Record {
	h.t.Helper()
	recs, err := h.store.Get(h.t.Context(), keys...)
	if err != nil {
		h.t.Fatal(err)
	}
	return recs
}

func (h *house) list(prefix string) []store.Record {
	h.t.Helper()
	var all []store.Record
	for after := ""; ; after = all[len(all)-1].Key {
		recs, err := h.store.List(h.t.Context(), prefix, after, store.MaxList)
		if err != nil {
			h.t.Fatal(err)
		}
		if all = append(all, recs...); len(recs) < store.MaxList {
			return all
		}
	}
}

// policy is how long sessions live here.
func policy() session.Policy { return session.Policy{Idle: time.Hour, Absolute: time.Hour} }

// signIn begins a session of u in which the clients were used, and names it.
func (h *house) signIn(u user.User, clients ...string) (sid string) {
	h.t.Helper()
	s, _ := policy().Begin(authn.New(u.Subject, time.Now(), authn.AMRPassword), session.Origin{})
	s.Epoch, s.Clients = u.Epoch, clients
	op, err := policy().Put(s)
	if err != nil {
		h.t.Fatal(err)
	}
	h.commit(op, ended.Begun(u.Subject))
	return s.ID
}

func (h *house) slot() slot.Slot { return slot.Slot(h.slots.Add(1)) }

// grant makes one that holds a slot, and held another before, and writes nothing.
func (h *house) grant(u user.User, sid, clientID string, refresh client.Refresh) grant.Grant {
	now := time.Now()
	g := grant.Grant{
		Ref: grant.Ref{Subject: u.Subject, SessionID: sid, ID: ident.New()}, ClientID: clientID, Refresh: refresh,
		Scopes: []string{"openid"}, Created: now.UTC(), Epoch: u.Epoch,
	}
	for range 2 {
		g = g.Take(grant.Hold{Slot: h.slot(), Until: now.Add(time.Hour), User: u.TokenEpoch}, now, now.Add(lifetime))
	}
	return g
}

func (h *house) put(g grant.Grant) store.Op {
	h.t.Helper()
	op, err := g.Put(time.Now().Add(time.Hour))
	if err != nil {
		h.t.Fatal(err)
	}
	return op
}

// begin begins n grants in the session.
func (h *house) begin(u user.User, sid, clientID string, refresh client.Refresh, n int) []grant.Grant {
	h.t.Helper()
	grants := make([]grant.Grant, n)
	ops := make([]store.Op, n)
	for i := range grants {
		grants[i] = h.grant(u, sid, clientID, refresh)
		ops[i] = h.put(grants[i])
	}
	h.commit(ops...)
	return grants
}

func keysOf(grants []grant.Grant) []string {
	keys := make([]string, len(grants))
	for i, g := range grants {
		keys[i] = g.Key()
	}
	return keys
}

// slotsOf are all that tokens of the grants carry, each by itself.
func slotsOf(grants ...grant.Grant) []slot.Slot {
	var slots []slot.Slot
	for _, g := range grants {
		for _, f := range g.Former {
			slots = append(slots, f.Slot)
		}
		slots = append(slots, g.Hold.Slot)
	}
	return slots
}

// agree remembers a consent of u to the client, and returns its key.
func (h *house) agree(u user.User, clientID string) string {
	h.t.Helper()
	op, err := grant.Consent{}.Widen([]string{"openid"}, time.Now()).Put(u.Subject, clientID)
	if err != nil {
		h.t.Fatal(err)
	}
	h.commit(op)
	return op.Key
}

// wantAlive checks that exactly the keys given are, or are not, in the store.
func (h *house) wantAlive(alive bool, what string, keys ...string) {
	h.t.Helper()
	for chunk := range slices.Chunk(keys, store.MaxGet) {
		for _, r := range h.get(chunk...) {
			if r.Exists() != alive {
				h.t.Errorf("%s: %s is there %t, want %t", what, r.Key, r.Exists(), alive)
			}
		}
	}
}

// journal is every ending so far, in order.
func (h *house) journal() []ended.Ending {
	h.t.Helper()
	var all []ended.Ending
	tail, err := ended.Follow(h.t.Context(), h.store, func(e []ended.Ending) { all = append(all, e...) }, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	tail.Close()
	return all
}

// marked are the slots that the endings ended.
func marked(endings ...ended.Ending) map[slot.Slot]bool {
	slots := map[slot.Slot]bool{}
	for _, e := range endings {
		for _, r := range e.Slots {
			for i := range r.Len() {
				slots[r.First+slot.Slot(i)] = true
			}
		}
	}
	return slots
}

// calls are what waits in the outbox, one by one.
func (h *house) calls() []outbox.Call {
	h.t.Helper()
	var all []outbox.Call
	for _, r := range h.list("outbox/") {
		var row struct{ Calls []outbox.Call }
		if err := json.Unmarshal(r.Value, &row); err != nil {
			h.t.Fatal(err)
		}
		all = append(all, row.Calls...)
	}
	return all
}

func (h *house) events() []audit.Event {
	h.t.Helper()
	events, err := audit.List(h.t.Context(), h.store, "", store.MaxList)
	if err != nil {
		h.t.Fatal(err)
	}
	return events
}
