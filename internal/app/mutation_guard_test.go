package app_test

import (
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/store"
)

// These tests were written because a mutation survived: they guard checks that
// another one happened to stand in for.

// RFC 9700 §2.1.1. Without challenge and method a request has no sign of PKCE at
// all, which is how an attacker would downgrade it.
func TestAClientThatMustUsePKCECannotLeaveItOut(t *testing.T) {
	h := open(t)
	u := h.browser().get(authorize(asks("orders", "code_challenge", "", "code_challenge_method", ""))).location(t)
	if q := u.Query(); q.Get("error") != "invalid_request" || !strings.Contains(q.Get("error_description"), "code_challenge") {
		t.Errorf("without PKCE: %s", u)
	}
}

// race redeems one code twice: while the first request is about to commit, the
// second has its answer and, if replayed, comes a third time and ends the grant.
func race(t *testing.T, replayed bool) (h *house, winner, loser tokens) {
	t.Helper()
	meanwhile := func() {}
	h = open(t, func(_ *config.Config, o *app.Options) {
		o.Wrap = func(s store.Store) store.Store { return &interrupted{s, &meanwhile} }
	})
	code := h.browser().code("alice", "orders")
	meanwhile = func() {
		meanwhile = func() {}
		winner = h.token("orders", redeem(code))
		if replayed {
			h.token("orders", redeem(code))
		}
	}
	loser = h.token("orders", redeem(code))
	if winner.Status != http.StatusOK || loser.Error != "invalid_grant" {
		t.Errorf("the winner got %+v, the loser %+v", winner, loser)
	}
	return h, winner, loser
}

// RFC 6749 §4.1.2, RFC 9700 §4.5: the loser saw an unspent code, and is a replay all
// the same.
func TestWhoLosesTheRaceForACodeEndsWhatTheWinnerGot(t *testing.T) {
	h, winner, _ := race(t, false)
	if again := h.token("orders", refresh(winner.RefreshToken)); again.Error != "invalid_grant" {
		t.Errorf("the grant of a code in two hands lives on: %+v", again)
	}
}

// RFC 6749 §4.1.2: that its grant is gone again does not make a code unspent.
func TestACodeStaysSpentAfterItsGrantHasEnded(t *testing.T) {
	h, _, loser := race(t, true)
	if loser.AccessToken != "" || len(h.grants()) != 0 {
		t.Errorf("a spent code began another grant: %+v", loser)
	}
}

// OpenID Connect Core §3.1.3.2: who signed out in the minute that a code lives
// gets no tokens, and no server error either.
func TestACodeIsWorthNothingOnceItsSessionHasEnded(t *testing.T) {
	h := open(t)
	b := h.browser()
	code := b.code("alice", "orders")
	page := b.get("/logout")
	if got := b.post("/logout", url.Values{"request": {hidden(t, page.body)}}); got.StatusCode != http.StatusOK {
		t.Fatalf("signing out: %d", got.StatusCode)
	}
	if got := h.token("orders", redeem(code)); got.Status != http.StatusBadRequest || got.Error != "invalid_grant" {
		t.Errorf("after signing out: %+v", got)
	}
}

// offline walks a third party's request to a grant that survives its session.
func (b *browser) offline(t *testing.T) tokens {
	t.Helper()
	page := b.get(b.signIn("alice", asks("third", "scope", "openid offline_access")).location(t).String())
	accepted := b.post("/consent", url.Values{"journey": {hidden(t, page.body)}, "answer": {"accept"}})
	got := b.h.token("third", redeem(b.get(accepted.location(t).String()).location(t).Query().Get("code")))
	if got.RefreshToken == "" {
		t.Fatalf("no refresh token: %+v", got)
	}
	return got
}

// An offline grant needs no session, so nothing but the user's own record stops it.
func TestADisabledUsersOfflineGrantIsWorthNothing(t *testing.T) {
	h := open(t)
	got := h.browser().offline(t)
	h.disable(h.alice.Subject)
	if again := h.token("third", refresh(got.RefreshToken)); again.Error != "invalid_grant" {
		t.Errorf("of a disabled user: %+v", again)
	}
}

