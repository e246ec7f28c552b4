package interop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// patient is how long a client tries to learn what became of something: as
	// long as a code lives and a rotated token may be repeated, with room.
	patient = 50 * time.Second
	tryNext = 100 * time.Millisecond
	// feelEvery is how often somebody makes a change who waits for nobody.
	feelEvery = 150 * time.Millisecond
)

// chaos is a ledger of clients that go on when something breaks: who hears
// nothing, or is asked to come back later, asks again.
type chaos struct {
	*ledger
	*cluster
	judge *judge
	pulse *pulse

	refused, // answers that said to come back later
	lost, // what was given up on, nobody knowing what became of it
	raced, // codes and tokens presented at several nodes at once
	overtaken atomic.Int64 // grants that a copy of a request ended, which came late

	late map[*family]bool // of whose requests a copy may still be on its way; mu guards it
	ids  map[string]bool  // the keys that signed ID tokens; mu guards it
}

// settled reports whether got is an answer that leaves nothing open. A refusal
// that says when to come back leaves open whether it happened, as no answer does:
// the engine may have done it and not been heard.
func (c *chaos) settled(what string, got reply, err error) bool {
	switch {
	case errors.Is(err, errCut):
		c.doubts.Add(1)
	case err != nil:
		c.broken("%s: %v", what, err)
	case got.status == http.StatusServiceUnavailable:
		c.refused.Add(1)
		if got.header.Get("Retry-After") == "" && got.header.Get("X-Request-Id") != "" { // the operator's socket says it in words
			c.broken("%s: a refusal does not say when to come back: %s", what, got)
		}
	case got.location().Get("error") == "temporarily_unavailable": // RFC 6749 §4.1.2.1
		c.refused.Add(1)
	case got.status >= http.StatusInternalServerError:
		c.broken("%s: %s", what, got)
	default:
		c.operations.Add(1)
		return true
	}
	return false
}

// answered says how an answer was come by.
type answered struct {
	first bool // whoever was asked first gave it
	cut   bool // somebody who was asked before never answered, and may still do what he was asked
}

// insist asks until there is an answer that leaves nothing open.
func (c *chaos) insist(what string, ask func() (reply, error)) (got reply, how answered, ok bool) {
	how.first = true
	for begun := time.Now(); time.Since(begun) < patient; time.Sleep(tryNext) {
		got, err := ask()
		if c.settled(what, got, err) {
			return got, how, true
		}
		how.first, how.cut = false, how.cut || errors.Is(err, errCut)
	}
	c.lost.Add(1)
	return reply{}, answered{}, false
}

// insistToken is insist for what the token endpoint answers.
func (c *chaos) insistToken(what string, ask func() (tokenReply, error)) (out tokenReply, how answered, ok bool) {
	_, how, ok = c.insist(what, func() (reply, error) {
		var err error
		out, err = ask()
		return out.reply, err
	})
	return out, how, ok
}

// run has people, machines and an operator work on the cluster until stop closes.
func (c *chaos) run(ctx context.Context, stop <-chan struct{}) {
	var workers sync.WaitGroup
	work := func(pause time.Duration, once func(n int)) {
		workers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(rand.Int64N(int64(pause)))):
					once(n)
				}
			}
		})
	}
	for range 5 {
		work(150*time.Millisecond, func(int) { c.person(ctx) })
	}
	for range 2 {
		work(100*time.Millisecond, func(int) { c.machine(ctx) })
	}
	work(time.Second, func(n int) { c.administer(ctx, n) })
	workers.Go(func() { c.feel(ctx, stop) })
	workers.Wait()
}

