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
	raced atomic.Int64 // codes and tokens presented at several nodes at once
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

// insist asks until there is an answer that leaves nothing open, and says whether
// the first one did.
func (c *chaos) insist(what string, ask func() (reply, error)) (got reply, first, ok bool) {
	first = true
	for begun := time.Now(); time.Since(begun) < patient; time.Sleep(tryNext) {
		got, err := ask()
		if c.settled(what, got, err) {
			return got, first, true
		}
		first = false
	}
	c.lost.Add(1)
	return reply{}, false, false
}

// insistToken is insist for what the token endpoint answers.
func (c *chaos) insistToken(what string, ask func() (tokenReply, error)) (out tokenReply, first, ok bool) {
	_, first, ok = c.insist(what, func() (reply, error) {
		var err error
		out, err = ask()
		return out.reply, err
	})
	return out, first, ok
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
	for range rand.IntN(5) {
		if !c.rotate(ctx, f) {
			return
		}
	}
	if c.part(ctx, f) {
		c.add(func() { c.families = append(c.families, f) })
	}
}

// begin redeems the code, now and then at several nodes at once. It reports
// whether there is a grant to go on with.
func (c *chaos) begin(ctx context.Context, f *family) bool {
	if rand.IntN(6) == 0 {
		c.race(ctx, f)
		return false
	}
	got, first, ok := c.insistToken("redeeming", func() (tokenReply, error) { return f.client.redeem(ctx, f.code) })
	switch {
	case !ok:
		return false
	case got.status == http.StatusOK && got.Refresh != "":
		c.acknowledged()
		f.tokens, f.rotated = []string{got.Refresh}, time.Now()
		return c.noted(ctx, got, f)
	case got.Error == "invalid_grant" && (!first || time.Since(f.issued) > patient):
		// It was redeemed, and the answer lost. Asking again was a replay.
		f.ended = true
		c.add(func() { c.families = append(c.families, f) })
	default:
		c.broken("redeeming: %s", got)
	}
	return false
}

// race redeems a code at every node at once. At most one of them takes it.
func (c *chaos) race(ctx context.Context, f *family) {
	c.raced.Add(1)
	var mu sync.Mutex
	won, open := 0, false
	inParallel(c.nodes, func(n *node) {
		got, err := relying{newVisitor(n.http), f.client.id, f.client.secret}.redeem(ctx, f.code)
		mu.Lock()
		defer mu.Unlock()
		switch ok := c.settled("redeeming at several nodes", got.reply, err); {
		case !ok:
			open = true
		case got.status == http.StatusOK:
			won++
			f.tokens = append(f.tokens, got.Refresh)
			c.keep(got.Access, f.client, f)
		case got.Error != "invalid_grant":
			c.broken("redeeming at several nodes: %s", got)
		}
	})
	switch {
	case won > 1:
		c.broken("one code worked at %d nodes", won)
	case won == 0 && !open:
		c.broken("a code that nobody had redeemed works nowhere")
	}
	// Whoever came second has ended it (RFC 6749 §4.1.2), if he got through.
	f.ended, f.ending = !open || won == 0, open && won > 0
	c.add(func() { c.families = append(c.families, f) })
}

// rotate refreshes, and now and then presents the old token again at every node.
func (c *chaos) rotate(ctx context.Context, f *family) bool {
	begun, old := time.Now(), f.current()
	got, first, ok := c.insistToken("refreshing", func() (tokenReply, error) { return f.client.refresh(ctx, old) })
	switch {
	case !ok:
		return false
	case got.status == http.StatusOK:
		c.acknowledged()
		f.succeed(got.Refresh)
	case !first && time.Since(begun) > patient:
		return false // too late to tell it from theft
	default:
		c.broken("refreshing: %s", got)
		return false
	}
	if !c.noted(ctx, got, f) {
		return false
	}
	if rand.IntN(6) == 0 && soon(begun) {
		c.raced.Add(1)
		inParallel(c.nodes, func(n *node) {
			got, err := relying{newVisitor(n.http), f.client.id, f.client.secret}.refresh(ctx, old)
			if c.settled("refreshing at several nodes", got.reply, err) && got.Refresh != f.current() && soon(begun) {
				c.broken("one refresh token has two successors: %s", got)
			}
		})
	}
	return true
}

// noted keeps an access token, and looks now and then whether all nodes publish
// the key that signed it.
func (c *chaos) noted(ctx context.Context, got tokenReply, f *family) bool {
	i := c.keep(got.Access, f.client, f)
	if i != nil && rand.IntN(20) == 0 {
		c.wantPublished(ctx, i.raw)
	}
	return i != nil
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
