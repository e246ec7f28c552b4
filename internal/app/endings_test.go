package app_test

import (
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/internal/slot"
)

func TestEveryTokenOfAGrantCarriesItsSlotAndAMachinesTokensEachTheirOwn(t *testing.T) {
	h := open(t)
	b := h.browser()
	got := h.token("orders", redeem(b.code("alice", "orders")))
	mine := slotOf(t, got.AccessToken)
	for range 3 {
		got = h.token("orders", refresh(got.RefreshToken))
		if s := slotOf(t, got.AccessToken); s != mine {
			t.Errorf("after a refresh the slot is %d, want %d", s, mine)
		}
	}
	taken := map[slot.Slot]bool{mine: true}
	another := h.token("orders", redeem(b.get(authorize(asks("orders"))).location(t).Query().Get("code")))
	for _, access := range []string{another.AccessToken, h.machine().AccessToken, h.machine().AccessToken, h.machine().AccessToken} {
		s := slotOf(t, access)
		if taken[s] {
			t.Errorf("slot %d is given twice", s)
		}
		taken[s] = true
	}
}

func TestAGrantThatTookAnotherSlotEndsWithBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.gate()
		first := h.token("orders", redeem(h.browser().code("alice", "orders")))
		time.Sleep(58 * time.Minute)
		old := h.token("orders", refresh(first.RefreshToken))
		time.Sleep(3 * time.Minute)
		young := h.token("orders", refresh(old.RefreshToken))
		if slotOf(t, old.AccessToken) != slotOf(t, first.AccessToken) || slotOf(t, young.AccessToken) == slotOf(t, old.AccessToken) {
			t.Errorf("the slots are %d, %d and %d", slotOf(t, first.AccessToken), slotOf(t, old.AccessToken), slotOf(t, young.AccessToken))
		}
		h.wantActive(true, "before", old.AccessToken, young.AccessToken)
		if res, _ := h.about("/revoke", "orders", young.RefreshToken); res.StatusCode != http.StatusOK {
			t.Fatalf("revoking: %d", res.StatusCode)
		}
		h.wantActive(false, "after", old.AccessToken, young.AccessToken)
		published := h.lists()
		for _, access := range []string{old.AccessToken, young.AccessToken} {
			if s := slotOf(t, access); !published.set(s) {
				t.Errorf("the bit of %d is not set", s)
			}
		}
	})
}

// RFC 7009 §2.1. It has no grant, and no other token has anything to do with it.
func TestRevokingAMachinesTokenEndsItAlone(t *testing.T) {
	h := open(t)
	h.gate()
	one, other := h.machine().AccessToken, h.machine().AccessToken
	if res, _ := h.about("/revoke", "orders", one); res.StatusCode != http.StatusOK {
		t.Errorf("another client: %d", res.StatusCode)
	}
	h.wantActive(true, "what another client would revoke", one)
	for range 2 {
		if res, told := h.about("/revoke", "robot", one); res.StatusCode != http.StatusOK || res.body != "" {
			t.Errorf("revoking: %d %v", res.StatusCode, told)
		}
	}
	h.wantActive(false, "what was revoked", one)
	h.wantActive(true, "its neighbour, and the next one", other, h.machine().AccessToken)
	if n := len(h.journal()); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
}

// The next token says what is true, and works.
func TestWhoLosesARoleLosesTheTokensThatSpeakOfItAndNotTheSession(t *testing.T) {
	h := open(t)
	h.gate()
	b := h.browser()
	speaking := h.token("orders", redeem(b.code("alice", "orders", "scope", "openid roles")))
	silent := h.token("orders", redeem(b.get(authorize(asks("orders", "scope", "openid"))).location(t).Query().Get("code")))
	h.setRoles("alice", "clerk", "admin") // gaining one ends nothing
	h.wantActive(true, "after gaining a role", speaking.AccessToken, silent.AccessToken)
	h.setRoles("alice", "admin")
	h.wantActive(false, "the token that speaks of the role", speaking.AccessToken)
	h.wantActive(true, "the token that does not", silent.AccessToken)
	for range 2 {
		next := h.token("orders", refresh(speaking.RefreshToken))
		h.wantActive(true, "the next one", next.AccessToken)
		roles, _ := claims(t, next.AccessToken)["roles"].([]any)
		if !slices.Equal(roles, []any{"admin"}) {
			t.Errorf("the next token has the roles %v", roles)
		}
		speaking = next
	}
	if u := b.get(authorize(asks("orders", "prompt", "none"))).location(t); u.Query().Get("code") == "" {
		t.Errorf("signed out: %s", u)
	}
}

