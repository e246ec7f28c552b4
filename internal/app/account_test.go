package app_test

import (
	"context"
	"github.com/signet-id/signet/internal/ended"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

const renewed = "seven herons over the marsh"

// allow signs alice in and lets the third party have what it asks for.
func (b *browser) allow(login string, change ...string) tokens {
	b.h.t.Helper()
	page := b.get(b.signIn(login, asks("third", change...)).location(b.h.t).String())
	got := b.post("/consent", url.Values{"journey": {hidden(b.h.t, page.body)}, "answer": {"accept"}})
	return b.h.token("third", redeem(b.get(got.location(b.h.t).String()).location(b.h.t).Query().Get("code")))
}

// withdraw posts what the page of b's account would.
func (b *browser) withdraw(clientID, request string) answer {
	b.h.t.Helper()
	return b.post("/account/consents", url.Values{"request": {request}, "client": {clientID}})
}

// change posts what the password page would, with a field from that page.
func (b *browser) change(current, next string) answer {
	b.h.t.Helper()
	page := b.get("/account/password")
	return b.post("/account/password", url.Values{"request": {hidden(b.h.t, page.body)}, "current": {current}, "password": {next}})
}

func TestTheAccountListsWhatThirdPartiesMayDo(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.allow("alice")
	// A client that was a third party once has a consent that means nothing now.
	former, err := grant.Consent{}.Widen([]string{"openid"}, time.Now()).Put(h.alice.Subject, "orders")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Store().Commit(t.Context(), former); err != nil {
		t.Fatal(err)
	}
	page := b.get("/account")
	if page.StatusCode != http.StatusOK || page.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("account: %d, Cache-Control %q", page.StatusCode, page.Header.Get("Cache-Control"))
	}
	for _, want := range []string{"Alice", "third", "app.example", "See your e-mail address", "Since " + time.Now().UTC().Format("2 January 2006")} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the account does not say %q", want)
		}
	}
	if strings.Contains(page.body, `value="orders"`) {
		t.Error("a first-party client is listed: nobody was asked about it")
	}
	bobs := h.browser()
	bobs.code("bob", "orders")
	if page := bobs.get("/account"); strings.Contains(page.body, `value="third"`) {
		t.Error("Bob sees what Alice allowed")
	}
}

func TestWithdrawingEndsTheClientsGrantsAndItAsksAgain(t *testing.T) {
	h := open(t)
	b := h.browser()
	got := b.allow("alice", "scope", "openid offline_access", "prompt", "consent")
	own := h.token("orders", redeem(b.get(authorize(asks("orders"))).location(t).Query().Get("code")))
	bobs := h.browser().allow("bob")
	if done := b.withdraw("third", hidden(t, b.get("/account").body)); done.location(t).Path != "/account" {
		t.Fatalf("withdraw answered %d", done.StatusCode)
	}
	if strings.Contains(b.get("/account").body, `value="third"`) {
		t.Error("what was withdrawn is still listed")
	}
	if again := h.token("third", refresh(got.RefreshToken)); again.Error != "invalid_grant" {
		t.Errorf("refresh after withdrawing: %+v", again)
	}
	if info := h.userinfo(got.AccessToken); info.StatusCode != http.StatusUnauthorized {
		t.Errorf("userinfo after withdrawing: %d", info.StatusCode)
	}
	if to := b.get(authorize(asks("third"))).location(t); to.Path != "/consent" {
		t.Errorf("the client did not ask again: %s", to)
	}
	if other := h.token("orders", refresh(own.RefreshToken)); other.Status != http.StatusOK {
		t.Errorf("another client's grant ended too: %+v", other)
	}
	if other := h.token("third", refresh(bobs.RefreshToken)); other.Status != http.StatusOK {
		t.Errorf("another person's grant ended too: %+v", other)
	}
	if twice := b.withdraw("third", hidden(t, b.get("/account/password").body)); twice.StatusCode != http.StatusSeeOther {
		t.Errorf("withdrawing twice: %d", twice.StatusCode)
	}
}

