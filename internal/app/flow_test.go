package app_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/user"
)

func testNow() time.Time { return time.Now() }

func TestSignInOnceGetTokensAndRefreshThem(t *testing.T) {
	h := open(t)
	code := h.browser().code("alice", "orders", "scope", "openid profile email roles orders:read", "resource", "https://orders.example")
	got := h.token("orders", redeem(code))
	if got.Status != http.StatusOK || got.TokenType != "Bearer" || got.ExpiresIn != 600 {
		t.Fatalf("token answer: %+v", got)
	}
	access := claims(t, got.AccessToken)
	for name, want := range map[string]any{
		"iss": issuer, "sub": h.alice.Subject, "aud": "https://orders.example", "client_id": "orders",
		"scope": "openid profile email roles orders:read", "acr": "1",
	} {
		if access[name] != want {
			t.Errorf("access token %s = %v, want %v", name, access[name], want)
		}
	}
	if roles, _ := json.Marshal(access["roles"]); string(roles) != `["clerk"]` {
		t.Errorf("roles = %s", roles)
	}
	id := claims(t, got.IDToken)
	for name, want := range map[string]any{
		"iss": issuer, "sub": h.alice.Subject, "aud": "orders", "nonce": "n-0S6_WzA2Mj", "sid": access["sid"], "auth_time": access["auth_time"],
	} {
		if id[name] != want {
			t.Errorf("ID token %s = %v, want %v", name, id[name], want)
		}
	}
	if id["at_hash"] == nil || id["rat"] != nil || id["email"] != nil {
		t.Errorf("ID token claims: %v", id)
	}
	again := h.token("orders", refresh(got.RefreshToken))
	if again.Status != http.StatusOK || again.RefreshToken == got.RefreshToken || again.AccessToken == got.AccessToken {
		t.Fatalf("refresh answer: %+v", again)
	}
	if fresh := claims(t, again.IDToken); fresh["auth_time"] != id["auth_time"] || fresh["nonce"] != nil {
		t.Errorf("refreshed ID token: %v", fresh)
	}
	info := h.userinfo(again.AccessToken)
	var who map[string]any
	if err := json.Unmarshal([]byte(info.body), &who); err != nil || who["sub"] != h.alice.Subject || who["email"] != "alice@example.com" {
		t.Errorf("userinfo %d: %s", info.StatusCode, info.body)
	}
}

func TestASecondClientAsksNothing(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.code("alice", "orders")
	got := b.get(authorize(asks("spa")))
	if u := got.location(t); u.Host != "app.example" || u.Query().Get("code") == "" || u.Query().Get("state") != "af0ifjsldkj" || u.Query().Get("iss") != issuer {
		t.Errorf("second client got %s", u)
	}
}

func TestAThirdPartyIsAskedAboutOnceAndCanBeDenied(t *testing.T) {
	h := open(t)
	b := h.browser()
	consent := b.signIn("alice", asks("third"))
	page := b.get(consent.location(t).String())
	if !strings.Contains(page.body, `id="consent-accept"`) {
		t.Fatalf("no consent page: %s", page.body)
	}
	denied := b.post("/consent", url.Values{"journey": {hidden(t, page.body)}, "answer": {"deny"}})
	if u := b.get(denied.location(t).String()).location(t); u.Query().Get("error") != "access_denied" || u.Query().Get("state") != "af0ifjsldkj" {
		t.Errorf("deny answered %s", u)
	}
	accepted := b.post("/consent", url.Values{"journey": {hidden(t, page.body)}, "answer": {"accept"}})
	if u := b.get(accepted.location(t).String()).location(t); u.Query().Get("code") == "" {
		t.Errorf("accept answered %s", u)
	}
	if u := b.get(authorize(asks("third"))).location(t); u.Query().Get("code") == "" {
		t.Errorf("the answer was not remembered: %s", u)
	}
}

func TestCancelOnTheSignInPageAnswersAccessDenied(t *testing.T) {
	h := open(t)
	b := h.browser()
	page := b.get(b.get(authorize(asks("orders"))).location(t).String())
	got := b.post("/signin", url.Values{"journey": {hidden(t, page.body)}, "action": {"cancel"}})
	if u := b.get(got.location(t).String()).location(t); u.Query().Get("error") != "access_denied" || u.Query().Get("iss") != issuer {
		t.Errorf("cancel answered %s", u)
	}
}

func TestAWrongPasswordIsToldWithoutSayingWhichIsWrong(t *testing.T) {
	h := open(t)
	var bodies []string
	for _, login := range []string{"alice", "nobody"} {
		b := h.browser()
		page := b.get(b.get(authorize(asks("orders"))).location(t).String())
		got := b.post("/signin", url.Values{"journey": {hidden(t, page.body)}, "login": {login}, "password": {"wrong"}})
		if got.StatusCode != http.StatusUnprocessableEntity || len(got.Cookies()) != 0 {
			t.Errorf("%s: %d, cookies %v", login, got.StatusCode, got.Cookies())
		}
		body := strings.ReplaceAll(got.body, login, "LOGIN")
		bodies = append(bodies, hiddenField.ReplaceAllString(body, ""))
	}
	if bodies[0] != bodies[1] {
		t.Error("the page differs between a known and an unknown login")
	}
}

