package app_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/store"
)

// counting counts the round trips that reach the engine.
type counting struct {
	store.Store
	reads, commits atomic.Int64
}

func (c *counting) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	c.reads.Add(1)
	return c.Store.Get(ctx, keys...)
}

func (c *counting) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	c.reads.Add(1)
	return c.Store.List(ctx, prefix, after, limit)
}

func (c *counting) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	c.commits.Add(1)
	return c.Store.Commit(ctx, ops...)
}

// The table is the promise in docs/architecture.md: what each request may cost.
func TestEachRequestCostsWhatWasPromised(t *testing.T) {
	count := &counting{}
	h := open(t, func(_ *config.Config, o *app.Options) {
		o.Wrap = func(s store.Store) store.Store { count.Store = s; return count }
	})
	cost := func(name string, reads, commits int64, request func()) {
		t.Helper()
		count.reads.Store(0)
		count.commits.Store(0)
		request()
		if r, c := count.reads.Load(), count.commits.Load(); r > reads || c != commits {
			t.Errorf("%s: %d reads and %d commits, promised at most %d and exactly %d", name, r, c, reads, commits)
		}
	}
	wants := func(status int, got answer) {
		t.Helper()
		if got.StatusCode != status {
			t.Fatalf("status %d, want %d: %s", got.StatusCode, status, got.body)
		}
	}
	// A client's first token leases a block of slots; the next ones have it.
	h.token("orders", redeem(h.browser().code("alice", "orders")))
	h.token("robot", url.Values{"grant_type": {"client_credentials"}})
	b := h.browser()
	var page, resumed answer
	cost("authorize, nobody signed in", 0, 0, func() {
		page = b.get(b.get(authorize(asks("orders"))).location(t).String())
	})
	cost("sign-in with a password", 2, 1, func() {
		resumed = b.post("/signin", url.Values{"journey": {hidden(t, page.body)}, "login": {"alice"}, "password": {password}})
	})
	cost("authorize, signed in (resumed)", 1, 0, func() { resumed = b.get(resumed.location(t).String()) })
	var first, second tokens
	cost("code to tokens", 1, 1, func() { first = h.token("orders", redeem(resumed.location(t).Query().Get("code"))) })
	cost("refresh", 1, 1, func() { second = h.token("orders", refresh(first.RefreshToken)) })
	cost("refresh, repeated", 1, 0, func() {
		if again := h.token("orders", refresh(first.RefreshToken)); again.RefreshToken != second.RefreshToken {
			t.Errorf("repeated refresh: %+v", again)
		}
	})
	cost("authorize, signed in", 1, 0, func() { wants(http.StatusSeeOther, b.get(authorize(asks("orders")))) })
	cost("client credentials", 0, 0, func() {
		if got := h.token("robot", url.Values{"grant_type": {"client_credentials"}}); got.Status != http.StatusOK {
			t.Errorf("client credentials: %+v", got)
		}
	})
	cost("userinfo", 1, 0, func() { wants(http.StatusOK, h.userinfo(second.AccessToken)) })
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks"} {
		cost(path, 0, 0, func() {
			wants(http.StatusOK, h.serve(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)))
		})
	}
}