// CSRF: a stranger's page can make the browser post here, with its cookie if it
// comes from a sibling host, but it has no field that fits the session.
func TestAFormThatIsNotOfThisSessionChangesNothing(t *testing.T) {
	h := open(t)
	b := h.browser()
	got := b.allow("alice")
	bobs := h.browser()
	bobs.allow("bob")
	before := hidden(t, b.get("/account").body)
	elsewhere := h.browser()
	elsewhere.code("alice", "orders")
	for name, field := range map[string]string{
		"no field":                         "",
		"a made-up field":                  "c2VhbGVk",
		"another person's field":           hidden(t, bobs.get("/account").body),
		"a field of another session":       hidden(t, elsewhere.get("/account/password").body),
		"a field that was made to log out": hidden(t, b.get("/logout").body),
		"a field with a changed end":       before[:len(before)-2] + "AA",
	} {
		if got := b.withdraw("third", field); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%s withdraws: %d", name, got.StatusCode)
		}
		form := url.Values{"request": {field}, "current": {password}, "password": {renewed}}
		if got := b.post("/account/password", form); got.StatusCode != http.StatusBadRequest || len(got.Cookies()) != 0 {
			t.Errorf("%s changes the password: %d", name, got.StatusCode)
		}
	}
	if again := h.token("third", refresh(got.RefreshToken)); again.Status != http.StatusOK {
		t.Errorf("the grant has ended: %+v", again)
	}
	h.browser().code("alice", "orders")
}

func TestAPageThatStayedOpenForTooLongChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		b := h.browser()
		b.allow("alice")
		field := hidden(t, b.get("/account").body)
		time.Sleep(time.Hour + time.Minute)
		if got := b.withdraw("third", field); got.StatusCode != http.StatusBadRequest {
			t.Errorf("withdraw: %d", got.StatusCode)
		}
	})
}

func TestNobodyWhoIsNotSignedInReachesAnAccount(t *testing.T) {
	h := open(t)
	stale := h.browser()
	stale.code("alice", "orders")
	field := hidden(t, stale.get("/account/password").body)
	former := h.browser()
	former.code("bob", "orders")
	h.disable(h.bob.Subject)
	if _, err := h.Operator.Ended.User(t.Context(), h.alice.Subject, ended.ByOperator, nil); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*browser{"no cookie": h.browser(), "an ended session": stale, "a disabled user": former} {
		form := url.Values{"request": {field}, "client": {"third"}, "current": {password}, "password": {renewed}}
		for want, got := range map[string]answer{
			"/signin?then=account ":  b.get("/account"),
			"/signin?then=account":   b.post("/account/consents", form),
			"/signin?then=password ": b.get("/account/password"),
			"/signin?then=password":  b.post("/account/password", form),
		} {
			if to := got.Header.Get("Location"); got.StatusCode != http.StatusSeeOther || to != strings.TrimSpace(want) {
				t.Errorf("%s: %d to %q, want %s", name, got.StatusCode, to, want)
			}
		}
	}
}

func TestSigningInOnTheWayToTheAccountLeadsThere(t *testing.T) {
	h := open(t)
	for then, want := range map[string]string{
		"account": "/account", "password": "/account/password", "": "/", "https://evil.example": "/", "//evil.example": "/", "logout": "/",
	} {
		b := h.browser()
		page := b.get("/signin?" + url.Values{"then": {then}}.Encode())
		got := b.post("/signin", url.Values{"journey": {hidden(t, page.body)}, "login": {"alice"}, "password": {password}})
		if to := got.Header.Get("Location"); to != want {
			t.Errorf("then=%s led to %q, want %q", then, to, want)
		}
	}
}

func TestAConsentThatCannotBeReadCanStillBeWithdrawn(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.code("alice", "orders")
	damaged := grant.ConsentKey(h.alice.Subject, "long-gone")
	if _, err := h.Store().Commit(t.Context(), store.Put(damaged, []byte(`{"scopes":`))); err != nil {
		t.Fatal(err)
	}
	page := b.get("/account")
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, "long-gone") {
		t.Fatalf("account: %d %s", page.StatusCode, page.body)
	}
	b.withdraw("long-gone", hidden(t, page.body))
	if recs, err := h.Store().Get(t.Context(), damaged); err != nil || recs[0].Exists() {
		t.Errorf("the consent is still there (%v)", err)
	}
}

