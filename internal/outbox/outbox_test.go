package outbox_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/outbox"
	"github.com/signet-id/signet/internal/remote"
	"github.com/signet-id/signet/internal/store"
)

func TestAClientIsToldOnceAndAtOnce(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t, "shop", "blog")
		h.run(h.Delivery)
		synctest.Wait()
		began := time.Now()
		h.world.answers("blog", status(204))
		h.end(8, call("shop", "s1"), outbox.Call{ClientID: "blog", Subject: "alice"})
		time.Sleep(100 * time.Millisecond)
		for id, sid := range map[string]string{"shop": "s1", "blog": ""} {
			got := h.world.told(id)
			if len(got) != 1 {
				t.Fatalf("%s was told %d times, want once", id, len(got))
			}
			g := got[0]
			if g.typ != "logout+jwt" || g.alg != "ES256" || g.Issuer != "https://id.example.com" || g.Audience != id ||
				g.Subject != "alice" || g.SessionID != sid || g.formOtherThanIt != 0 || g.Nonce != nil {
				t.Errorf("%s was told %+v", id, g)
			}
			if g.at.Sub(began) > 10*time.Millisecond {
				t.Errorf("%s was told after %s", id, g.at.Sub(began))
			}
		}
		h.wantEmpty()
		h.wantCounts(map[string]int{outbox.Delivered: 2})
		if strings.Contains(h.log.String(), "logout+jwt") || !strings.Contains(h.log.String(), "client=shop") {
			t.Errorf("the log has a token, or no client:\n%s", h.log)
		}
	})
}

func TestAClientThatFailsForADayIsToldWhenItIsBack(t *testing.T) {
	for name, ill := range map[string]func(context.Context) (int, error){
		"answers 500": status(500), "says nothing": silent,
		"is refused by the guard": func(context.Context) (int, error) { return 0, fault.New(fault.Denied, "no") },
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(t *testing.T) {
				h := newHouse(t, "shop")
				h.run(h.Delivery)
				h.world.answers("shop", ill)
				h.end(8, call("shop", "s1"), call("shop", "s2"), call("shop", "s3"))
				time.Sleep(24 * time.Hour)
				if n := h.world.tries("shop"); n < 100 || n > 3*200 {
					t.Errorf("it was tried %d times in a day", n)
				}
				if rows := h.list(false); len(rows) != 3 || rows[0].Error == "" || time.Until(rows[0].Next) > 13*time.Minute {
					t.Errorf("got %+v", rows)
				}
				h.world.answers("shop", nil)
				time.Sleep(13 * time.Minute)
				seen := map[string]bool{}
				for _, g := range h.world.told("shop") {
					if seen[g.ID] = true; time.Since(time.Unix(g.IssuedAt, 0)) > 13*time.Minute {
						t.Error("it was told with an old token")
					}
				}
				if len(h.world.told("shop")) != 3 || len(seen) != 3 {
					t.Errorf("it was told %d times", len(h.world.told("shop")))
				}
				h.wantEmpty()
			})
		})
	}
}

func TestWhoNeverAnswersDelaysNobodyElse(t *testing.T) {
	virtual(t, func(t *testing.T) {
		var ids []string
		for i := range 20 {
			ids = append(ids, fmt.Sprintf("dead%d", i))
		}
		h := newHouse(t, append(ids, "shop")...)
		h.run(h.Delivery)
		for _, id := range ids {
			h.world.answers(id, silent)
			for n := range 50 {
				h.end(1, call(id, fmt.Sprint(n)))
			}
		}
		// At the very first, all of them may occupy all places for one Timeout.
		time.Sleep(3 * outbox.Timeout)
		for n := range 100 {
			began := time.Now()
			h.end(1, call("shop", fmt.Sprint(n)))
			time.Sleep(11 * time.Second)
			got := h.world.told("shop")
			if len(got) != n+1 {
				t.Fatalf("call %d was not delivered", n)
			}
			if took := got[n].at.Sub(began); took > 10*time.Millisecond {
				t.Errorf("call %d took %s", n, took)
			}
		}
		// 20 minutes, by one attempt at a time: far fewer than there are rows.
		for _, id := range ids {
			if n := h.world.tries(id); n > 20 {
				t.Errorf("%s was tried %d times", id, n)
			}
		}
		if rows := h.list(false); len(rows) != 1000 {
			t.Errorf("%d rows wait, want all 1000", len(rows))
		}
	})
}

