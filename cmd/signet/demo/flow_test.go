package demo

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// textOf is what the element with this id shows.
func (p page) textOf(t *testing.T, id string) string {
	t.Helper()
	m := regexp.MustCompile(`(?s)id="` + id + `"[^>]*>(.*?)</`).FindStringSubmatch(p.body)
	if m == nil {
		t.Fatalf("the page has no element %q:\n%s", id, p.body)
	}
	return strings.TrimSpace(m[1])
}

func TestOneSignInIsGoodForBothServicesWithOneSession(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	first := b.signIn(town.orders)
	first.wants(t, http.StatusOK, "Hello, ", "Alice &lt;Adler&gt;", "Brass portholes", "no request to the issuer", "You proved who you are")
	if got := first.Request.URL.String(); got != town.orders.URL+"/" {
		t.Errorf("the sign-in ended at %s, want the page itself", got)
	}
	if got := first.textOf(t, "roles"); !strings.Contains(got, "clerk") {
		t.Errorf("roles = %q, want clerk", got)
	}

	// A second has to pass: auth_time has no finer grain.
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(1100 * time.Millisecond)))
	second := b.get(town.invoices.URL + "/signin")
	second.wants(t, http.StatusOK, "Alice &lt;Adler&gt;", "Order O-1042", "Nobody asked you anything")
	if one, other := first.textOf(t, "sid"), second.textOf(t, "sid"); one != other || one == "" {
		t.Errorf("sessions = %q and %q, want the same", one, other)
	}
	b.get(town.orders.URL+"/").wants(t, http.StatusOK, "Alice &lt;Adler&gt;") // one cookie does not displace the other
}

func TestTheNewsOfASignInIsToldOnce(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders).wants(t, http.StatusOK, `id="arrival"`)
	b.get(town.orders.URL+"/").lacks(t, `id="arrival"`)
}

func TestAServiceAsksItsPeerWithThePersonsToken(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	asked := b.get(town.orders.URL + "/ask")
	asked.wants(t, http.StatusOK, "GET "+town.invoices.URL+"/api/invoices", "200 OK", `id="took"`, "Order O-1041",
		"demo-orders", town.subject, "verified it by itself")
}

func TestTheAPISaysWhoAskedAndTakesNoIDToken(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	raw, _, err := sessionOf(t, town.orders).bearer()
	if err != nil {
		t.Fatal(err)
	}
	with := http.Header{"Authorization": {"Bearer " + raw}}
	good := newBrowser(t).do(http.MethodGet, town.invoices.URL+"/api/invoices", nil, with)
	good.wants(t, http.StatusOK)
	var said listing
	if err := json.Unmarshal([]byte(good.body), &said); err != nil {
		t.Fatal(err)
	}
	if said.AskedBy != (asker{town.subject, "demo-orders"}) || len(said.Records) != 4 {
		t.Errorf("answer = %+v, want alice through demo-orders and 4 records", said)
	}
	// The ID token of the same person is not an access token.
	with.Set("Authorization", "Bearer "+sessionOf(t, town.orders).idToken)
	newBrowser(t).do(http.MethodGet, town.invoices.URL+"/api/invoices", nil, with).wants(t, http.StatusUnauthorized)
}

func TestSigningOutEndsTheSessionHereAndAtTheIssuer(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	out := b.do(http.MethodPost, town.orders.URL+"/signout", nil, nil)
	out.wants(t, http.StatusOK, "You are signed out, here and at the issuer.", "Sign in")
	if out.Request.URL.Host != strings.TrimPrefix(town.orders.URL, "http://") {
		t.Errorf("ended at %s, want back at orders", out.Request.URL)
	}
	b.get(town.orders.URL+"/").lacks(t, "Hello", "You are signed out") // said once
	b.get(town.orders.URL+"/signin").wants(t, http.StatusOK, `name="password"`)
}

func TestOnlyTheBrowserThatSignedOutIsToldSo(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	b.do(http.MethodPost, town.orders.URL+"/signout", nil, nil)
	state := town.orders.leavings.add(leaving{binding: "another browser's binding"})
	b.get(town.orders.URL+"/?state="+state).lacks(t, "You are signed out")
}

// expire makes the session's token one that has just expired.
func expire(t *testing.T, d *desk, refresh bool) {
	t.Helper()
	s := sessionOf(t, d)
	tokens, err := s.source.Token()
	if err != nil {
		t.Fatal(err)
	}
	known, err := d.issuer.discovered(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old := &oauth2.Token{AccessToken: tokens.AccessToken, Expiry: time.Now().Add(-time.Second)}
	if refresh {
		old.RefreshToken = tokens.RefreshToken
	}
	s.renewable = refresh
	s.source = known.TokenSource(d.issuer.context(context.Background()), old)
}

func TestAnExpiredTokenIsRefreshedOnTheWay(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders).lacks(t, `id="renewed"`)
	expire(t, town.orders, true)
	b.get(town.orders.URL+"/").wants(t, http.StatusOK, "Hello", `id="renewed"`)
	b.get(town.orders.URL+"/").lacks(t, `id="renewed"`)
}

func TestASessionThatEndedAtTheIssuerEndsHereWithASentenceWhy(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	b.get(town.invoices.URL+"/signin").wants(t, http.StatusOK, "Hello")
	b.do(http.MethodPost, town.invoices.URL+"/signout", nil, nil)

	expire(t, town.orders, true)
	b.get(town.orders.URL+"/").wants(t, http.StatusOK, "Your session at the issuer has ended", `href="/signin"`)
	b.get(town.orders.URL+"/").lacks(t, "Hello", "has ended")
}

func TestASessionWithoutRefreshTokenEndsWithItsAccessToken(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	expire(t, town.orders, false)
	b.get(town.orders.URL+"/").wants(t, http.StatusOK, "has ended", "Sign in")
}

func TestAnIssuerThatIsAwayEndsNoSession(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	expire(t, town.orders, true)
	town.down.Store(true)
	b.get(town.orders.URL+"/").wants(t, http.StatusServiceUnavailable, "The issuer does not answer")
	town.down.Store(false)
	b.get(town.orders.URL+"/").wants(t, http.StatusOK, "Hello")
}

func TestAPageOfAGoodTokenNeedsNoIssuer(t *testing.T) {
	town, b := newTown(t), newBrowser(t)
	b.signIn(town.orders)
	town.issuerServer.CloseClientConnections()
	town.issuerServer.Close()
	b.get(town.orders.URL+"/").wants(t, http.StatusOK, "Hello")
	b.get(town.orders.URL+"/ask").wants(t, http.StatusOK, "503 Service Unavailable") // invoices never met the issuer
}
