package interop

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
)

// part ends some families, and has the verifiers of all nodes judged by it. It
// reports whether it is known how the family stands.
func (c *chaos) part(ctx context.Context, f *family) bool {
	ended := false
	switch way := rand.IntN(10); {
	case way == 0 && soon(f.issued):
		ended = c.replay(ctx, f, func() (tokenReply, error) { return f.client.redeem(ctx, f.code) })
	case way == 1 && len(f.tokens) > 2:
		ended = c.replay(ctx, f, func() (tokenReply, error) { return f.client.refresh(ctx, f.tokens[0]) })
	case way == 2 || way == 3:
		ended = c.leave(ctx, f)
	case way == 4:
		ended = c.expel(ctx, f)
	case way == 5:
		ended = c.revoke(ctx, f)
	default:
		return true
	}
	if !ended {
		return false
	}
	f.ending, f.ended = false, true
	c.acknowledged()
	c.mu.Lock()
	last := c.last(f)
	c.mu.Unlock()
	c.judge.ended(ctx, last)
	return true
}

// last is the newest access token of the family; c.mu is held.
func (c *chaos) last(f *family) string {
	for i := len(c.access) - 1; ; i-- {
		if c.access[i].family == f {
			return c.access[i].raw
		}
	}
}

// replay presents what was used before, which ends the family.
func (c *chaos) replay(ctx context.Context, f *family, present func() (tokenReply, error)) bool {
	f.ending = true
	got, _, ok := c.insistToken("replaying", present)
	if ok && got.Error != "invalid_grant" {
		c.broken("what was used before answered %s", got)
	}
	return ok
}

func (c *chaos) leave(ctx context.Context, f *family) bool {
	f.ending, f.session.leaving = true, true
	asked := false
	got, _, ok := c.insist("signing out", func() (reply, error) {
		page, err := f.session.get(ctx, "/logout")
		if err != nil || page.status != http.StatusOK {
			return page, err
		}
		m := requestField.FindStringSubmatch(page.body)
		if m == nil && asked {
			return page, nil // it had happened
		}
		if m == nil {
			c.broken("no sign-out page: %s", page)
			return page, nil
		}
		asked = true
		return f.session.post(ctx, "/logout", url.Values{"request": {m[1]}})
	})
	if ok && got.status != http.StatusOK {
		c.broken("signing out: %s", got)
	}
	if ok {
		f.session.leaving, f.session.over = false, true
	}
	return ok
}

// expel has the operator end the session, at any node.
func (c *chaos) expel(ctx context.Context, f *family) bool {
	f.ending, f.session.leaving = true, true
	got, how, ok := c.insist("ending a session", func() (reply, error) {
		return c.operator().send(ctx, http.MethodDelete, "/users/"+f.session.login+"/sessions/"+f.session.sid, nil)
	})
	if ok && got.status != http.StatusNoContent && (how.first || got.status != http.StatusNotFound) {
		c.broken("ending a session: %s", got)
	}
	if ok {
		f.session.leaving, f.session.over = false, true
	}
	return ok
}

// revoke ends the grant by one of its tokens.
func (c *chaos) revoke(ctx context.Context, f *family) bool {
	f.ending = true
	got, _, ok := c.insist("revoking a grant", func() (reply, error) { return f.client.post(ctx, "/revoke", f.current()) })
	if ok && got.status != http.StatusOK {
		c.broken("revoking a grant: %s", got)
	}
	return ok
}