func TestANewPasswordEndsEverythingButThisBrowser(t *testing.T) {
	h := open(t)
	b, elsewhere := h.browser(), h.browser()
	first := h.token("orders", redeem(b.code("alice", "orders")))
	offline := elsewhere.allow("alice", "scope", "openid offline_access", "prompt", "consent")
	bobs := h.token("orders", redeem(h.browser().code("bob", "orders")))
	old := h.browser()
	at, _ := url.Parse(issuer)
	old.jar.SetCookies(at, b.jar.Cookies(at))
	done := b.change(password, renewed)
	if done.StatusCode != http.StatusOK || !strings.Contains(done.body, "Your password is changed") {
		t.Fatalf("change: %d %s", done.StatusCode, done.body)
	}
	if to := b.get(authorize(asks("orders"))).location(t); to.Query().Get("code") == "" {
		t.Errorf("this browser is signed out: %s", to)
	}
	for name, other := range map[string]*browser{"another browser": elsewhere, "this browser's cookie from before": old} {
		if to := other.get(authorize(asks("orders"))).location(t); to.Path != "/signin" {
			t.Errorf("%s is still signed in: %s", name, to)
		}
	}
	if got := h.token("orders", refresh(first.RefreshToken)); got.Error != "invalid_grant" {
		t.Errorf("a grant of this browser lives on: %+v", got)
	}
	if got := h.token("third", refresh(offline.RefreshToken)); got.Error != "invalid_grant" {
		t.Errorf("an offline grant lives on: %+v", got)
	}
	if got := h.token("orders", refresh(bobs.RefreshToken)); got.Status != http.StatusOK {
		t.Errorf("another person's grant ended: %+v", got)
	}
	for typed, want := range map[string]int{password: http.StatusUnprocessableEntity, renewed: http.StatusSeeOther} {
		fresh := h.browser()
		page := fresh.get("/signin")
		got := fresh.post("/signin", url.Values{"journey": {hidden(t, page.body)}, "login": {"alice"}, "password": {typed}})
		if got.StatusCode != want {
			t.Errorf("signing in with %q: %d, want %d", typed, got.StatusCode, want)
		}
	}
}

func TestAPasswordIsChangedOnlyByWhoKnowsItAndIntoAGoodOne(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.code("alice", "orders")
	problem := regexp.MustCompile(`role="alert">([^<]*)<`)
	for _, tt := range []struct{ name, current, next, says string }{
		{"a wrong current password", "a short walk by the river", renewed, "This is not your current password."},
		{"no current password", "", renewed, "This is not your current password."},
		{"a short one", password, "herons", "The password must have at least 8 characters."},
		{"a common one", password, "Password1!", "This password is one of those that are tried first. Please choose another."},
		{"one's own name", password, "alice@example.com", "The password must not be the login, the e-mail address or the name."},
		{"none", password, "", "The password must not be empty."},
		{"the same", password, password, "The new password is the current one."},
	} {
		got := b.change(tt.current, tt.next)
		m := problem.FindStringSubmatch(got.body)
		if got.StatusCode != http.StatusUnprocessableEntity || m == nil || m[1] != tt.says {
			t.Errorf("%s: %d, %q, want 422 and %q", tt.name, got.StatusCode, m, tt.says)
		}
		if tt.next != "" && strings.Contains(got.body, tt.next) {
			t.Errorf("%s: the page repeats what was typed", tt.name)
		}
	}
	h.browser().code("alice", "orders") // and the password is what it was
}

// A session that somebody found open is no place to guess the password at.
func TestGuessingTheCurrentPasswordIsSlowed(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.code("alice", "orders")
	for i := range 30 {
		got := b.change("wrong", renewed)
		if got.StatusCode == http.StatusTooManyRequests {
			if got.Header.Get("Retry-After") == "" || !strings.Contains(got.body, "Too many attempts. Try again in ") {
				t.Errorf("after %d guesses the page does not say how long to wait: %s", i, got.body)
			}
			return
		}
	}
	t.Error("30 guesses were answered")
}