func TestSoManyAtOnceAndNoMore(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t)
		var calls []outbox.Call
		for i := range 30 {
			id := fmt.Sprintf("c%d", i)
			h.register(id)
			h.world.answers(id, slow(time.Second))
			for n := range 10 {
				calls = append(calls, call(id, fmt.Sprint(n)))
			}
		}
		h.end(len(calls), calls...)
		h.run(h.Delivery)
		time.Sleep(30 * time.Second)
		if h.world.atMost("") != outbox.Concurrent {
			t.Errorf("%d ran at once, want %d", h.world.atMost(""), outbox.Concurrent)
		}
		h.end(10, calls[:10]...)
		time.Sleep(30 * time.Second)
		if h.world.atMost("c0") != 2 {
			t.Errorf("%d ran at once for one client, want 2", h.world.atMost("c0"))
		}
		h.wantEmpty()
		h.wantCounts(map[string]int{outbox.Delivered: 310})
	})
}

func TestWhatFailsForThreeDaysIsGivenUpVisiblyAndCanBeRetried(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t, "shop")
		h.run(h.Delivery)
		h.world.answers("shop", status(503))
		h.end(8, call("shop", "s1"), call("shop", "s2"))
		time.Sleep(outbox.GiveUp - time.Minute)
		if len(h.list(true)) != 0 {
			t.Error("given up too early")
		}
		time.Sleep(20 * time.Minute)
		rows := h.list(true)
		if len(rows) != 2 || len(h.list(false)) != 2 {
			t.Fatalf("given up: %+v", rows)
		}
		for _, r := range rows {
			if r.GivenUp.IsZero() || !r.Next.IsZero() || r.Error != "it answered 503" || r.Calls[0].ClientID != "shop" {
				t.Errorf("got %+v", r)
			}
		}
		if h.counted(outbox.GivenUp) != 2 || !strings.Contains(h.log.String(), "given up") {
			t.Errorf("counted %d", h.counted(outbox.GivenUp))
		}
		tries := h.world.tries("shop")
		time.Sleep(24 * time.Hour)
		if h.world.tries("shop") != tries {
			t.Error("it is tried all the same")
		}
		h.world.answers("shop", nil)
		if n, err := h.Retry(t.Context(), rows[0].ID); n != 1 || err != nil {
			t.Fatalf("Retry: %d, %v", n, err)
		}
		time.Sleep(time.Second)
		if len(h.world.told("shop")) != 1 || len(h.list(true)) != 1 {
			t.Error("one was retried, want one delivered at once")
		}
		if n, err := h.Retry(t.Context(), ""); n != 1 || err != nil {
			t.Fatalf("Retry: %d, %v", n, err)
		}
		time.Sleep(time.Second)
		h.wantEmpty()
		if n, err := h.Retry(t.Context(), ""); n != 0 || err != nil {
			t.Errorf("Retry of nothing: %d, %v", n, err)
		}
		_, err := h.Retry(t.Context(), rows[0].ID)
		if field, _ := fault.Public(err); fault.KindOf(err) != fault.NotFound || field != "id" {
			t.Errorf("Retry of what is gone: %v", err)
		}
	})
}

func TestWhatWasGivenUpIsForgottenAfterAMonth(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t, "shop")
		h.world.answers("shop", status(503))
		old := fmt.Sprintf(`{"calls":[{"client_id":"shop","sub":"alice"}],"failing_since":%q}`, time.Now().Add(-outbox.GiveUp).UTC().Format(time.RFC3339))
		key := fmt.Sprintf("outbox/due/%016x-%s", time.Now().UnixMilli(), "AAAAAAAAAAAAAAAAAAAAAA")
		if _, err := h.store.Commit(t.Context(), store.Put(key, []byte(old))); err != nil {
			t.Fatal(err)
		}
		stop := h.run(h.Delivery)
		synctest.Wait()
		stop()
		time.Sleep(outbox.Keep - time.Hour)
		if len(h.list(true)) != 1 {
			t.Error("forgotten too early")
		}
		time.Sleep(time.Hour)
		h.wantEmpty()
	})
}

