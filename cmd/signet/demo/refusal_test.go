package demo

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func TestTheAPIRefusesWhoBringsNoToken(t *testing.T) {
	d := lone(t)
	got := newBrowser(t).get(d.URL + "/api/orders")
	got.wants(t, http.StatusUnauthorized)
	if challenge := got.Header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, "Bearer ") {
		t.Errorf("WWW-Authenticate = %q, want a Bearer challenge", challenge)
	}
	got.lacks(t, "O-1042")
}

func TestTheAPIRefusesATokenWithoutItsScope(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	known, err := town.orders.issuer.discovered(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	known.Scopes = []string{"openid", "profile", "invoices:read"}
	b.signIn(town.orders)
	raw, _, err := sessionOf(t, town.orders).bearer()
	if err != nil {
		t.Fatal(err)
	}
	got := newBrowser(t).do(http.MethodGet, town.orders.URL+"/api/orders", nil, http.Header{"Authorization": {"Bearer " + raw}})
	got.wants(t, http.StatusForbidden, "insufficient_scope")
}

func TestAnAnswerWithAnUnknownStateSignsNobodyIn(t *testing.T) {
	d, b := lone(t), newBrowser(t)
	for _, state := range []string{"", "never-heard-of"} {
		got := b.get(d.URL + "/callback?" + url.Values{"state": {state}, "code": {"c"}, "iss": {d.Issuer}}.Encode())
		got.wants(t, http.StatusBadRequest, "This sign-in can’t go on")
	}
}

func TestAnAnswerSignsInOnlyTheBrowserThatBegan(t *testing.T) {
	town, mallory, victim := newTown(t), newBrowser(t), newBrowser(t)
	at := mallory.answerFor(town.orders)
	victim.get(town.orders.URL + "/signin") // has a binding, and it is another
	victim.get(at.String()).wants(t, http.StatusBadRequest, "This sign-in can’t go on")
	victim.get(town.orders.URL+"/").lacks(t, "Hello")
}

func TestAnAnswerIsTakenOnce(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	at := b.answerFor(town.orders)
	b.get(at.String()).wants(t, http.StatusOK, "Hello")
	if _, there := town.orders.attempts.get(at.Query().Get("state")); there {
		t.Error("the attempt is still there")
	}
	b.get(at.String()).wants(t, http.StatusBadRequest, "This sign-in can’t go on")
}

func TestTwoTabsSignInWithoutUndoingEachOther(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	first := b.answerFor(town.orders)
	second, err := b.stay().get(town.orders.URL + "/signin").Location()
	if err != nil {
		t.Fatal(err)
	}
	b.get(first.String()).wants(t, http.StatusOK, "Hello")
	b.get(second.String()).wants(t, http.StatusOK, "Hello")
}

func TestASessionIsGoneOnceItsPersonHasSignedOut(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	at, err := url.Parse(town.orders.URL)
	if err != nil {
		t.Fatal(err)
	}
	kept := b.client.Jar.Cookies(at)
	b.do(http.MethodPost, town.orders.URL+"/signout", nil, nil)
	thief := newBrowser(t)
	thief.client.Jar.SetCookies(at, kept)
	thief.get(town.orders.URL+"/").lacks(t, "Hello")
}

func TestASessionWhoseTokenIsRefusedIsOver(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	s := sessionOf(t, town.orders)
	s.source = oauth2.StaticTokenSource(&oauth2.Token{AccessToken: s.idToken})
	got := b.get(town.orders.URL + "/")
	got.wants(t, http.StatusOK, "its token was refused", "Sign in")
	got.lacks(t, "Hello")
	if n := len(town.orders.sessions.places); n != 0 {
		t.Errorf("%d sessions are left, want none", n)
	}
}

func TestTheTokenFollowsNoRedirect(t *testing.T) {
	followed := make(chan string, 1)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		followed <- r.Header.Get("Authorization")
	}))
	t.Cleanup(elsewhere.Close)
	peer := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	t.Cleanup(peer.Close)
	d := lone(t)
	d.PeerURL = peer.URL
	said, err := d.askPeer(t.Context(), "the-token")
	if err != nil || said.Status != "302 Found" || said.Good {
		t.Errorf("askPeer = %+v, %v, want the redirect itself", said, err)
	}
	select {
	case token := <-followed:
		t.Errorf("it went elsewhere with %q", token)
	default:
	}
}

func TestAnAnswerOfAnotherIssuerIsRefused(t *testing.T) {
	town := newTown(t)
	for _, iss := range []string{"", "https://evil.example"} {
		b := newBrowser(t)
		at := b.answerFor(town.orders)
		q := at.Query()
		q.Set("iss", iss)
		at.RawQuery = q.Encode()
		b.get(at.String()).wants(t, http.StatusBadRequest, "This sign-in can’t go on")
	}
}

