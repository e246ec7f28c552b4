package interop

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// doubt notes that a request of the family was cut, at a node that stands still
// perhaps: when it goes on it may carry out what was done elsewhere since. To it
// that is a replay, and it ends the grant, rightly.
func (c *chaos) doubt(f *family) { c.add(func() { c.late[f] = true }) }

// isOvertaken reports whether got says that the grant has ended, and a late copy
// of a request may be why.
func (c *chaos) isOvertaken(f *family, got tokenReply) bool {
	return got.Error == "invalid_grant" && c.isLate(f)
}

func (c *chaos) isLate(f *family) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.late[f]
}

// settleLate asks how those grants stand of whose requests a copy was on its way.
// By now each has arrived.
func (c *chaos) settleLate(ctx context.Context) {
	for _, f := range c.families {
		if !c.late[f] || f.ended || f.ending || len(f.tokens) == 0 {
			continue
		}
		got, err := f.client.refresh(ctx, f.current())
		switch {
		case err != nil:
			c.broken("refreshing: %v", err)
		case got.status == http.StatusOK:
			f.succeed(got.Refresh)
			c.keep(got.Access, f.client, f)
		case c.isOvertaken(f, got):
			f.ended = true
			c.overtaken.Add(1)
		default:
			c.broken("refreshing: %s", got)
		}
	}
}

// begin redeems the code, now and then at several nodes at once. It reports
// whether there is a grant to go on with.
func (c *chaos) begin(ctx context.Context, f *family) bool {
	if rand.IntN(6) == 0 {
		c.race(ctx, f)
		return false
	}
	got, how, ok := c.insistToken("redeeming", func() (tokenReply, error) { return f.client.redeem(ctx, f.code) })
	switch {
	case !ok:
		return false
	case got.status == http.StatusOK && got.Refresh != "":
		c.acknowledged()
		f.tokens, f.rotated = []string{got.Refresh}, time.Now()
		if how.cut {
			c.doubt(f)
		}
		return c.noted(ctx, got, f)
	case got.Error == "invalid_grant" && (!how.first || time.Since(f.issued) > patient):
		// It was redeemed, and the answer lost. Asking again was a replay.
		f.ended = true
		c.add(func() { c.families = append(c.families, f) })
	default:
		c.broken("redeeming: %s", got)
	}
	return false
}

// again has the same browser sent for another code, which is redeemed at every
// node at once. The session knows the client by now, so the redemption does not
// write it: nothing but the code itself says that somebody else was faster.
func (c *chaos) again(ctx context.Context, f *family) {
	got, _, ok := c.insist("asking again", func() (reply, error) { return f.session.get(ctx, askCode(f.client.id)) })
	if !ok {
		return
	}
	g := &family{session: f.session, client: f.client, code: got.location().Get("code"), issued: time.Now()}
	if g.code == "" {
		c.broken("no code for somebody who is signed in: %s", got)
		return
	}
	c.race(ctx, g)
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
	if won == 1 && f.ended {
		c.mu.Lock()
		last := c.last(f)
		c.mu.Unlock()
		c.judge.ended(ctx, last)
	}
}

// rotate refreshes, at every node at once now and then, and now and then presents
// the old token again. It reports whether there is a grant to go on with.
func (c *chaos) rotate(ctx context.Context, f *family) bool {
	begun, old, first := time.Now(), f.current(), true
	if rand.IntN(6) == 0 {
		if c.contend(ctx, f) {
			return !f.ended
		}
		first = false
	}
	got, how, ok := c.insistToken("refreshing", func() (tokenReply, error) { return f.client.refresh(ctx, old) })
	first = first && how.first
	if how.cut {
		c.doubt(f)
	}
	switch {
	case !ok:
		return false
	case got.status == http.StatusOK:
		c.acknowledged()
		f.succeed(got.Refresh)
	case c.isOvertaken(f, got):
		c.overtake(f)
		return false
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
		c.repeat(ctx, f, old, begun)
	}
	return true
}

// overtake notes that a late copy has ended the family.
func (c *chaos) overtake(f *family) {
	f.ended = true
	c.overtaken.Add(1)
	c.add(func() { c.families = append(c.families, f) })
}

// contend presents the current refresh token at every node at once: one of them
// rotates it, and whoever answers tells of the same successor. It reports whether
// that is known.
func (c *chaos) contend(ctx context.Context, f *family) bool {
	c.raced.Add(1)
	begun, old := time.Now(), f.current()
	var mu sync.Mutex
	found, over := map[string]bool{}, false
	inParallel(c.nodes, func(n *node) {
		got, err := relying{newVisitor(n.http), f.client.id, f.client.secret}.refresh(ctx, old)
		switch settled := c.settled("refreshing at every node", got.reply, err); {
		case !settled && errors.Is(err, errCut):
			c.doubt(f)
		case !settled:
		case got.status == http.StatusOK:
			c.noted(ctx, got, f)
			mu.Lock()
			defer mu.Unlock()
			found[got.Refresh] = true
		case c.isOvertaken(f, got):
			mu.Lock()
			defer mu.Unlock()
			over = true
		case soon(begun):
			c.broken("refreshing at every node: %s", got)
		}
	})
	if len(found) > 1 {
		c.broken("one refresh token has %d successors", len(found))
	}
	for token := range found {
		c.acknowledged()
		f.succeed(token)
	}
	if over {
		c.overtake(f)
	}
	return over || len(found) > 0
}

// repeat presents a refresh token that was rotated just now at every node: it is
// good for the same successor.
func (c *chaos) repeat(ctx context.Context, f *family, old string, rotated time.Time) {
	c.raced.Add(1)
	inParallel(c.nodes, func(n *node) {
		got, err := relying{newVisitor(n.http), f.client.id, f.client.secret}.refresh(ctx, old)
		switch settled := c.settled("refreshing at several nodes", got.reply, err); {
		case !settled && errors.Is(err, errCut):
			c.doubt(f)
		case settled && got.Refresh != f.current() && soon(rotated) && !c.isOvertaken(f, got):
			c.broken("one refresh token has two successors: %s", got)
		}
	})
}

// noted keeps an access token and the key of its ID token, and looks now and then
// whether the verifiers of all nodes take it.
func (c *chaos) noted(ctx context.Context, got tokenReply, f *family) bool {
	var also struct {
		ID string `json:"id_token"`
	}
	if json.Unmarshal([]byte(got.body), &also) == nil && also.ID != "" {
		c.add(func() { c.ids[kidOf(also.ID)] = true })
	}
	i := c.keep(got.Access, f.client, f)
	if i != nil && rand.IntN(20) == 0 {
		c.wantTaken(ctx, i.raw, f)
	}
	return i != nil
}