// The server was off for a week: what it then delivers has waited, not failed.
func TestWhatOnlyWaitedIsNotGivenUp(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t, "shop")
		h.end(8, call("shop", "s1"), call("shop", "s2"))
		time.Sleep(7 * 24 * time.Hour)
		h.world.answers("shop", status(500))
		h.run(h.Delivery)
		time.Sleep(time.Minute)
		h.world.answers("shop", nil)
		time.Sleep(5 * time.Minute)
		if n := len(h.world.told("shop")); n != 2 {
			t.Errorf("%d were delivered, want both", n)
		}
		h.wantEmpty()
	})
}

// The answer came, and then the power went: the row is there, and is told again.
func TestACrashBetweenAnswerAndDeletionTellsTwice(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t, "shop")
		h.store.deletes.Store(1)
		h.run(h.Delivery)
		h.end(8, call("shop", "s1"))
		time.Sleep(time.Minute)
		if got := h.world.told("shop"); len(got) != 2 || got[0].ID == got[1].ID {
			t.Errorf("it was told %+v, want twice, by two tokens", got)
		}
		h.wantEmpty()
	})
}

func TestAStoreThatTakesNothingIsNoReasonToTellAClientAHundredTimes(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t, "shop")
		h.store.deletes.Store(1 << 20)
		h.run(h.Delivery)
		h.end(8, call("shop", "s1"))
		time.Sleep(time.Hour)
		if n := len(h.world.told("shop")); n < 5 || n > 30 {
			t.Errorf("it was told %d times in an hour", n)
		}
		h.store.deletes.Store(0)
		time.Sleep(13 * time.Minute)
		h.wantEmpty()
	})
}

func TestOfTwoNodesOneDelivers(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t, "shop")
		other := h.options
		other.Node = "b"
		stopA := h.run(h.Delivery)
		synctest.Wait()
		stopB := h.run(outbox.New(other))
		h.world.answers("shop", slow(20*time.Millisecond)) // both would have begun
		for n := range 50 {
			h.end(8, call("shop", fmt.Sprint(n)))
		}
		time.Sleep(time.Second)
		if n := len(h.world.told("shop")); n != 50 {
			t.Errorf("50 calls were delivered %d times", n)
		}
		stopA()
		h.end(8, call("shop", "after"))
		time.Sleep(time.Second)
		if n := len(h.world.told("shop")); n != 51 {
			t.Errorf("after a stop: %d, want the other to deliver at once", n)
		}
		stopB()
		h.wantEmpty()
	})
}

func TestALeaseThatIsLostEndsTheDeliveryAndLosesNothing(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t, "shop")
		other := h.options
		other.Node = "b"
		h.run(h.Delivery)
		synctest.Wait()
		h.run(outbox.New(other))
		h.end(1, call("shop", "s0")) // for which the lease is taken
		synctest.Wait()
		h.world.answers("shop", slow(4900*time.Millisecond))
		time.Sleep(3 * time.Second) // so that it is in the middle of a delivery when it is to renew
		h.end(8, call("shop", "s1"))
		synctest.Wait()
		const takenAway = `{"node":"c","holding":"x"}`
		if _, err := h.store.Commit(t.Context(), store.Put("lease/outbox", []byte(takenAway)).Until(time.Now().Add(5*time.Second))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if n := len(h.world.told("shop")); n != 1 || h.world.tries("shop") != 2 || h.world.running("shop") != 0 {
			t.Errorf("told %d times, tried %d, running %d: want the attempt cut short", n, h.world.tries("shop"), h.world.running("shop"))
		}
		if rows := h.list(false); len(rows) != 1 || rows[0].Attempts != 0 || rows[0].Error != "" {
			t.Errorf("got %+v, want the row as it was", rows)
		}
		time.Sleep(30 * time.Second)
		if n := len(h.world.told("shop")); n != 2 {
			t.Errorf("told %d times, want once of each", n)
		}
		h.wantEmpty()
	})
}

// Nobody is to be told anything most of the time, and then nothing is written: a
// lease that is renewed costs an fsync each time.
func TestAnOutboxWithNothingToDoWritesNothing(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t, "shop")
		h.run(h.Delivery)
		h.end(1, call("shop", "s1"))
		time.Sleep(time.Minute)
		h.wantEmpty()
		before, err := h.store.Commit(t.Context(), store.Put("mark", nil))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * 24 * time.Hour)
		after, err := h.store.Commit(t.Context(), store.Put("mark", nil))
		if err != nil {
			t.Fatal(err)
		}
		if after != before+1 {
			t.Errorf("%d Commits in an idle month", after-before-1)
		}
	})
}