func TestAJourneyWorksOnlyInTheBrowserWhereItBegan(t *testing.T) {
	h := open(t)
	b := h.browser()
	page := b.get(b.get(authorize(asks("orders"))).location(t).String())
	stranger := h.browser()
	got := stranger.post("/signin", url.Values{"journey": {hidden(t, page.body)}, "login": {"alice"}, "password": {password}})
	if got.StatusCode != http.StatusBadRequest || len(got.Cookies()) != 0 {
		t.Errorf("another browser signed in: %d %v", got.StatusCode, got.Cookies())
	}
}

func TestSigningInAgainKeepsTheSidAndKillsTheOldCookie(t *testing.T) {
	h := open(t)
	b := h.browser()
	first := h.token("orders", redeem(b.code("alice", "orders")))
	old := h.browser()
	at, _ := url.Parse(issuer)
	old.jar.SetCookies(at, b.jar.Cookies(at))
	second := h.token("orders", redeem(b.code("alice", "orders", "prompt", "login")))
	if a, b := claims(t, first.IDToken)["sid"], claims(t, second.IDToken)["sid"]; a != b {
		t.Errorf("sid changed from %v to %v", a, b)
	}
	if u := old.get(authorize(asks("orders"))).location(t); u.Path != "/signin" {
		t.Errorf("the cookie from before is still good: %s", u)
	}
	if got := h.token("orders", refresh(first.RefreshToken)); got.Status != http.StatusOK {
		t.Errorf("the first grant did not live on: %+v", got)
	}
}

func TestSigningInAsSomebodyElseEndsTheOtherSession(t *testing.T) {
	h := open(t)
	b := h.browser()
	hers := h.token("orders", redeem(b.code("alice", "orders")))
	b.code("bob", "orders", "prompt", "login")
	if got := h.token("orders", refresh(hers.RefreshToken)); got.Error != "invalid_grant" {
		t.Errorf("the other person's grant lives on: %+v", got)
	}
}

func TestPromptNoneNeverShowsAPage(t *testing.T) {
	h := open(t)
	b := h.browser()
	if u := b.get(authorize(asks("orders", "prompt", "none"))).location(t); u.Query().Get("error") != "login_required" {
		t.Errorf("nobody signed in: %s", u)
	}
	b.code("alice", "orders")
	if u := b.get(authorize(asks("orders", "prompt", "none"))).location(t); u.Query().Get("code") == "" {
		t.Errorf("signed in: %s", u)
	}
	if u := b.get(authorize(asks("third", "prompt", "none"))).location(t); u.Query().Get("error") != "consent_required" {
		t.Errorf("third party: %s", u)
	}
}

func TestSignOutEndsTheSessionAndItsGrants(t *testing.T) {
	h := open(t)
	b := h.browser()
	got := h.token("orders", redeem(b.code("alice", "orders")))
	q := url.Values{"id_token_hint": {got.IDToken}, "post_logout_redirect_uri": {"https://app.example/bye"}, "state": {"x y"}}
	out := b.get("/logout?" + q.Encode())
	if u := out.location(t); u.String() != "https://app.example/bye?state=x+y" {
		t.Errorf("went to %s", u)
	}
	if u := b.get(authorize(asks("orders", "prompt", "none"))).location(t); u.Query().Get("error") != "login_required" {
		t.Errorf("still signed in: %s", u)
	}
	if again := h.token("orders", refresh(got.RefreshToken)); again.Status != http.StatusBadRequest || again.Error != "invalid_grant" {
		t.Errorf("refresh after sign-out: %+v", again)
	}
	info := h.userinfo(got.AccessToken)
	if info.StatusCode != http.StatusUnauthorized || !strings.Contains(info.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("userinfo after sign-out: %d %s", info.StatusCode, info.Header)
	}
}

