package signettest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/signet-id/signet/pkg/signettest"
	"github.com/signet-id/signet/pkg/verify"
)

// test stands for the test function that an example would be: func TestOrders(t *testing.T).
func test(f func(t testing.TB)) {
	for _, failure := range try(f) {
		fmt.Println("FAIL:", failure)
	}
}

// orders is the service under test: it knows verify, and nothing of this package.
func orders(v *verify.Verifier) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /orders", v.Require("orders:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, _ := verify.FromContext(r.Context())
		fmt.Fprintf(w, "orders of %s", tok.Subject())
	})))
	return mux
}

func ask(h http.Handler, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A service is tested with tokens of a real issuer.
func ExampleStart() {
	test(func(t testing.TB) {
		iss := signettest.Start(t)
		api := orders(iss.Verifier(t))

		fmt.Println(ask(api, iss.Token(t, "alice", signettest.Scope("orders:read"))).Body)
		fmt.Println(ask(api, iss.Token(t, "alice")).Code)
		fmt.Println(ask(api, "nonsense").Code)
	})
	// Output:
	// orders of alice
	// 403
	// 401
}

// Tokens of every kind that a service must tell apart.
func ExampleIssuer_Token() {
	test(func(t testing.TB) {
		iss := signettest.Start(t)
		api := orders(iss.Verifier(t))
		read := signettest.Scope("orders:read")

		fmt.Println(ask(api, iss.Token(t, "alice", read, signettest.Roles("clerk"), signettest.ClientID("web"))).Code)
		fmt.Println(ask(api, iss.Token(t, "robot", read, signettest.ClientID("robot"))).Code)
		fmt.Println(ask(api, iss.Token(t, "alice", read, signettest.Expired())).Code)
		fmt.Println(ask(api, iss.Token(t, "alice", read, signettest.Audience("https://invoices.example"))).Code)
	})
	// Output:
	// 200
	// 200
	// 401
	// 401
}

// A token that was revoked is refused, long before it expires.
func ExampleIssuer_Revoke() {
	test(func(t testing.TB) {
		iss := signettest.Start(t)
		v := iss.Verifier(t)
		api := orders(v)
		token := iss.Token(t, "alice", signettest.Scope("orders:read"))

		fmt.Println(ask(api, token).Code)
		iss.Revoke(t, token)
		iss.Await(t, v) // the service hears of it by itself; a test can wait for that
		fmt.Println(ask(api, token).Code)
	})
	// Output:
	// 200
	// 401
}

// Somebody signs out, and their tokens are refused by every service.
func ExampleIssuer_EndSession() {
	test(func(t testing.TB) {
		iss := signettest.Start(t)
		alice, web := iss.User(t, "alice"), iss.Client(t, "web", "https://app.example/cb")
		here, elsewhere := iss.SignIn(t, alice, web), iss.SignIn(t, alice, web)
		orders, invoices := iss.Verifier(t), iss.Verifier(t)

		iss.EndSession(t, here.AccessToken)
		iss.Await(t, orders, invoices)

		_, atOrders := orders.Verify(t.Context(), here.AccessToken)
		_, atInvoices := invoices.Verify(t.Context(), here.AccessToken)
		_, other := orders.Verify(t.Context(), elsewhere.AccessToken)
		fmt.Println(atOrders)
		fmt.Println(atInvoices)
		fmt.Println(other)
	})
	// Output:
	// verify: ended
	// verify: ended
	// <nil>
}

// A user signs in to a client, as with a browser.
func ExampleIssuer_SignIn() {
	test(func(t testing.TB) {
		iss := signettest.Start(t)
		alice := iss.User(t, "alice", signettest.Roles("clerk"))
		web := iss.Client(t, "web", "https://app.example/cb", signettest.Scope("orders:read"))

		tokens := iss.SignIn(t, alice, web, "orders:read", "roles")

		tok, err := iss.Verifier(t).Verify(t.Context(), tokens.AccessToken)
		fmt.Println(tok.Subject() == alice.Subject, tok.Roles(), tok.Scopes(), err)
		fmt.Println(tokens.RefreshToken != "", tokens.IDToken != "")
	})
	// Output:
	// true [clerk] [openid orders:read roles] <nil>
	// true true
}

// A client's own sign-in is tested: its redirect goes in, and what comes out is
// what the browser would bring to its callback.
func ExampleIssuer_Authorize() {
	test(func(t testing.TB) {
		iss := signettest.Start(t)
		alice, web := iss.User(t, "alice"), iss.Client(t, "web", "https://app.example/cb")

		redirect := iss.URL + "/authorize?" + url.Values{ // made by the client under test
			"response_type": {"code"}, "client_id": {web.ID}, "redirect_uri": {web.RedirectURI}, "scope": {"openid"}, "state": {"xyz"},
			"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
		}.Encode()
		callback := iss.Authorize(t, alice, redirect)

		fmt.Println(callback.Host, callback.Path, callback.Query().Get("state"), callback.Query().Has("code"))
	})
	// Output:
	// app.example /cb xyz true
}