func TestARowOfManyCallsIsDeliveredOneByOne(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t, "shop", "dead")
		h.world.answers("dead", silent)
		var calls []outbox.Call
		for n := range 1000 {
			calls = append(calls, call("shop", fmt.Sprint(n)))
		}
		h.end(3, append(calls, call("dead", "s1"), call("nobody", "s1"))...)
		if rows := h.list(false); len(rows) != 3 || len(rows[0].Calls)+len(rows[1].Calls)+len(rows[2].Calls) != 1002 {
			t.Fatalf("%d rows", len(rows))
		}
		h.run(h.Delivery)
		time.Sleep(time.Minute)
		seen := map[string]bool{}
		for _, g := range h.world.told("shop") {
			seen[g.SessionID] = true
		}
		if len(seen) != 1000 || len(h.world.told("shop")) != 1000 {
			t.Errorf("%d sessions were told, %d times, want 1000 once", len(seen), len(h.world.told("shop")))
		}
		if rows := h.list(false); len(rows) != 1 || rows[0].Calls[0].ClientID != "dead" {
			t.Errorf("what is left: %+v", rows)
		}
		h.wantCounts(map[string]int{outbox.Delivered: 1000, outbox.Dropped: 1, outbox.Failed: h.counted(outbox.Failed)})
	})
}

func TestNobodyIsToldForAClientThatIsGoneOrDisabledOrWantsNoCalls(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t, "gone", "disabled", "quiet")
		change := func(id string, f func(*client.Client)) {
			if _, err := h.clients.Update(t.Context(), id, func(c *client.Client) error { f(c); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range []string{"gone", "disabled", "quiet"} {
			h.world.answers(id, status(500))
			h.end(8, call(id, "s1"))
		}
		h.run(h.Delivery)
		time.Sleep(time.Minute)
		h.wantCounts(map[string]int{outbox.Failed: h.world.tries("gone") + h.world.tries("disabled") + h.world.tries("quiet")})
		before := h.counted(outbox.Failed)
		if err := h.clients.Remove(t.Context(), "gone"); err != nil {
			t.Fatal(err)
		}
		change("disabled", func(c *client.Client) { c.Disabled = true })
		change("quiet", func(c *client.Client) { c.BackchannelLogoutURI = "" })
		time.Sleep(13 * time.Minute)
		h.wantEmpty()
		h.wantCounts(map[string]int{outbox.Failed: before, outbox.Dropped: 3})
	})
}

// A client that refuses some calls for ever, because it does not know their
// sessions, still hears of the others soon.
func TestCallsThatAreRefusedForEverHoldUpNoOther(t *testing.T) {
	virtual(t, func(t *testing.T) {
		for _, code := range []int{400, 500} {
			h := newHouse(t, "shop")
			h.world.poison = code
			h.run(h.Delivery)
			for n := range 40 {
				h.end(8, call("shop", fmt.Sprint("poison", n)))
			}
			for n := range 10 {
				began := time.Now()
				h.end(8, call("shop", fmt.Sprint(n)))
				time.Sleep(17 * time.Minute)
				got := h.world.told("shop")
				if len(got) != n+1 {
					t.Fatalf("%d: %d were delivered, want %d", code, len(got), n+1)
				}
				if took := got[n].at.Sub(began); took > 75*time.Second {
					t.Errorf("%d: call %d took %s", code, n, took)
				}
			}
			if tries := h.world.tries("shop"); tries > 40*30 {
				t.Errorf("%d: %d attempts in three hours, for 40 calls", code, tries)
			}
		}
	})
}

