package app_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

// phone signs u in at a browser that this process does not play.
func (h *house) phone(u user.User) session.Session {
	h.t.Helper()
	policy := session.Policy{Idle: time.Hour, Absolute: time.Hour}
	s, _ := policy.Begin(authn.Result{Subject: u.Subject, Time: testNow()}, session.Origin{
		Address: "192.0.2.44",
		Agent:   "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
	})
	s.Epoch = u.Epoch
	s, _ = s.Join("third")
	op, err := policy.Put(s)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.Store().Commit(h.t.Context(), op); err != nil {
		h.t.Fatal(err)
	}
	return s
}

// sessions are the sids of u's sessions that are stored.
func (h *house) sessions(u user.User) []string {
	h.t.Helper()
	recs, err := h.Store().List(h.t.Context(), session.Prefix(u.Subject), "", store.MaxList)
	if err != nil {
		h.t.Fatal(err)
	}
	var out []string
	for _, r := range recs {
		out = append(out, strings.TrimPrefix(r.Key, session.Prefix(u.Subject)))
	}
	return out
}

// endOne posts what the page of b's account would for the session sid.
func (b *browser) endOne(sid, request string) answer {
	b.h.t.Helper()
	return b.post("/account/sessions/end", url.Values{"request": {request}, "sid": {sid}})
}

func (b *browser) endOthers(request string) answer {
	b.h.t.Helper()
	return b.post("/account/sessions/end-others", url.Values{"request": {request}})
}

func TestTheAccountListsEveryBrowserOfThePersonThisOneFirst(t *testing.T) {
	h := open(t)
	far := h.phone(h.alice)
	former := h.alice
	former.Epoch++
	stale := h.phone(former)
	b := h.browser()
	h.token("orders", redeem(b.code("alice", "orders")))
	bobs := h.phone(h.bob)
	body := b.get("/account").body
	for _, want := range []string{"This browser", "Safari on iPhone", "192.0.2.44", `value="` + far.ID + `"`, "<bdi>orders</bdi>", "<bdi>third</bdi>", "just now"} {
		if !strings.Contains(body, want) {
			t.Errorf("the account does not say %q", want)
		}
	}
	if strings.Index(body, "This browser") > strings.Index(body, "Safari on iPhone") {
		t.Error("this browser is not the first")
	}
	for name, sid := range map[string]string{"another person's": bobs.ID, "one that stands for nobody any more": stale.ID} {
		if strings.Contains(body, sid) {
			t.Errorf("the list has %s", name)
		}
	}
}

func TestAPersonEndsTheSessionOfAnotherBrowser(t *testing.T) {
	h := open(t)
	b, elsewhere, bobs := h.browser(), h.browser(), h.browser()
	own := h.token("orders", redeem(b.code("alice", "orders")))
	before := h.sessions(h.alice)
	other := h.token("orders", redeem(elsewhere.code("alice", "orders")))
	bob := h.token("orders", redeem(bobs.code("bob", "orders")))
	sid, _ := claims(t, other.IDToken)["sid"].(string)
	if done := b.endOne(sid, hidden(t, b.get("/account").body)); done.location(t).Path != "/account" {
		t.Fatalf("ending answered %d", done.StatusCode)
	}
	if left := h.sessions(h.alice); len(left) != 1 || left[0] != before[0] {
		t.Errorf("left are %v, want %v", left, before)
	}
	if to := elsewhere.get(authorize(asks("orders"))).location(t); to.Path != "/signin" {
		t.Errorf("the other browser is still signed in: %s", to)
	}
	if got := h.token("orders", refresh(other.RefreshToken)); got.Error != "invalid_grant" {
		t.Errorf("a grant of the other browser lives on: %+v", got)
	}
	for name, live := range map[string]tokens{"this browser": own, "another person": bob} {
		if got := h.token("orders", refresh(live.RefreshToken)); got.Status != http.StatusOK {
			t.Errorf("the grant of %s ended too: %+v", name, got)
		}
	}
	if twice := b.endOne(sid, hidden(t, b.get("/account/password").body)); twice.StatusCode != http.StatusSeeOther {
		t.Errorf("ending twice: %d", twice.StatusCode)
	}
}

func TestAPersonEndsAllOtherSessionsAtOnce(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.code("alice", "orders")
	before := h.sessions(h.alice)
	h.phone(h.alice)
	h.phone(h.alice)
	bobs := h.phone(h.bob)
	if done := b.endOthers(hidden(t, b.get("/account").body)); done.location(t).Path != "/account" {
		t.Fatalf("ending answered %d", done.StatusCode)
	}
	if left := h.sessions(h.alice); len(left) != 1 || left[0] != before[0] {
		t.Errorf("left are %v, want %v", left, before)
	}
	if left := h.sessions(h.bob); len(left) != 1 || left[0] != bobs.ID {
		t.Errorf("another person's sessions: %v", left)
	}
	if body := b.get("/account").body; strings.Contains(body, "End all others") || strings.Contains(body, `name="sid"`) {
		t.Error("the page still offers to end others")
	}
}

// CSRF: a form that is not of this session ends nothing; and a name that is none
// reaches no key.
func TestNoFormButThisSessionsEndsASessionAndOnlyByItsName(t *testing.T) {
	h := open(t)
	far := h.phone(h.alice)
	b, bobs := h.browser(), h.browser()
	b.code("alice", "orders")
	bobs.code("bob", "orders")
	field := hidden(t, b.get("/account").body)
	theirs := hidden(t, bobs.get("/account/password").body)
	for name, request := range map[string]string{"no field": "", "a made-up field": "c2VhbGVk", "another person's field": theirs, "a field to log out": hidden(t, b.get("/logout").body)} {
		if got := b.endOne(far.ID, request); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%s ends a session: %d", name, got.StatusCode)
		}
		if got := b.endOthers(request); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%s ends all others: %d", name, got.StatusCode)
		}
	}
	own := slices.DeleteFunc(h.sessions(h.alice), func(sid string) bool { return sid == far.ID })[0]
	for _, sid := range []string{"", "/", "x", far.ID + "/", "../" + far.ID, strings.ToLower(far.ID) + "x", own} {
		if got := b.endOne(sid, field); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%q is taken for another session: %d", sid, got.StatusCode)
		}
	}
	if got := bobs.endOne(far.ID, theirs); got.StatusCode != http.StatusSeeOther {
		t.Errorf("a session that is not there: %d", got.StatusCode)
	}
	if left := h.sessions(h.alice); len(left) != 2 {
		t.Errorf("left are %v, want both", left)
	}
	nobody := h.browser()
	for name, got := range map[string]answer{"one": nobody.endOne(far.ID, field), "all": nobody.endOthers(field)} {
		if to := got.location(t); to.String() != "/signin?then=account" {
			t.Errorf("nobody ends %s: %d to %s", name, got.StatusCode, to)
		}
	}
}