// RFC 6749 §5.2.
func TestADisabledClientDoesNotAuthenticate(t *testing.T) {
	h := open(t)
	if _, err := h.Operator.Clients.Update(t.Context(), "robot", func(c *client.Client) error { c.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	got := h.token("robot", url.Values{"grant_type": {"client_credentials"}})
	if got.Status != http.StatusUnauthorized || got.Error != "invalid_client" || got.AccessToken != "" {
		t.Errorf("a disabled client: %+v", got)
	}
}

// A client that takes the name of one that was removed is a stranger to whoever
// trusted the first.
func TestAConsentDoesNotPassToAnotherClientOfTheSameName(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.offline(t)
	ask := authorize(asks("third", "scope", "openid offline_access"))
	if u := b.get(ask).location(t); u.Query().Get("code") == "" {
		t.Fatalf("the consent was not remembered: %s", u)
	}
	if err := h.Operator.Clients.Remove(t.Context(), "third"); err != nil {
		t.Fatal(err)
	}
	h.client(client.Client{ID: "third", Refresh: client.RefreshOffline})
	if u := b.get(ask).location(t); u.Path != "/consent" {
		t.Errorf("another client got what the first was trusted with: %s", u)
	}
}

// OpenID Connect Core §3.1.2.4.
func TestNoAnswerOnTheConsentPageIsNoYes(t *testing.T) {
	h := open(t)
	b := h.browser()
	page := b.get(b.signIn("alice", asks("third")).location(t).String())
	for _, form := range []url.Values{{}, {"answer": {""}}, {"answer": {"yes"}}, {"answer": {"ACCEPT"}}} {
		form.Set("journey", hidden(t, page.body))
		got := b.get(b.post("/consent", form).location(t).String()).location(t)
		if got.Query().Get("error") != "access_denied" || got.Query().Get("code") != "" {
			t.Errorf("%v answered %s", form["answer"], got)
		}
	}
}

// RP-Initiated Logout §6: a page that asked about one session ends no other.
func TestASignOutPageEndsNoSessionButItsOwn(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.code("alice", "orders")
	stale := hidden(t, b.get("/logout").body)
	if got := b.signIn("bob", asks("orders", "prompt", "login")).location(t); got.Query().Get("code") == "" {
		t.Fatalf("bob got %s", got)
	}
	if got := b.post("/logout", url.Values{"request": {stale}}); got.StatusCode != http.StatusBadRequest {
		t.Errorf("the page of alice's session answered %d", got.StatusCode)
	}
	if u := b.get(authorize(asks("orders", "prompt", "none"))).location(t); u.Query().Get("code") == "" {
		t.Errorf("bob was signed out by alice's page: %s", u)
	}
}

// One click signs in whom the operator of a loopback issuer named, and nobody else.
func TestOnlyAPersonaIsSignedInWithoutAPassword(t *testing.T) {
	h := open(t, func(_ *config.Config, o *app.Options) { o.Personas = []pages.Persona{{Login: "alice"}} })
	sign := func(persona string) answer {
		b := h.browser()
		page := b.get(b.get(authorize(asks("orders"))).location(t).String())
		return b.post("/signin", url.Values{"journey": {hidden(t, page.body)}, "persona": {persona}})
	}
	if got := sign("alice"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the persona: %d", got.StatusCode)
	}
	if got := sign("bob"); got.StatusCode != http.StatusUnprocessableEntity || len(got.Cookies()) != 0 {
		t.Errorf("somebody else: %d, cookies %v", got.StatusCode, got.Cookies())
	}
}

func TestPersonasAreForALoopbackIssuer(t *testing.T) {
	cfg := config.Default()
	cfg.Issuer, cfg.Metrics.Address = "https://id.example.com", config.Off
	cfg.Store = "bolt:" + filepath.Join(t.TempDir(), "signet.db")
	a, err := app.New(t.Context(), cfg, app.Options{NoSync: true, Log: io.Discard, Personas: []pages.Persona{{Login: "alice"}}})
	if err == nil {
		t.Error("an issuer on the internet lets everybody be alice")
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}