// The store lets an operator's change slip in between the proof and the change.
func TestAPasswordThatWasResetMeanwhileStays(t *testing.T) {
	var slip func()
	h := open(t, func(_ *config.Config, o *app.Options) {
		o.Wrap = func(s store.Store) store.Store { return &slipping{Store: s, slip: &slip} }
	})
	b := h.browser()
	b.code("alice", "orders")
	page := b.get("/account/password")
	fresh, err := h.Operator.Passwords.Hash(t.Context(), "what the operator chose")
	if err != nil {
		t.Fatal(err)
	}
	slip = func() {
		_, err := h.Operator.Users.Update(t.Context(), h.alice.Subject, func(u *user.User) error { u.Password = fresh; return nil })
		if err != nil {
			t.Error(err)
		}
	}
	got := b.post("/account/password", url.Values{"request": {hidden(t, page.body)}, "current": {password}, "password": {renewed}})
	if got.StatusCode != http.StatusConflict {
		t.Errorf("change: %d, want 409", got.StatusCode)
	}
	if u, _, err := h.Operator.Users.Get(t.Context(), h.alice.Subject); err != nil || !u.Password.Equal(fresh) {
		t.Errorf("the operator's password is gone (%v)", err)
	}
}

func TestPasswordStoresFindThePageThatChangesAPassword(t *testing.T) {
	h := open(t, func(c *config.Config, _ *app.Options) { c.Issuer = issuer + "/auth" })
	got := h.browser().get("/.well-known/change-password")
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/auth/account/password" {
		t.Errorf("%d to %q", got.StatusCode, got.Header.Get("Location"))
	}
	// What a password store asks first, to learn whether this host says 404.
	if got := h.browser().get("/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"); got.StatusCode != http.StatusNotFound {
		t.Errorf("what does not exist answers %d", got.StatusCode)
	}
}

// RFC 9116, with the issuer in a folder: the document is the host's.
func TestSecurityTxtSaysWhomToWriteTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, func(c *config.Config, _ *app.Options) {
			c.Issuer, c.Security.Contact = issuer+"/auth", "mailto:security@example.com"
		})
		time.Sleep(5 * time.Hour)
		got := h.browser().get("/.well-known/security.txt")
		expires := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 180).Format(time.RFC3339)
		want := "Contact: mailto:security@example.com\nExpires: " + expires +
			"\nPreferred-Languages: en\nCanonical: " + issuer + "/.well-known/security.txt\n"
		if got.body != want || got.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s %s, want\n%s", got.Header.Get("Content-Type"), got.body, want)
		}
	})
}

func TestWithoutAContactThereIsNoSecurityTxt(t *testing.T) {
	if got := open(t).browser().get("/.well-known/security.txt"); got.StatusCode != http.StatusNotFound {
		t.Errorf("%d, want 404", got.StatusCode)
	}
}

func TestScopesAreDescribedInTheDeploymentsOwnWords(t *testing.T) {
	h := open(t, func(c *config.Config, _ *app.Options) {
		c.Scopes = map[string]string{"shelves:read": "See your shelves"}
	})
	h.client(client.Client{ID: "librarian", Scopes: []string{"shelves:read"}})
	b := h.browser()
	page := b.get(b.signIn("alice", asks("librarian", "scope", "openid shelves:read")).location(t).String())
	b.post("/consent", url.Values{"journey": {hidden(t, page.body)}, "answer": {"accept"}})
	for where, body := range map[string]string{"consent": page.body, "account": b.get("/account").body} {
		if !strings.Contains(body, "See your shelves") || !strings.Contains(body, "Know who you are") {
			t.Errorf("%s does not describe the scopes: %s", where, body)
		}
	}
}

// slipping runs slip, once it is set, before the second time that a user is read
// alone: the first is the proof of the password, the second its change.
type slipping struct {
	store.Store
	slip  *func()
	alone int
}

func (s *slipping) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	if slip := *s.slip; slip != nil && len(keys) == 1 && strings.HasPrefix(keys[0], "user/") {
		if s.alone++; s.alone == 2 {
			*s.slip = nil
			slip()
		}
	}
	return s.Store.Get(ctx, keys...)
}

func TestACodeIsWorthNothingOnceTheConsentWasWithdrawn(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.allow("alice")
	code := b.get(authorize(asks("third"))).location(t).Query().Get("code")
	account := b.get("/account")
	b.withdraw("third", hidden(t, account.body))
	if got := h.token("third", redeem(code)); got.Error != "invalid_grant" {
		t.Errorf("redeemed after the withdrawal: %+v", got)
	}
}
