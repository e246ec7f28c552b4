package verify_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// exampleIssuer serves a discovery document and one key on a loopback address,
// and mints tokens of that key for the audience of the examples.
func exampleIssuer() (url string, mint func(changes object) string, stop func()) {
	s := &signer{kid: "k1", alg: verify.ES256, key: exampleKey()}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(mustJSON(object{"issuer": server.URL, "jwks_uri": server.URL + jwksPath}))
	})
	mux.HandleFunc(jwksPath, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(mustJSON(object{"keys": []object{s.jwk()}}))
	})
	mint = func(changes object) string { return s.token(change(object{"iss": server.URL}, changes)) }
	return server.URL, mint, server.Close
}

// get asks h as a client with this token would.
func get(h http.Handler, target, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A service that protects one route, as all of its code.
func Example() {
	issuer, mint, stop := exampleIssuer() // https://id.example.com in real life
	defer stop()

	v, err := verify.New(issuer, "https://orders.example.com")
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	list := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, _ := verify.FromContext(r.Context())
		fmt.Fprintf(w, "orders of %s, through %s", tok.Subject(), tok.ClientID())
	})
	mux := http.NewServeMux()
	mux.Handle("GET /orders", v.Require("orders:read")(list))

	fmt.Println(get(mux, "/orders", mint(nil)).Body)
	fmt.Println(get(mux, "/orders", mint(object{"scope": "openid"})).Code)
	// Output:
	// orders of u-alice, through web
	// 403
}

func ExampleNew() {
	_, err := verify.New("http://id.example.com", "")
	fmt.Println(err)
	// Output:
	// verify: the issuer: "http://id.example.com" must be https (http is for loopback addresses)
	// the audience must be printable ASCII, and not empty
}

// Where there is no HTTP request, as in a queue's consumer, Verify does it all.
func ExampleVerifier_Verify() {
	issuer, mint, stop := exampleIssuer()
	defer stop()
	v, err := verify.New(issuer, "https://orders.example.com")
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	tok, err := v.Verify(context.Background(), mint(nil))
	fmt.Println(tok.Subject(), tok.HasScope("orders:read"), err)

	_, err = v.Verify(context.Background(), mint(object{"aud": "https://billing.example.com"}))
	fmt.Println(errors.Is(err, verify.WrongAudience), err)
	// Output:
	// u-alice true <nil>
	// true verify: wrong_audience (aud)
}

// Claims of one's own are decoded into one's own type.
func ExampleToken_Claims() {
	issuer, mint, stop := exampleIssuer()
	defer stop()
	v, err := verify.New(issuer, "https://orders.example.com")
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	tok, err := v.Verify(context.Background(), mint(object{"tenant": "acme"}))
	if err != nil {
		log.Fatal(err)
	}
	var own struct {
		Tenant string `json:"tenant"`
	}
	if err := tok.Claims(&own); err != nil {
		log.Fatal(err)
	}
	fmt.Println(own.Tenant)
	// Output: acme
}

// Paying asks for a sign-in of the last five minutes. The client reads from the
// challenge what to ask the issuer for, and the user signs in again.
func ExampleVerifier_RequireFresh() {
	issuer, mint, stop := exampleIssuer()
	defer stop()
	v, err := verify.New(issuer, "https://orders.example.com", verify.WithRealm("orders"))
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	pay := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "paid") })
	h := v.Require("orders:write")(v.RequireFresh(5 * time.Minute)(pay))

	w := get(h, "/pay", mint(object{"auth_time": time.Now().Add(-time.Hour).Unix()}))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output: 401 Bearer realm="orders", error="insufficient_user_authentication", error_description="a more recent sign-in is required", max_age="300"
}

// Where the middleware does not fit, Authenticate and Refuse are its two halves.
func ExampleVerifier_Authenticate() {
	issuer, mint, stop := exampleIssuer()
	defer stop()
	v, err := verify.New(issuer, "https://orders.example.com")
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, err := v.Authenticate(r, "orders:read")
		if err != nil {
			verify.Refuse(w, err)
			return
		}
		fmt.Fprint(w, "hello ", tok.Subject())
	})
	fmt.Println(get(h, "/", mint(nil)).Body)
	// Output: hello u-alice
}

// A readiness probe says whether tokens can be judged, and is a use too: it gets
// the keys fetched before the first request comes.
func ExampleVerifier_Ready() {
	issuer, _, stop := exampleIssuer()
	defer stop()
	v, err := verify.New(issuer, "https://orders.example.com")
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	for !v.Ready() {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(v.Staleness() < time.Minute)
	// Output: true
}
