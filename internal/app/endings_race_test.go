package app_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

// interruptible opens a house in which the next Commit waits for what is put into
// *meanwhile.
func interruptible(t *testing.T) (h *house, next func(func())) {
	t.Helper()
	meanwhile := func() {}
	h = open(t, func(_ *config.Config, o *app.Options) {
		o.Wrap = func(s store.Store) store.Store { return &interrupted{s, &meanwhile} }
	})
	h.gate()
	return h, func(f func()) {
		meanwhile = func() {
			meanwhile = func() {}
			f()
		}
	}
}

// ends are the ways to end what alice let the third party do in her session.
func (h *house) ends(sid string) map[string]func() error {
	ctx, alice := h.t.Context(), h.alice.Subject
	return map[string]func() error{
		"session": func() error { return h.Operator.Ended.Session(ctx, alice, sid, ended.BySignOut) },
		"consent": func() error { return h.Operator.Ended.Consent(ctx, alice, "third", ended.ByAccountPage) },
		"user":    func() error { return h.Operator.EndSessions(ctx, "alice") },
		"disable": func() error { _, err := h.Operator.DisableUser(ctx, "alice"); return err },
		"roles":   func() error { h.setRoles("alice"); return nil },
		"client":  func() error { h.setClient("third", false); return nil },
	}
}

func waysToEnd() []string {
	return []string{"session", "consent", "user", "disable", "roles", "client"}
}

// thirds is a browser with one grant of the third party, and a code for another.
func (h *house) thirds(t *testing.T) (first tokens, code, sid string) {
	t.Helper()
	b := h.browser()
	first = b.allow("alice", "scope", "openid roles")
	code = b.get(authorize(asks("third", "scope", "openid roles"))).location(t).Query().Get("code")
	sid, _ = claims(t, first.IDToken)["sid"].(string)
	if code == "" || sid == "" {
		t.Fatal("nothing to begin with")
	}
	return first, code, sid
}

// The ending has read what there is, and not committed.
func TestWhatIsRedeemedWhileAnEndingIsUnderWayEndsWithIt(t *testing.T) {
	for _, kind := range waysToEnd() {
		t.Run(kind, func(t *testing.T) {
			h, next := interruptible(t)
			first, code, sid := h.thirds(t)
			var second tokens
			next(func() { second = h.token("third", redeem(code)) })
			if err := h.ends(sid)[kind](); err != nil {
				t.Fatal(err)
			}
			if second.Status != http.StatusOK {
				t.Fatalf("redeeming: %+v", second)
			}
			h.wantActive(false, "what was begun before the ending", first.AccessToken, second.AccessToken)
			if n := len(h.journal()); n != 1 {
				t.Errorf("%d records, want 1", n)
			}
		})
	}
}

// The redemption has read that all is well, and not committed.
func TestWhatEndsWhileACodeIsRedeemedYieldsNothingOfBefore(t *testing.T) {
	for _, kind := range waysToEnd() {
		t.Run(kind, func(t *testing.T) {
			h, next := interruptible(t)
			_, code, sid := h.thirds(t)
			next(func() {
				if err := h.ends(sid)[kind](); err != nil {
					t.Error(err)
				}
			})
			got := h.token("third", redeem(code))
			switch {
			case kind == "roles": // judged anew, with what is true now
				if roles := claims(t, got.AccessToken)["roles"]; roles != nil {
					t.Errorf("the token still has the roles %v", roles)
				}
				h.wantActive(true, "the token", got.AccessToken)
			case got.AccessToken != "":
				h.wantActive(false, "the token", got.AccessToken)
			}
			if kind != "roles" && kind != "client" && got.Error != "invalid_grant" {
				t.Errorf("redeeming answered %+v", got)
			}
			if kind == "client" {
				h.setClient("third", true)
				if got.AccessToken != "" {
					h.wantActive(false, "the token, when the client works again", got.AccessToken)
				}
			}
		})
	}
}

// A refresh takes another slot in this moment: the grant's hold was over.
func TestAnotherSlotThatIsTakenWhileAnEndingIsUnderWayEndsWithIt(t *testing.T) {
	for _, kind := range waysToEnd() {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, next := interruptible(t)
				first, _, sid := h.thirds(t)
				time.Sleep(70 * time.Minute)
				var second tokens
				next(func() { second = h.token("third", refresh(first.RefreshToken)) })
				if err := h.ends(sid)[kind](); err != nil {
					t.Fatal(err)
				}
				if second.Status != http.StatusOK || slotOf(t, second.AccessToken) == slotOf(t, first.AccessToken) {
					t.Fatalf("refreshing: %+v", second)
				}
				h.wantActive(false, "what was begun before the ending", second.AccessToken)
			})
		})
	}
}

