package app_test

import (
	"context"
	"github.com/signet-id/signet/internal/ended"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/store"
)

// together calls f n times at once and returns the answers.
func together(n int, f func() tokens) []tokens {
	out := make([]tokens, n)
	var ready, done sync.WaitGroup
	ready.Add(1)
	for i := range out {
		done.Go(func() {
			ready.Wait()
			out[i] = f()
		})
	}
	ready.Done()
	done.Wait()
	return out
}

func (h *house) grants() []store.Record {
	h.t.Helper()
	recs, err := h.Store().List(h.t.Context(), grant.UserPrefix(h.alice.Subject), "", store.MaxList)
	if err != nil {
		h.t.Fatal(err)
	}
	return recs
}

func TestOf64RedemptionsOfOneCodeExactlyOneGetsTokens(t *testing.T) {
	h := open(t)
	code := h.browser().code("alice", "orders")
	won := 0
	var winner tokens
	for _, got := range together(64, func() tokens { return h.token("orders", redeem(code)) }) {
		switch {
		case got.Status == http.StatusOK:
			won++
			winner = got
		case got.Error != "invalid_grant":
			t.Errorf("a loser got %+v", got)
		}
	}
	if won != 1 {
		t.Fatalf("%d redemptions succeeded, want exactly 1", won)
	}
	// A code in two hands is a theft: what the winner got ends (RFC 6749 §4.1.2).
	if again := h.token("orders", refresh(winner.RefreshToken)); again.Error != "invalid_grant" {
		t.Errorf("the grant of a replayed code lives on: %+v", again)
	}
	if left := h.grants(); len(left) != 0 {
		t.Errorf("%d grants are left", len(left))
	}
}

func TestOf64RefreshesWithOneTokenAllGetTheSameSuccessor(t *testing.T) {
	h := open(t)
	first := h.token("orders", redeem(h.browser().code("alice", "orders")))
	successors := map[string]int{}
	for _, got := range together(64, func() tokens { return h.token("orders", refresh(first.RefreshToken)) }) {
		if got.Status != http.StatusOK {
			t.Fatalf("a refresh failed: %+v", got)
		}
		successors[got.RefreshToken]++
	}
	if len(successors) != 1 {
		t.Fatalf("%d different successors, want 1", len(successors))
	}
	for next := range successors {
		if got := h.token("orders", refresh(next)); got.Status != http.StatusOK {
			t.Errorf("the successor does not work: %+v", got)
		}
	}
}

func TestAReplayedCodeEndsTheGrantAtOnce(t *testing.T) {
	h := open(t)
	code := h.browser().code("alice", "orders")
	got := h.token("orders", redeem(code))
	if again := h.token("orders", redeem(code)); again.Status != http.StatusBadRequest || again.Error != "invalid_grant" {
		t.Errorf("replay: %+v", again)
	}
	if after := h.token("orders", refresh(got.RefreshToken)); after.Error != "invalid_grant" {
		t.Errorf("refresh after replay: %+v", after)
	}
	if info := h.userinfo(got.AccessToken); info.StatusCode != http.StatusUnauthorized {
		t.Errorf("userinfo after replay: %d", info.StatusCode)
	}
}

func TestAWrongVerifierDoesNotLoosenTheCode(t *testing.T) {
	h := open(t)
	code := h.browser().code("alice", "spa")
	wrong := redeem(code)
	wrong.Set("code_verifier", "another-verifier-that-is-long-enough-to-be-one-00")
	if got := h.token("spa", wrong); got.Error != "invalid_grant" {
		t.Errorf("wrong verifier: %+v", got)
	}
	none := redeem(code)
	none.Del("code_verifier")
	if got := h.token("spa", none); got.Error != "invalid_grant" {
		t.Errorf("then no verifier: %+v", got)
	}
	if got := h.token("spa", redeem(code)); got.Status != http.StatusOK {
		t.Errorf("then the right one: %+v", got)
	}
}

func TestAnotherClientCanNeitherUseNorEndACode(t *testing.T) {
	h := open(t)
	code := h.browser().code("alice", "orders")
	if got := h.token("third", redeem(code)); got.Error != "invalid_grant" {
		t.Errorf("another client: %+v", got)
	}
	mine := h.token("orders", redeem(code))
	if mine.Status != http.StatusOK {
		t.Fatalf("its own client: %+v", mine)
	}
	if got := h.token("third", redeem(code)); got.Error != "invalid_grant" {
		t.Errorf("another client, after: %+v", got)
	}
	if got := h.token("third", refresh(mine.RefreshToken)); got.Error != "invalid_grant" {
		t.Errorf("another client's refresh: %+v", got)
	}
	if got := h.token("orders", refresh(mine.RefreshToken)); got.Status != http.StatusOK {
		t.Errorf("the grant was ended by another client: %+v", got)
	}
}