func TestADisabledClientsTokensEndAndItsGrantsWaitForIt(t *testing.T) {
	h := open(t)
	h.gate()
	got := h.token("orders", redeem(h.browser().code("alice", "orders")))
	machine := h.machine().AccessToken
	old := []string{got.AccessToken, machine}
	for _, id := range []string{"orders", "robot"} {
		h.setClient(id, false)
	}
	h.wantActive(false, "while disabled", old...)
	if again := h.token("orders", refresh(got.RefreshToken)); again.Error != "invalid_client" {
		t.Errorf("refresh while disabled: %+v", again)
	}
	for _, id := range []string{"orders", "robot"} {
		h.setClient(id, true)
	}
	h.wantActive(false, "of before, when it works again", old...)
	again := h.token("orders", refresh(got.RefreshToken))
	h.wantActive(true, "of afterwards", again.AccessToken, h.machine().AccessToken)
	if s := slotOf(t, again.AccessToken); s == slotOf(t, got.AccessToken) {
		t.Errorf("the refreshed token carries slot %d, whose bit is set", s)
	}
}

func TestAnotherPasswordEndsAllThatWasBegunWithTheOldOne(t *testing.T) {
	h := open(t)
	h.gate()
	b, other := h.browser(), h.browser()
	bound := h.token("orders", redeem(b.code("alice", "orders")))
	offline := other.offline(t)
	bobs := h.token("orders", redeem(h.browser().code("bob", "orders")))
	if _, err := h.Operator.SetPassword(t.Context(), "alice", secret.New("another walk by the sea")); err != nil {
		t.Fatal(err)
	}
	h.wantActive(false, "Alice's", bound.AccessToken, offline.AccessToken)
	h.wantActive(true, "Bob's", bobs.AccessToken)
	for clientID, token := range map[string]string{"orders": bound.RefreshToken, "third": offline.RefreshToken} {
		if again := h.token(clientID, refresh(token)); again.Error != "invalid_grant" {
			t.Errorf("%s: %+v", clientID, again)
		}
	}
	for _, who := range []*browser{b, other} {
		if u := who.get(authorize(asks("orders"))).location(t); u.Path != "/signin" {
			t.Errorf("still signed in: %s", u)
		}
	}
}

// In whatever order they meet: a token that was issued has ended with its session.
func TestASignOutDuringARedemptionLeavesNoTokenAlive(t *testing.T) {
	h := open(t)
	h.gate()
	b := h.browser()
	issued := 0
	for range 200 {
		code := b.code("alice", "orders")
		page := b.get("/logout")
		form := url.Values{"request": {hidden(t, page.body)}, "answer": {"yes"}}
		var (
			got  tokens
			both sync.WaitGroup
		)
		both.Go(func() { got = h.token("orders", redeem(code)) })
		both.Go(func() {
			if done := b.post("/logout", form); done.StatusCode != http.StatusOK {
				t.Errorf("signing out: %d", done.StatusCode)
			}
		})
		both.Wait()
		if got.AccessToken == "" {
			if got.Error != "invalid_grant" {
				t.Errorf("redeeming: %+v", got)
			}
			continue
		}
		issued++
		h.wantActive(false, "a token of a session that has ended", got.AccessToken)
	}
	t.Logf("%d of 200 redemptions came first", issued)
}

// The client works again right away, and still none of before is good.
func TestDisablingAClientWhileItGetsTokensLeavesNoneAlive(t *testing.T) {
	h := open(t)
	h.gate()
	for range 30 {
		var (
			mu      sync.Mutex
			old     []string
			workers sync.WaitGroup
		)
		for range 4 {
			workers.Go(func() {
				for range 5 {
					if got := h.machine(); got.AccessToken != "" {
						mu.Lock()
						old = append(old, got.AccessToken)
						mu.Unlock()
					}
				}
			})
		}
		workers.Go(func() { h.setClient("robot", false) })
		workers.Wait()
		h.setClient("robot", true)
		h.wantActive(false, "of before", old...)
		h.wantActive(true, "of afterwards", h.machine().AccessToken)
	}
}

// RFC 9700 §4.14.2, RFC 6749 §4.1.2: who ends something by presenting it twice.
func TestTheJournalSaysWhyAGrantEnded(t *testing.T) {
	h := open(t)
	b := h.browser()
	code := b.code("alice", "orders")
	h.token("orders", redeem(code))
	h.token("orders", redeem(code))
	stolen := h.token("orders", redeem(b.get(authorize(asks("orders"))).location(t).Query().Get("code")))
	second := h.token("orders", refresh(stolen.RefreshToken))
	h.token("orders", refresh(second.RefreshToken))
	h.token("orders", refresh(stolen.RefreshToken))
	revoked := h.token("orders", redeem(b.get(authorize(asks("orders"))).location(t).Query().Get("code")))
	h.about("/revoke", "orders", revoked.AccessToken)
	b.get("/logout?" + url.Values{"id_token_hint": {revoked.IDToken}}.Encode())
	var causes []ended.Cause
	for _, e := range h.journal() {
		causes = append(causes, e.Cause)
	}
	want := []ended.Cause{ended.ByCodeReplay, ended.ByTokenReuse, ended.ByRevocation, ended.ByRelyingParty}
	if !slices.Equal(causes, want) {
		t.Errorf("the causes are %v, want %v", causes, want)
	}
}