// The refresh has read the grant and its user, and not committed.
func TestWhatEndsWhileATokenIsRefreshedYieldsNothingOfBefore(t *testing.T) {
	for _, kind := range waysToEnd() {
		t.Run(kind, func(t *testing.T) {
			h, next := interruptible(t)
			first, _, sid := h.thirds(t)
			next(func() {
				if err := h.ends(sid)[kind](); err != nil {
					t.Error(err)
				}
			})
			got := h.token("third", refresh(first.RefreshToken))
			if kind == "roles" {
				if roles, _ := claims(t, got.AccessToken)["roles"].([]any); slices.Contains(roles, any("clerk")) {
					t.Errorf("the token still has the roles %v", roles)
				}
				h.wantActive(true, "the token", got.AccessToken)
			} else if got.AccessToken != "" {
				h.wantActive(false, "the token", got.AccessToken)
			}
		})
	}
}

// The password was right when it was checked, and is not when the session begins.
func TestASignInThatRacesWithAChangeOfThePasswordIsWorthNothing(t *testing.T) {
	h, next := interruptible(t)
	b := h.browser()
	page := b.get(b.get(authorize(asks("orders"))).location(t).String())
	next(func() {
		if _, err := h.Operator.SetPassword(t.Context(), "alice", secret.New("another walk by the sea")); err != nil {
			t.Error(err)
		}
	})
	in := b.post("/signin", url.Values{"journey": {hidden(t, page.body)}, "login": {"alice"}, "password": {password}})
	if in.StatusCode != http.StatusSeeOther || len(h.sessions(h.alice)) != 1 {
		t.Fatalf("signing in: %d, %d sessions", in.StatusCode, len(h.sessions(h.alice)))
	}
	if u := b.get(authorize(asks("orders"))).location(t); u.Path != "/signin" {
		t.Errorf("signed in with the old password: %s", u)
	}
}

// The server died after the Commit and before it had removed everything.
func TestWhatACrashLeftOfAUsersEndingIsWorthNothing(t *testing.T) {
	h := open(t)
	h.gate()
	b := h.browser()
	offline := b.offline(t)
	bound := h.token("orders", redeem(b.get(authorize(asks("orders"))).location(t).Query().Get("code")))
	code := b.get(authorize(asks("orders"))).location(t).Query().Get("code")
	if _, err := h.Operator.Users.Update(t.Context(), h.alice.Subject, func(u *user.User) error { u.Epoch++; return nil }); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]tokens{
		"an offline grant": h.token("third", refresh(offline.RefreshToken)),
		"a grant":          h.token("orders", refresh(bound.RefreshToken)),
		"a code":           h.token("orders", redeem(code)),
	} {
		if got.Error != "invalid_grant" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	h.wantActive(false, "the tokens", offline.AccessToken, bound.AccessToken)
}

// RFC 9700 §2.2.2: a token that leaked is of use to nobody once its key is out.
func TestACompromisedKeysTokensAreWorthNothingAndItsSuccessorSigns(t *testing.T) {
	h := open(t)
	h.gate()
	got := h.token("orders", redeem(h.browser().code("alice", "orders")))
	kid := kidOf(t, got.AccessToken)
	if _, err := h.Operator.CompromiseKey(t.Context(), kid); err != nil {
		t.Fatal(err)
	}
	h.wantActive(false, "what the key signed", got.AccessToken)
	again := h.token("orders", refresh(got.RefreshToken))
	h.wantActive(true, "what its successor signed", again.AccessToken)
	journal := h.journal()
	if len(journal) != 1 || journal[0].Kind != ended.KindKey || journal[0].KeyID != kid {
		t.Fatalf("the journal says %+v", journal)
	}
	recs, err := h.Store().Get(t.Context(), "keys/ring")
	if err != nil || recs[0].Version != journal[0].Position {
		t.Errorf("the ring is of version %d, %v, the record of %d: not one Commit", recs[0].Version, err, journal[0].Position)
	}
	if _, err := h.Operator.CompromiseKey(t.Context(), kid); err == nil || len(h.journal()) != 1 {
		t.Errorf("a second time: %v, %d records", err, len(h.journal()))
	}
}

// RP-Initiated Logout, then the next one: nothing is left to be ended.
func TestSigningOutTwiceLeavesOneRecord(t *testing.T) {
	h := open(t)
	b := h.browser()
	got := h.token("orders", redeem(b.code("alice", "orders")))
	for range 2 {
		b.get("/logout?" + url.Values{"id_token_hint": {got.IDToken}}.Encode())
	}
	if n := len(h.journal()); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
}