func TestSignOutWithoutAFittingHintAsksAndStaysHere(t *testing.T) {
	h := open(t)
	b := h.browser()
	got := h.token("orders", redeem(b.code("alice", "orders")))
	bobs := h.token("orders", redeem(h.browser().code("bob", "orders")))
	for name, q := range map[string]url.Values{
		"no parameters":          {},
		"no hint":                {"post_logout_redirect_uri": {"https://app.example/bye"}},
		"somebody else's hint":   {"id_token_hint": {bobs.IDToken}},
		"an access token":        {"id_token_hint": {got.AccessToken}, "post_logout_redirect_uri": {"https://app.example/bye"}},
		"a hint of another make": {"id_token_hint": {"eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."}, "post_logout_redirect_uri": {"https://app.example/bye"}},
	} {
		page := b.get("/logout?" + q.Encode())
		if page.StatusCode != http.StatusOK || !strings.Contains(page.body, `id="logout-yes"`) {
			t.Errorf("%s: %d %s", name, page.StatusCode, page.Header.Get("Location"))
		}
	}
	if bad := b.get("/logout?" + url.Values{"id_token_hint": {got.IDToken}, "post_logout_redirect_uri": {"https://app.example/bye?x=1"}}.Encode()); bad.StatusCode != http.StatusBadRequest {
		t.Errorf("unregistered address: %d", bad.StatusCode)
	}
	page := b.get("/logout")
	done := b.post("/logout", url.Values{"request": {hidden(t, page.body)}, "answer": {"yes"}})
	if done.StatusCode != http.StatusOK || !strings.Contains(done.body, "You are signed out") {
		t.Errorf("signed out: %d %s", done.StatusCode, done.body)
	}
	if again := h.token("orders", refresh(got.RefreshToken)); again.Error != "invalid_grant" {
		t.Errorf("refresh after sign-out: %+v", again)
	}
}

func TestADisabledUserGetsNothingMore(t *testing.T) {
	h := open(t)
	b := h.browser()
	got := h.token("orders", redeem(b.code("alice", "orders")))
	code := b.get(authorize(asks("orders"))).location(t).Query().Get("code")
	h.disable(h.alice.Subject)
	if again := h.token("orders", redeem(code)); again.Error != "invalid_grant" {
		t.Errorf("code: %+v", again)
	}
	if again := h.token("orders", refresh(got.RefreshToken)); again.Error != "invalid_grant" {
		t.Errorf("refresh: %+v", again)
	}
	if to := b.get(authorize(asks("orders"))).location(t); to.Path != "/signin" {
		t.Errorf("authorize: %s", to)
	}
	if info := h.userinfo(got.AccessToken); info.StatusCode != http.StatusUnauthorized {
		t.Errorf("userinfo: %d", info.StatusCode)
	}
}

func TestTheTokenEndpointTakesOnlyFormsAndNoSecretsInTheURL(t *testing.T) {
	h := open(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost,
		"/token?client_id=robot&client_secret="+h.secret.Reveal(), strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if got := h.parse(h.serve(r)); got.Error != "invalid_client" || got.Status != http.StatusUnauthorized {
		t.Errorf("secret in the URL: %+v", got)
	}
	r = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", strings.NewReader(`{"grant_type":"client_credentials"}`))
	r.Header.Set("Content-Type", "application/json")
	if got := h.parse(h.serve(r)); got.Error != "invalid_request" {
		t.Errorf("JSON body: %+v", got)
	}
}

// A sign-in that raced with a change of the password was proved with the old one,
// and what a crash left of an ending is worth as little.
func TestASessionProvedWithAnOldPasswordIsWorthNothing(t *testing.T) {
	h := open(t)
	b := h.browser()
	got := h.token("orders", redeem(b.code("alice", "orders")))
	code := b.get(authorize(asks("orders"))).location(t).Query().Get("code")
	// Of another epoch, with nothing removed: what still works afterwards works by
	// mistake.
	if _, err := h.Operator.Users.Update(t.Context(), h.alice.Subject, func(u *user.User) error { u.Epoch++; return nil }); err != nil {
		t.Fatal(err)
	}
	if u := b.get(authorize(asks("orders"))).location(t); u.Path != "/signin" {
		t.Errorf("authorize: %s", u)
	}
	if again := h.token("orders", redeem(code)); again.Error != "invalid_grant" {
		t.Errorf("code: %+v", again)
	}
	if again := h.token("orders", refresh(got.RefreshToken)); again.Error != "invalid_grant" {
		t.Errorf("refresh: %+v", again)
	}
}

func TestTheOperatorsSocketIsClosedToOthersFromTheFirstMoment(t *testing.T) {
	dir := t.TempDir()
	h := open(t, func(cfg *config.Config, _ *app.Options) {
		cfg.HTTP.Address, cfg.Admin.Socket = "127.0.0.1:0", filepath.Join(dir, "s.sock")
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if info, err := os.Stat(filepath.Join(dir, "s.sock")); err == nil {
			if info.Mode().Perm() != 0o600 {
				t.Errorf("the socket has mode %v", info.Mode())
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no socket")
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAPasswordInTheURLSignsNobodyIn(t *testing.T) {
	h := open(t)
	b := h.browser()
	page := b.get(b.get(authorize(asks("orders"))).location(t).String())
	inURL := url.Values{"login": {"alice"}, "password": {password}}
	got := b.post("/signin?"+inURL.Encode(), url.Values{"journey": {hidden(t, page.body)}})
	if got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("signed in by the URL: %d", got.StatusCode)
	}
}
