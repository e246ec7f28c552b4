package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// How fresh a sign-in must be, end to end, in virtual time (OpenID Connect Core
// §3.1.2.1 and §2).

// authTime redeems the code of an answer and returns when the person signed in.
func (h *house) authTime(to *url.URL) int64 {
	h.t.Helper()
	code := to.Query().Get("code")
	if code == "" {
		h.t.Fatalf("no code in %s", to)
	}
	at, ok := claims(h.t, h.token("orders", redeem(code)).IDToken)["auth_time"].(float64)
	if !ok {
		h.t.Fatal("the ID token has no auth_time")
	}
	return int64(at)
}

func TestASilentSignInKeepsTheTimeOfTheRealOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		b := h.browser()
		first := h.authTime(b.signIn("alice", asks("orders")).location(t))
		for _, change := range [][]string{{}, {"prompt", "none"}, {"max_age", "3600"}, {"max_age", "3600", "prompt", "none"}} {
			time.Sleep(10 * time.Minute)
			if again := h.authTime(b.get(authorize(asks("orders", change...))).location(t)); again != first {
				t.Errorf("%v: auth_time moved from %d to %d", change, first, again)
			}
		}
	})
}

func TestPromptLoginAsksAgainAndTheTimeIsStrictlyNewer(t *testing.T) {
	for _, prompt := range []string{"login", "select_account"} {
		t.Run(prompt, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t)
				b := h.browser()
				first := h.authTime(b.signIn("alice", asks("orders")).location(t))
				time.Sleep(time.Second)
				if to := b.get(authorize(asks("orders", "prompt", prompt))).location(t); to.Path != "/signin" {
					t.Fatalf("went to %s, want the sign-in page", to)
				}
				// signIn ends where the client is answered: the loop ends.
				if again := h.authTime(b.signIn("alice", asks("orders", "prompt", prompt)).location(t)); again <= first {
					t.Errorf("auth_time %d is not newer than %d", again, first)
				}
			})
		})
	}
}

func TestMaxAgeAsksWhoSignedInTooLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		b := h.browser()
		first := h.authTime(b.signIn("alice", asks("orders", "max_age", "60")).location(t))
		time.Sleep(59 * time.Second)
		if again := h.authTime(b.get(authorize(asks("orders", "max_age", "60"))).location(t)); again != first {
			t.Errorf("after 59 s: auth_time moved from %d to %d", first, again)
		}
		time.Sleep(2 * time.Second)
		if to := b.get(authorize(asks("orders", "max_age", "60"))).location(t); to.Path != "/signin" {
			t.Errorf("after 61 s: %s", to)
		}
		silent := b.get(authorize(asks("orders", "max_age", "60", "prompt", "none"))).location(t)
		if silent.Query().Get("error") != "login_required" {
			t.Errorf("after 61 s, silently: %s", silent)
		}
		if again := h.authTime(b.signIn("alice", asks("orders", "max_age", "60")).location(t)); again <= first {
			t.Errorf("after signing in again: auth_time %d is not newer than %d", again, first)
		}
	})
}

func TestMaxAgeZeroIsAValueAndAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		b := h.browser()
		first := h.authTime(b.signIn("alice", asks("orders")).location(t))
		time.Sleep(time.Second)
		if to := b.get(authorize(asks("orders", "max_age", "0"))).location(t); to.Path != "/signin" {
			t.Fatalf("went to %s", to)
		}
		if again := h.authTime(b.signIn("alice", asks("orders", "max_age", "0")).location(t)); again <= first {
			t.Errorf("auth_time %d is not newer than %d", again, first)
		}
	})
}

// OpenID Connect Core §3.1.2.2: a hint may have expired; the session decides.
func TestAnExpiredHintIsGoodForAskingAndForSigningOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		b := h.browser()
		got := h.token("orders", redeem(b.code("alice", "orders")))
		time.Sleep(3 * time.Hour)
		if exp, _ := claims(t, got.IDToken)["exp"].(float64); int64(exp) >= time.Now().Unix() {
			t.Fatal("the hint has not expired")
		}
		u := b.get(authorize(asks("orders", "prompt", "none", "id_token_hint", got.IDToken))).location(t)
		if u.Query().Get("code") == "" {
			t.Errorf("asking: %s", u)
		}
		out := url.Values{"id_token_hint": {got.IDToken}, "post_logout_redirect_uri": {"https://app.example/bye"}}
		if to := b.get("/logout?" + out.Encode()).location(t); to.String() != "https://app.example/bye" {
			t.Errorf("signing out: %s", to)
		}
	})
}

