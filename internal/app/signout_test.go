package app_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// RP-Initiated Logout 1.0 §2 and §3: who names nowhere to go to is signed out,
// asked first if nothing shows that they were, and stays here. A state alone goes
// nowhere either.
func TestASignOutThatNamesNoAddressEndsOnThePageThatSaysSo(t *testing.T) {
	h := open(t)
	for name, change := range map[string]func(hint string) url.Values{
		"no parameters":          func(string) url.Values { return nil },
		"a state alone":          func(string) url.Values { return url.Values{"state": {"st-7"}} },
		"a hint":                 func(hint string) url.Values { return url.Values{"id_token_hint": {hint}} },
		"a hint and a state":     func(hint string) url.Values { return url.Values{"id_token_hint": {hint}, "state": {"st-7"}} },
		"an address and no hint": func(string) url.Values { return url.Values{"post_logout_redirect_uri": {"https://app.example/bye"}} },
	} {
		b := h.browser()
		got := h.token("orders", redeem(b.code("alice", "orders")))
		q := change(got.IDToken)
		page := b.get("/logout?" + q.Encode())
		if asked := strings.Contains(page.body, `id="logout-yes"`); asked == q.Has("id_token_hint") {
			t.Errorf("%s: asked %t", name, asked)
		}
		if !q.Has("id_token_hint") {
			page = b.post("/logout", url.Values{"request": {hidden(t, page.body)}, "answer": {"yes"}})
		}
		if page.StatusCode != http.StatusOK || !strings.Contains(page.body, "You are signed out") || strings.Contains(page.body, "st-7") {
			t.Errorf("%s: %d %s", name, page.StatusCode, page.body)
		}
		if u := b.get(authorize(asks("orders", "prompt", "none"))).location(t); u.Query().Get("error") != "login_required" {
			t.Errorf("%s: still signed in: %s", name, u)
		}
	}
}

// RP-Initiated Logout 1.0 §2: the hint is ours by its signature and nothing else.
// One that is not leads nowhere, and ends nothing without a question.
func TestAHintThatWasTamperedWithLeadsNowhere(t *testing.T) {
	h := open(t)
	b := h.browser()
	got := h.token("orders", redeem(b.code("alice", "orders")))
	parts := strings.Split(got.IDToken, ".")
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	other := strings.Split(h.token("orders", redeem(h.browser().code("bob", "orders"))).IDToken, ".")
	for name, hint := range map[string]string{
		"unsigned":                    unsigned + "." + parts[1] + ".",
		"unsigned, with a signature":  unsigned + "." + parts[1] + "." + parts[2],
		"without its signature":       parts[0] + "." + parts[1] + ".",
		"with another's signature":    parts[0] + "." + parts[1] + "." + other[2],
		"with another's claims":       parts[0] + "." + other[1] + "." + parts[2],
		"with a signature of nothing": parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
	} {
		q := url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://app.example/bye"}, "state": {"s"}}
		page := b.get("/logout?" + q.Encode())
		if page.Header.Get("Location") != "" || !strings.Contains(page.body, `id="logout-yes"`) {
			t.Errorf("%s: %d %s", name, page.StatusCode, page.Header.Get("Location"))
		}
		form := url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://app.example/bye"}}
		if nobody := h.browser().get("/logout?" + form.Encode()); nobody.Header.Get("Location") != "" {
			t.Errorf("%s sends who is not signed in to %s", name, nobody.Header.Get("Location"))
		}
	}
	if u := b.get(authorize(asks("orders", "prompt", "none"))).location(t); u.Query().Get("code") == "" {
		t.Errorf("signed out: %s", u)
	}
}