// The rest is a matter of time, which is virtual here.

func TestACodeExpiresAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		b := h.browser()
		early, late := b.code("alice", "orders"), b.get(authorize(asks("orders"))).location(t).Query().Get("code")
		time.Sleep(59 * time.Second)
		if got := h.token("orders", redeem(early)); got.Status != http.StatusOK {
			t.Errorf("after 59 s: %+v", got)
		}
		time.Sleep(2 * time.Second)
		if got := h.token("orders", redeem(late)); got.Error != "invalid_grant" {
			t.Errorf("after 61 s: %+v", got)
		}
	})
}

func TestARotatedRefreshTokenIsATheftAfterTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		first := h.token("orders", redeem(h.browser().code("alice", "orders")))
		second := h.token("orders", refresh(first.RefreshToken))
		time.Sleep(59 * time.Second)
		if got := h.token("orders", refresh(first.RefreshToken)); got.RefreshToken != second.RefreshToken {
			t.Errorf("within the window: %+v", got)
		}
		time.Sleep(2 * time.Second)
		if got := h.token("orders", refresh(first.RefreshToken)); got.Error != "invalid_grant" {
			t.Errorf("after the window: %+v", got)
		}
		if got := h.token("orders", refresh(second.RefreshToken)); got.Error != "invalid_grant" {
			t.Errorf("the thief's loss did not end the grant: %+v", got)
		}
	})
}

func TestTwoGenerationsBackIsATheftEvenWithinTheWindow(t *testing.T) {
	h := open(t)
	first := h.token("orders", redeem(h.browser().code("alice", "orders")))
	second := h.token("orders", refresh(first.RefreshToken))
	third := h.token("orders", refresh(second.RefreshToken))
	if got := h.token("orders", refresh(first.RefreshToken)); got.Error != "invalid_grant" {
		t.Errorf("two generations back: %+v", got)
	}
	if got := h.token("orders", refresh(third.RefreshToken)); got.Error != "invalid_grant" {
		t.Errorf("the grant lives on: %+v", got)
	}
}

func TestRefreshEndsWithTheSessionUnlessItIsOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		b := h.browser()
		bound := h.token("orders", redeem(b.code("alice", "orders")))
		page := b.get(b.get(authorize(asks("third", "scope", "openid offline_access"))).location(t).String())
		accepted := b.post("/consent", map[string][]string{"journey": {hidden(t, page.body)}, "answer": {"accept"}})
		code := b.get(accepted.location(t).String()).location(t).Query().Get("code")
		offline := h.token("third", redeem(code))
		time.Sleep(13 * time.Hour) // the session is over for want of use, and the grant's record is there
		if got := h.token("orders", refresh(bound.RefreshToken)); got.Error != "invalid_grant" {
			t.Errorf("bound to the session: %+v", got)
		}
		time.Sleep(8 * 24 * time.Hour) // beyond the session's absolute end
		if got := h.token("third", refresh(offline.RefreshToken)); got.Status != http.StatusOK {
			t.Errorf("offline: %+v", got)
		}
	})
}

func TestASessionInUseByRefreshesIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		b := h.browser()
		got := h.token("orders", redeem(b.code("alice", "orders")))
		for range 6 { // two and a half idle periods
			time.Sleep(5 * time.Hour)
			if got = h.token("orders", refresh(got.RefreshToken)); got.Status != http.StatusOK {
				t.Fatalf("refresh: %+v", got)
			}
		}
		if u := b.get(authorize(asks("orders", "prompt", "none"))).location(t); u.Query().Get("code") == "" {
			t.Errorf("the session went idle: %s", u)
		}
	})
}

func TestASessionThatEndsDuringARedemptionBeginsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meanwhile := func() {}
		h := open(t, func(_ *config.Config, o *app.Options) {
			o.Wrap = func(s store.Store) store.Store { return &interrupted{s, &meanwhile} }
		})
		b := h.browser()
		b.code("alice", "orders")
		time.Sleep(2 * time.Minute) // so that being seen is worth writing again
		got := b.get(authorize(asks("orders"))).location(t)
		meanwhile = func() {
			meanwhile = func() {}
			if _, err := h.Operator.Ended.User(t.Context(), h.alice.Subject, ended.ByOperator, nil); err != nil {
				t.Error(err)
			}
		}
		if got := h.token("orders", redeem(got.Query().Get("code"))); got.Error != "invalid_grant" {
			t.Errorf("redeemed in a session that had ended: %+v", got)
		}
	})
}

// interrupted lets something happen between a request's reads and its Commit.
type interrupted struct {
	store.Store
	meanwhile *func()
}

func (s *interrupted) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	// What happens meanwhile needs slots as well, and would wait for this very lease.
	if !strings.HasPrefix(ops[0].Key, "slots/") {
		(*s.meanwhile)()
	}
	return s.Store.Commit(ctx, ops...)
}