func TestAHintForSomebodyElseIsNeverAnsweredWithThisPerson(t *testing.T) {
	h := open(t)
	bobs := h.token("orders", redeem(h.browser().code("bob", "orders"))).IDToken
	b := h.browser()
	b.code("alice", "orders")
	if u := b.get(authorize(asks("orders", "prompt", "none", "id_token_hint", bobs))).location(t); u.Query().Get("error") != "login_required" {
		t.Errorf("silently: %s", u)
	}
	if to := b.get(authorize(asks("orders", "id_token_hint", bobs))).location(t); to.Path != "/signin" {
		t.Errorf("with a page: %s", to)
	}
	if u := b.signIn("alice", asks("orders", "id_token_hint", bobs)).location(t); u.Query().Get("error") != "login_required" {
		t.Errorf("signed in as alice all the same: %s", u)
	}
}

// OpenID Connect Core §12.2: a refreshed ID token tells of the same sign-in.
func TestARefreshedIDTokenKeepsWhoAndWhenAndIsNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		got := h.token("orders", redeem(h.browser().code("alice", "orders")))
		time.Sleep(time.Hour)
		before, after := claims(t, got.IDToken), claims(t, h.token("orders", refresh(got.RefreshToken)).IDToken)
		for _, name := range []string{"iss", "sub", "aud", "auth_time", "sid", "acr"} {
			if before[name] != after[name] || after[name] == nil {
				t.Errorf("%s changed from %v to %v", name, before[name], after[name])
			}
		}
		if after["iat"].(float64) <= before["iat"].(float64) {
			t.Errorf("iat %v is not newer than %v", after["iat"], before["iat"])
		}
	})
}

// The whole walk by POST, as a client with a long request makes it.
func TestAPostedRequestEndsAsAGottenOne(t *testing.T) {
	h := open(t)
	b := h.browser()
	page := b.get(b.post("/authorize", asks("orders")).location(t).String())
	in := b.post("/signin", url.Values{"journey": {hidden(t, page.body)}, "login": {"alice"}, "password": {password}})
	u := b.get(in.location(t).String()).location(t)
	if u.Host != "app.example" || u.Query().Get("state") != "af0ifjsldkj" || u.Query().Get("iss") != issuer {
		t.Errorf("answered %s", u)
	}
	if got := h.token("orders", redeem(u.Query().Get("code"))); got.Status != http.StatusOK {
		t.Errorf("token answer: %+v", got)
	}
}

func TestTheLoginHintIsOnThePage(t *testing.T) {
	h := open(t)
	b := h.browser()
	page := b.get(b.get(authorize(asks("orders", "login_hint", "alice@example.com"))).location(t).String())
	if !strings.Contains(page.body, `value="alice@example.com"`) {
		t.Error("the field is empty")
	}
}

// OpenID Connect Core §3.1.2.4, §11: consent is asked for again when the request says so.
func TestPromptConsentAsksAgainAndOfflineAccessIsGranted(t *testing.T) {
	h := open(t)
	b := h.browser()
	got := b.allow("alice", "scope", "openid offline_access", "prompt", "consent")
	if got.RefreshToken == "" || got.Scope != "openid offline_access" {
		t.Errorf("got scope %q, refresh token %v", got.Scope, got.RefreshToken != "")
	}
	if to := b.get(authorize(asks("third", "scope", "openid offline_access", "prompt", "consent"))).location(t); to.Path != "/consent" {
		t.Errorf("went to %s", to)
	}
	if u := b.get(authorize(asks("third", "scope", "openid offline_access"))).location(t); u.Query().Get("code") == "" {
		t.Errorf("without the prompt the answer is forgotten: %s", u)
	}
}

// The attacker's browser has a journey cookie too, of another journey: login CSRF.
func TestAJourneyIsNotCarriedOnInABrowserWithAJourneyOfItsOwn(t *testing.T) {
	h := open(t)
	attacker, victim := h.browser(), h.browser()
	page := attacker.get(attacker.get(authorize(asks("orders"))).location(t).String())
	victim.get(authorize(asks("orders")))
	form := url.Values{"journey": {hidden(t, page.body)}, "login": {"alice"}, "password": {password}}
	if got := victim.post("/signin", form); got.StatusCode != http.StatusBadRequest || len(got.Cookies()) != 0 {
		t.Errorf("signed in: %d %v", got.StatusCode, got.Cookies())
	}
	if got := victim.get("/authorize/resume?" + url.Values{"journey": {hidden(t, page.body)}}.Encode()); got.StatusCode != http.StatusBadRequest {
		t.Errorf("resumed: %d", got.StatusCode)
	}
}