// The operator has mended the client, and does not want to wait for its pause.
func TestARetryIsTriedAtOnceThoughTheClientIsPaused(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t, "shop")
		h.run(h.Delivery)
		h.world.answers("shop", silent)
		h.end(300, make300()...)
		time.Sleep(5 * time.Hour)
		for rows := h.list(false); time.Until(rows[0].Next) < 5*time.Minute; rows = h.list(false) {
			time.Sleep(time.Second)
		}
		tries := h.world.tries("shop")
		if n, err := h.Retry(t.Context(), h.list(false)[7].ID); n != 1 || err != nil {
			t.Fatalf("Retry: %d, %v", n, err)
		}
		time.Sleep(time.Minute)
		if h.world.tries("shop") != tries+1 {
			t.Errorf("it was tried %d times at once, want once: it does not answer yet", h.world.tries("shop")-tries)
		}
		h.world.answers("shop", nil)
		if n, err := h.Retry(t.Context(), h.list(false)[7].ID); n != 1 || err != nil {
			t.Fatalf("Retry: %d, %v", n, err)
		}
		time.Sleep(time.Second)
		if len(h.world.told("shop")) != 1 {
			t.Error("it was not tried at once")
		}
		time.Sleep(13 * time.Minute)
		if len(h.world.told("shop")) != 300 {
			t.Errorf("%d were delivered, want all 300", len(h.world.told("shop")))
		}
		h.wantEmpty()
	})
}

// The attempt that was under way finds the row elsewhere, and leaves it alone.
func TestARetryInTheMiddleOfAnAttemptMakesNoSecondRow(t *testing.T) {
	virtual(t, func(t *testing.T) {
		h := newHouse(t, "shop")
		h.run(h.Delivery)
		h.world.answers("shop", silent)
		h.end(8, call("shop", "s1"))
		time.Sleep(time.Second)
		for range 3 {
			if n, err := h.Retry(t.Context(), h.list(false)[0].ID); n != 1 || err != nil {
				t.Fatalf("Retry: %d, %v", n, err)
			}
			time.Sleep(7 * time.Second)
			if rows := h.list(false); len(rows) != 1 {
				t.Fatalf("%d rows, want the one: %+v", len(rows), rows)
			}
		}
		h.world.answers("shop", nil)
		time.Sleep(time.Minute)
		h.wantEmpty()
	})
}

func make300() (calls []outbox.Call) {
	for n := range 300 {
		calls = append(calls, call("shop", fmt.Sprint(n)))
	}
	return calls
}

// A client may not have this server ask inside its own network; the call is kept.
func TestTheGuardOfTheNetworkHoldsForLogoutCalls(t *testing.T) {
	var asked atomic.Int32
	inside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer inside.Close()
	roots := x509.NewCertPool()
	roots.AddCert(inside.Certificate())
	h := newHouse(t, "shop")
	if _, err := h.clients.Update(t.Context(), "shop", func(c *client.Client) error { c.BackchannelLogoutURI = inside.URL; return nil }); err != nil {
		t.Fatal(err)
	}
	for allowed, want := range map[bool]string{false: "its address may not be asked", true: ""} {
		o := h.options
		o.Fetch = remote.New(remote.Options{Roots: roots, AllowPrivate: allowed, Concurrent: outbox.Concurrent})
		stop := h.run(outbox.New(o))
		h.end(8, call("shop", "s1"))
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			rows := h.list(false)
			if allowed && asked.Load() > 0 || !allowed && len(rows) == 1 && rows[0].Attempts > 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("allowed %t: got %+v", allowed, rows)
			}
		}
		stop()
		if rows := h.list(false); !allowed && (rows[0].Error != want || asked.Load() != 0) {
			t.Errorf("asked %d times, last error %q, want %q", asked.Load(), rows[0].Error, want)
		}
		if _, err := h.store.Commit(t.Context(), deletions(h)...); err != nil {
			t.Fatal(err)
		}
		asked.Store(0)
	}
}

// deletions empty the outbox; the one of a key that is absent makes sure that there
// is one.
func deletions(h *house) []store.Op {
	ops := []store.Op{store.Delete("outbox/none")}
	recs, err := h.store.List(h.t.Context(), "outbox/", "", 100)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range recs {
		ops = append(ops, store.Delete(r.Key))
	}
	return ops
}

func TestOpsHoldEveryCallWithinTheRowsThatThereAre(t *testing.T) {
	for calls := range 40 {
		list := make([]outbox.Call, calls)
		for limit := 1; limit < 40; limit++ {
			ops, err := outbox.Ops(list, time.Now(), limit)
			if err != nil || len(ops) != min(calls, limit) {
				t.Fatalf("%d calls, %d rows: got %d, %v", calls, limit, len(ops), err)
			}
		}
	}
	if ops, err := outbox.Ops(make([]outbox.Call, 1), time.Now(), 0); err == nil {
		t.Errorf("no row for a call: got %v, want an error", ops)
	}
}