// feel makes a change every now and then, whatever became of those before, at a
// node where nothing is wrong if there is one: how long none succeeds is how long
// the cluster is of no use. The others wait for their answers, and so would not
// notice.
func (c *chaos) feel(ctx context.Context, stop <-chan struct{}) {
	var asking sync.WaitGroup
	defer asking.Wait()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(feelEvery):
		}
		healthy := slices.DeleteFunc(slices.Clone(c.nodes), func(n *node) bool { return n.calmSince().IsZero() })
		if len(healthy) == 0 {
			healthy = c.nodes
		}
		asking.Go(func() {
			login := fmt.Sprintf("pulse-%d", n)
			got, err := healthy[n%len(healthy)].operator("").addUser(ctx, login)
			if c.settled("adding a user", got, err) && got.status == http.StatusCreated {
				c.acknowledged()
				c.add(func() { c.logins = append(c.logins, login) })
			}
		})
	}
}

// administer adds a user and a client, at any node.
func (c *chaos) administer(ctx context.Context, n int) {
	login := fmt.Sprintf("user-%d", n)
	got, err := c.operator().addUser(ctx, login)
	switch ok := c.settled("adding a user", got, err); {
	case !ok:
		c.add(func() { c.maybe = append(c.maybe, login) })
	case got.status != http.StatusCreated:
		c.broken("adding a user: %s", got)
	default:
		c.acknowledged()
		c.add(func() { c.logins = append(c.logins, login) })
	}
	id := fmt.Sprintf("client-%d", n)
	status, made, err := c.operator().addClient(ctx, id, []string{"ES256", "EdDSA"}[n%2])
	if c.settled("adding a client", reply{status: status, header: http.Header{"Retry-After": {"?"}}}, err) {
		if status != http.StatusCreated {
			c.broken("adding a client: %d", status)
			return
		}
		c.add(func() { c.clients = append(c.clients, relying{newVisitor(c.victim.http), id, made}) })
	}
}

// acknowledged notes that a change was made, for the longest time without one.
func (c *chaos) acknowledged() { c.pulse.beat() }

// person signs in, has a grant begun, and does something with it.
func (c *chaos) person(ctx context.Context) {
	c.mu.Lock()
	login, client := c.logins[rand.IntN(len(c.logins))], c.clients[rand.IntN(2)]
	c.mu.Unlock()
	s := &signedIn{visitor: newVisitor(c.victim.http), login: login}
	got, err := s.signIn(ctx, client.id, login)
	if !c.settled("signing in", got, err) {
		return // there may be a session of which nobody has the cookie
	}
	if got.status != http.StatusSeeOther {
		c.broken("signing in: %s", got)
		return
	}
	c.acknowledged()
	c.add(func() { c.sessions = append(c.sessions, s) })
	got, _, ok := c.insist("resuming", func() (reply, error) { return s.get(ctx, got.header.Get("Location")) })
	if !ok {
		return
	}
	f := &family{session: s, client: client, code: got.location().Get("code"), issued: time.Now()}
	if f.code == "" {
		c.broken("no code: %s", got)
		return
	}
	if !c.begin(ctx, f) {
		return
	}
	if rand.IntN(4) == 0 {
		c.again(ctx, f)
	}
	for range rand.IntN(5) {
		if !c.rotate(ctx, f) {
			return
		}
	}
	if c.part(ctx, f) {
		c.add(func() { c.families = append(c.families, f) })
	}
}

// machine gets a token for a client itself, and revokes some.
func (c *chaos) machine(ctx context.Context) {
	c.mu.Lock()
	client := c.clients[rand.IntN(2)]
	c.mu.Unlock()
	got, _, ok := c.insistToken("getting a machine's token", func() (tokenReply, error) {
		return client.token(ctx, url.Values{"grant_type": {"client_credentials"}})
	})
	if !ok {
		return
	}
	if got.status != http.StatusOK {
		c.broken("getting a machine's token: %s", got)
		return
	}
	i := c.keep(got.Access, client, nil)
	if i == nil || rand.IntN(2) == 0 {
		return
	}
	i.revoking = true
	said, _, ok := c.insist("revoking a machine's token", func() (reply, error) { return client.post(ctx, "/revoke", i.raw) })
	if !ok {
		return
	}
	if said.status != http.StatusOK {
		c.broken("revoking a machine's token: %s", said)
		return
	}
	i.revoking, i.revoked = false, true
	c.acknowledged()
	c.judge.ended(ctx, i.raw)
}
