package app_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

// These guard checks for which another one stands in as long as everything else
// works.

// When a person has more than one Commit removes and the process dies, grants of
// the former epoch stay in the store. Nothing but the epoch says that they ended.
func TestAGrantThatACrashLeftBehindIsWorthNothing(t *testing.T) {
	h := open(t)
	h.gate()
	got := h.browser().offline(t)
	if res := h.userinfo(got.AccessToken); res.StatusCode != http.StatusOK {
		t.Fatalf("before: %d %s", res.StatusCode, res.body)
	}
	_, err := h.Operator.Users.Update(t.Context(), h.alice.Subject, func(u *user.User) error { u.Epoch++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if res := h.userinfo(got.AccessToken); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("userinfo answered %d %s", res.StatusCode, res.body)
	}
	h.wantActive(false, "its access token", got.AccessToken)
	if again := h.token("third", refresh(got.RefreshToken)); again.Error != "invalid_grant" {
		t.Errorf("refreshing: %+v", again)
	}
}

// OpenID Connect Core §5.3.3. The grant stands, the token does not.
func TestUserinfoRefusesATokenThatEndedWithARole(t *testing.T) {
	h := open(t)
	got := h.token("orders", redeem(h.browser().code("alice", "orders", "scope", "openid roles")))
	h.setRoles("alice")
	if res := h.userinfo(got.AccessToken); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("userinfo answered %d %s", res.StatusCode, res.body)
	}
	if res := h.userinfo(h.token("orders", refresh(got.RefreshToken)).AccessToken); res.StatusCode != http.StatusOK {
		t.Errorf("for the next token userinfo answered %d %s", res.StatusCode, res.body)
	}
}

// sessions.limit
func TestOneSignInTooManyEndsTheOldestSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, func(cfg *config.Config, _ *app.Options) { cfg.Sessions.Limit = 2 })
		bob := h.browser()
		bob.code("bob", "orders")
		var people []*browser
		for range 4 {
			b := h.browser()
			b.code("alice", "orders")
			people = append(people, b)
			time.Sleep(time.Minute)
		}
		for i, b := range append(people, bob) {
			to := b.get(authorize(asks("orders", "prompt", "none"))).location(t)
			if in := to.Query().Get("code") != ""; in != (i >= 2) {
				t.Errorf("browser %d: signed in %t: %s", i, in, to)
			}
		}
		var causes []ended.Cause
		for _, e := range h.journal() {
			causes = append(causes, e.Cause)
		}
		if want := []ended.Cause{ended.ByTooManySessions, ended.ByTooManySessions}; !slices.Equal(causes, want) {
			t.Errorf("the causes are %v, want %v", causes, want)
		}
		if n := len(h.sessions(h.alice)); n != 2 || strings.Join(h.sessions(h.bob), "") == "" {
			t.Errorf("alice has %d sessions, want 2; bob %v", n, h.sessions(h.bob))
		}
	})
}

// RFC 6749 §4.1.2. The client is in the session already, so a redemption changes
// nothing there that the loser of the race could trip over; and the winner's grant
// is gone when the loser commits.
func TestASpentCodeBeginsNothingInASessionThatKnowsItsClient(t *testing.T) {
	h, next := interruptible(t)
	b := h.browser()
	h.token("orders", redeem(b.code("alice", "orders")))
	code := b.get(authorize(asks("orders"))).location(t).Query().Get("code")
	var winner tokens
	next(func() {
		winner = h.token("orders", redeem(code))
		h.token("orders", redeem(code)) // a replay, which ends what the winner got
	})
	loser := h.token("orders", redeem(code))
	if winner.Status != http.StatusOK || loser.Error != "invalid_grant" || len(h.grants()) != 1 {
		t.Errorf("the winner got %+v, the loser %+v; %d grants, want that of before", winner, loser, len(h.grants()))
	}
}

// RFC 6749 §5.2. It would get no slot for another token, but these need none.
func TestADisabledClientAsksNothingAboutTokens(t *testing.T) {
	h := open(t)
	h.gate()
	got := h.token("orders", redeem(h.browser().code("alice", "orders")))
	h.setClient("gate", false)
	if res, told := h.about("/introspect", "gate", got.AccessToken); res.StatusCode != http.StatusUnauthorized || told["error"] != "invalid_client" {
		t.Errorf("introspecting: %d %v", res.StatusCode, told)
	}
	robots := h.machine().AccessToken
	h.setClient("robot", false)
	if res, told := h.about("/revoke", "robot", robots); res.StatusCode != http.StatusUnauthorized || told["error"] != "invalid_client" {
		t.Errorf("revoking: %d %v", res.StatusCode, told)
	}
}

// OpenID Connect Core §5.3.3. The journal forgets, and a grant may have left by
// itself: without one there is nobody to tell of.
func TestUserinfoRefusesATokenWithoutAGrant(t *testing.T) {
	h := open(t)
	got := h.token("orders", redeem(h.browser().code("alice", "orders")))
	for _, r := range h.grants() {
		if _, err := h.Store().Commit(t.Context(), store.Delete(r.Key)); err != nil {
			t.Fatal(err)
		}
	}
	if res := h.userinfo(got.AccessToken); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("userinfo answered %d %s", res.StatusCode, res.body)
	}
}

// A grant that ends with its session is worth nothing after it, and weighs on the
// store until it leaves; but while a token of it may live, an ending must find it.
func TestAGrantIsKeptNoLongerThanItsSessionCanLast(t *testing.T) {
	h := open(t, func(cfg *config.Config, _ *app.Options) {
		cfg.Sessions.Idle, cfg.Sessions.Absolute = time.Hour, 2*time.Hour
	})
	began := time.Now()
	h.token("orders", redeem(h.browser().code("alice", "orders")))
	recs, err := h.Store().List(t.Context(), grant.UserPrefix(h.alice.Subject), "", 10)
	if err != nil || len(recs) != 1 {
		t.Fatalf("%d grants, %v", len(recs), err)
	}
	if over := began.Add(2*time.Hour + time.Minute); recs[0].Expires.After(over) || recs[0].Expires.Before(began.Add(time.Hour)) {
		t.Errorf("the grant expires %s after it began", recs[0].Expires.Sub(began))
	}
}