func TestAnIDTokenWithAnotherNonceIsRefused(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	at := b.answerFor(town.orders)
	tamper(town.orders, func(a *attempt) { a.nonce = "another" })
	b.get(at.String()).wants(t, http.StatusBadRequest, "This sign-in can’t go on")
}

func TestACodeIsBoundToItsVerifier(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	at := b.answerFor(town.orders)
	tamper(town.orders, func(a *attempt) { a.verifier = strings.Repeat("x", 43) })
	b.get(at.String()).wants(t, http.StatusBadRequest, "This sign-in can’t go on")
}

func TestTheRequestCarriesAllThatTheAnswerIsCheckedBy(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	sent, err := b.stay().get(town.orders.URL + "/signin").Location()
	if err != nil {
		t.Fatal(err)
	}
	q := sent.Query()
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(q.Get(name)) < 22 {
			t.Errorf("%s = %q, want a random one", name, q.Get(name))
		}
	}
	for name, want := range map[string]string{
		"code_challenge_method": "S256", "response_type": "code", "client_id": "demo-orders",
		"redirect_uri": town.orders.URL + "/callback", "scope": "openid profile email roles orders:read invoices:read",
		"resource": town.orders.URL + " " + town.invoices.URL,
	} {
		if got := strings.Join(q[name], " "); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestUserinfoAboutSomebodyElseIsRefused(t *testing.T) {
	var refused *failure
	if _, err := nameIn(&oidc.UserInfo{Subject: "eve"}, "alice"); !errors.As(err, &refused) {
		t.Errorf("nameIn = %v, want a refusal: alice signed in, not eve", err)
	}
}

func TestATokenForOtherServicesSignsNobodyIn(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	at := b.answerFor(town.orders)
	// The verifier of invoices stands in for one that the token does not name.
	stranger, err := newDesk(Service{Name: "orders", URL: "http://127.0.0.1:1", Issuer: town.issuerURL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stranger.close)
	town.orders.verifier = stranger.verifier
	b.get(at.String()).wants(t, http.StatusBadRequest, "This sign-in can’t go on")
}

func TestCancellingLeadsBackToTheLandingPage(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	sent, err := b.stay().get(town.orders.URL + "/signin").Location()
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"error": {"access_denied"}, "state": {sent.Query().Get("state")}, "iss": {town.issuerURL}}
	b.get(town.orders.URL+"/callback?"+q.Encode()).wants(t, http.StatusOK, "You chose not to sign in.", "Sign in")
}

func TestAnotherErrorOfTheIssuerIsNotRepeatedOnThePage(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	sent, err := b.stay().get(town.orders.URL + "/signin").Location()
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{
		"error": {"server_error"}, "error_description": {"call 0900-EVIL"}, "state": {sent.Query().Get("state")}, "iss": {town.issuerURL},
	}
	got := b.get(town.orders.URL + "/callback?" + q.Encode())
	got.wants(t, http.StatusBadRequest, "This sign-in can’t go on")
	got.lacks(t, "EVIL")
}

func TestAnotherSiteCanSignNobodyOut(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	for name, header := range map[string]http.Header{
		"another site":              {"Sec-Fetch-Site": {"cross-site"}},
		"the peer, on another port": {"Sec-Fetch-Site": {"same-site"}, "Origin": {town.invoices.URL}},
		"an old browser":            {"Origin": {town.invoices.URL}},
	} {
		got := b.do(http.MethodPost, town.orders.URL+"/signout", nil, header)
		got.wants(t, http.StatusForbidden, "Nothing was done")
		if !strings.Contains(b.get(town.orders.URL+"/").body, "Hello") {
			t.Errorf("%s signed the person out", name)
		}
	}
}

func TestASignInReplacesTheSessionCookie(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	at, err := url.Parse(town.orders.URL)
	if err != nil {
		t.Fatal(err)
	}
	cookie := func() string {
		for _, c := range b.client.Jar.Cookies(at) {
			if c.Name == "demo_orders" {
				return c.Value
			}
		}
		return ""
	}
	before := cookie()
	b.get(town.orders.URL + "/signin")
	if after := cookie(); after == before || after == "" {
		t.Errorf("cookie = %q before and %q after, want another", before, after)
	}
	if _, alive := town.orders.sessions.get(before); alive {
		t.Error("the session before is still good")
	}
}

func TestCookiesAreOutOfReachOfScriptsAndOtherSites(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	at := b.answerFor(town.orders)
	for where, got := range map[string]page{"signin": b.stay().get(town.orders.URL + "/signin"), "callback": b.stay().get(at.String())} {
		if len(got.Cookies()) == 0 {
			t.Errorf("%s set no cookie", where)
		}
		for _, c := range got.Cookies() {
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "demo_orders") {
				t.Errorf("%s: cookie %s, want HttpOnly, SameSite=Lax, Path=/ and no Domain", where, c)
			}
		}
	}
}
