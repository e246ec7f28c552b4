package app_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/session"
)

var (
	frameSource = regexp.MustCompile(`<iframe src="([^"]*)"`)
	framePolicy = regexp.MustCompile(`frame-src ([^;]*);`)
	onwardLink  = regexp.MustCompile(`id="onward" href="([^"]*)"`)
)

// framed are the addresses that a page loads.
func framed(page string) []string {
	var out []string
	for _, m := range frameSource.FindAllStringSubmatch(page, -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	return out
}

// listeners registers clients that want to hear of a sign-out in the browser.
func (h *house) listeners() {
	h.t.Helper()
	bye := []string{"https://app.example/bye"}
	h.client(client.Client{
		ID: "named", FirstParty: true, RedirectURIs: []string{callback}, PostLogoutRedirectURIs: bye,
		FrontchannelLogoutURI: "https://app.example/ended?keep=1&sid=mine", FrontchannelLogoutSession: true,
	})
	h.client(client.Client{
		ID: "plain", FirstParty: true, RedirectURIs: []string{callback}, FrontchannelLogoutURI: "https://app.example/over?x=1",
	})
	h.client(client.Client{
		ID: "unused", FirstParty: true, RedirectURIs: []string{callback}, FrontchannelLogoutURI: "https://app.example/never",
	})
}

// Front-Channel Logout 1.0 §3: each client of the session is loaded with iss and
// sid if it registered for them, and the browser goes on afterwards.
func TestSigningOutLoadsTheClientsOfTheSessionOnTheWayBack(t *testing.T) {
	h := open(t)
	h.listeners()
	elsewhere := h.browser()
	h.token("unused", redeem(elsewhere.code("alice", "unused")))
	b := h.browser()
	h.token("plain", redeem(b.code("alice", "plain")))
	b.get(authorize(asks("orders")))
	got := h.token("named", redeem(b.get(authorize(asks("named"))).location(t).Query().Get("code")))
	sid, _ := claims(t, got.IDToken)["sid"].(string)
	q := url.Values{"id_token_hint": {got.IDToken}, "post_logout_redirect_uri": {"https://app.example/bye"}, "state": {"x y"}}
	page := b.get("/logout?" + q.Encode())
	if page.StatusCode != http.StatusOK {
		t.Fatalf("signing out answered %d", page.StatusCode)
	}
	want := []string{
		"https://app.example/over?x=1",
		"https://app.example/ended?keep=1&sid=mine&" + url.Values{"iss": {issuer}, "sid": {sid}}.Encode(),
	}
	if frames := framed(page.body); !slices.Equal(frames, want) {
		t.Errorf("the page loads %q, want %q", frames, want)
	}
	policy := page.Header.Get("Content-Security-Policy")
	if m := framePolicy.FindStringSubmatch(policy); m == nil || m[1] != "https://app.example/over https://app.example/ended" {
		t.Errorf("the policy is %s", policy)
	}
	if m := onwardLink.FindStringSubmatch(page.body); m == nil || m[1] != "https://app.example/bye?state=x&#43;y" {
		t.Errorf("the page goes on to %q", m)
	}
	if u := b.get(authorize(asks("orders", "prompt", "none"))).location(t); u.Query().Get("error") != "login_required" {
		t.Errorf("still signed in: %s", u)
	}
	if u := elsewhere.get(authorize(asks("orders", "prompt", "none"))).location(t); u.Query().Get("code") == "" {
		t.Errorf("the other browser was signed out: %s", u)
	}
}

func TestSigningOutHereLoadsTheClientsToo(t *testing.T) {
	h := open(t)
	h.listeners()
	b := h.browser()
	h.token("plain", redeem(b.code("alice", "plain")))
	done := b.post("/logout", url.Values{"request": {hidden(t, b.get("/logout").body)}, "answer": {"yes"}})
	if done.StatusCode != http.StatusOK || !strings.Contains(done.body, "You are signed out") {
		t.Errorf("signing out: %d %s", done.StatusCode, done.body)
	}
	if frames := framed(done.body); !slices.Equal(frames, []string{"https://app.example/over?x=1"}) {
		t.Errorf("the page loads %q", frames)
	}
	if strings.Contains(done.body, "<script") || strings.Contains(done.body, "refresh") {
		t.Error("the page goes on by itself, and has nowhere to go")
	}
}

// A page that nobody asked for from here would let anybody find out who is here.
func TestOnlyASignOutLoadsClients(t *testing.T) {
	h := open(t)
	h.listeners()
	b := h.browser()
	got := h.token("named", redeem(b.code("alice", "named")))
	if page := b.get("/logout"); len(framed(page.body)) != 0 {
		t.Error("the question loads clients")
	}
	hint := "/logout?" + url.Values{"id_token_hint": {got.IDToken}}.Encode()
	b.get(hint)
	if again := b.get(hint); len(framed(again.body)) != 0 {
		t.Error("who is signed out already loads clients")
	}
}

// state is the cookie that a script of ours compares with.
func (b *browser) state() string {
	b.h.t.Helper()
	at, err := url.Parse(issuer)
	if err != nil {
		b.h.t.Fatal(err)
	}
	for _, c := range b.jar.Cookies(at) {
		if c.Name == "signet_state" {
			return c.Value
		}
	}
	return ""
}

// Session Management 1.0 §2 and §3.2: the answer says what the frame compares
// with, and signing in or out changes it.
func TestAnAnswerSaysTheStateOfTheBrowserAndSigningOutChangesIt(t *testing.T) {
	h := open(t)
	b := h.browser()
	if b.state() != "" {
		t.Error("nobody has a state")
	}
	b.code("alice", "orders")
	first := b.state()
	to := b.get(authorize(asks("orders"))).location(t)
	given := to.Query().Get("session_state")
	_, salt, _ := strings.Cut(given, ".")
	if want := session.State("orders", "https://app.example", first, salt); first == "" || salt == "" || given != want {
		t.Errorf("session_state = %q, want %q for the cookie %q", given, want, first)
	}
	if again := b.get(authorize(asks("orders"))).location(t).Query().Get("session_state"); again == given {
		t.Error("two answers have one salt")
	}
	b.post("/logout", url.Values{"request": {hidden(t, b.get("/logout").body)}, "answer": {"yes"}})
	if b.state() != "" {
		t.Errorf("signed out, the state is %q", b.state())
	}
	b.code("alice", "orders")
	if second := b.state(); second == "" || second == first {
		t.Errorf("the next session has the state %q", second)
	}
}

// Session Management 1.0 §3.2: the frame is for every origin, and the same for
// everybody; Discovery names it.
func TestThePageThatClientsFrameReadsNothingOfTheRequest(t *testing.T) {
	h := open(t)
	at, _ := h.document(wellKnown)["check_session_iframe"].(string)
	if at != issuer+"/session/check" {
		t.Fatalf("check_session_iframe = %q", at)
	}
	b := h.browser()
	b.code("alice", "orders")
	plain := regexp.MustCompile(`nonce="[^"]*"`)
	signedIn, nobody := b.get("/session/check"), h.browser().get("/session/check")
	if a, b := plain.ReplaceAllString(signedIn.body, ""), plain.ReplaceAllString(nobody.body, ""); a != b || !strings.Contains(a, `"signet_state"`) {
		t.Errorf("the page differs by who asks, or does not name the cookie:\n%s", a)
	}
	if p := nobody.Header.Get("Content-Security-Policy"); !strings.Contains(p, "frame-ancestors *") || nobody.Header.Get("X-Frame-Options") != "" {
		t.Errorf("the page can't be framed: %s", p)
	}
	if len(nobody.Cookies()) != 0 {
		t.Errorf("the page sets %v", nobody.Cookies())
	}
}

// Discovery: what is said of signing out is what the endpoints do.
func TestTheMetadataSaysHowClientsHearOfASignOut(t *testing.T) {
	doc := open(t).document(wellKnown)
	for _, member := range []string{
		"backchannel_logout_supported", "backchannel_logout_session_supported",
		"frontchannel_logout_supported", "frontchannel_logout_session_supported",
	} {
		if doc[member] != true {
			t.Errorf("%s = %v", member, doc[member])
		}
	}
	for member, path := range map[string]string{"status_list_aggregation_endpoint": "/status", "status_stream_endpoint": "/status/stream"} {
		if doc[member] != issuer+path {
			t.Errorf("%s = %v", member, fmt.Sprint(doc[member]))
		}
	}
}
