package verify_test

import (
	"context"
	"errors"
	"expvar"
	"fmt"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
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

// Paying takes no chances with a token that may have ended; everything else goes
// on while the issuer is away.
func ExampleVerifier_MaxStaleness() {
	issuer, mint, stop := exampleIssuer() // it has no status lists, so nothing is known of endings
	defer stop()
	v, err := verify.New(issuer, "https://orders.example.com")
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	list := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, _ := verify.FromContext(r.Context())
		fmt.Fprint(w, "orders, may be signed out: ", tok.Stale())
	})
	pay := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "paid") })
	strict := v.MaxStaleness(30*time.Second, verify.RefuseStale)
	mux := http.NewServeMux()
	mux.Handle("GET /orders", v.Require("orders:read")(list))
	mux.Handle("POST /pay", strict.Require("orders:write")(pay))

	token := mint(nil)
	fmt.Println(get(mux, "/orders", token).Body)
	r := httptest.NewRequest(http.MethodPost, "/pay", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Retry-After"))
	// Output:
	// orders, may be signed out: true
	// 503 5
}

// Stats are numbers to be exported by whatever a service exports its own with. For
// Prometheus, without its client: one line each.
func ExampleVerifier_Stats() {
	issuer, mint, stop := exampleIssuer()
	defer stop()
	v, err := verify.New(issuer, "https://orders.example.com")
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s := v.Stats()
		fmt.Fprintf(w, "verify_accepted_total %d\n", s.Verified)
		fmt.Fprintf(w, "verify_remembered_total %d\n", s.Remembered)
		fmt.Fprintf(w, "verify_events_refused_total %d\n", s.EventsRefused)
		for _, reason := range slices.Sorted(maps.Keys(s.Refused)) {
			fmt.Fprintf(w, "verify_refused_total{reason=%q} %d\n", reason, s.Refused[reason])
		}
		if s.EndingsStaleness < 1000*time.Hour { // longer is never
			fmt.Fprintf(w, "verify_endings_staleness_seconds %.0f\n", s.EndingsStaleness.Seconds())
		}
	})
	// For expvar, all at once.
	expvar.Publish("verify", expvar.Func(func() any { return v.Stats() }))

	if _, err := v.Verify(context.Background(), mint(nil)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.SplitN(get(metrics, "/metrics", "").Body.String(), "\n", 2)[0])
	// Output: verify_accepted_total 1
}

// A test, or whoever has just signed somebody out, waits until this service knows.
func ExampleVerifier_Await() {
	issuer, _, stop := exampleIssuer()
	defer stop()
	v, err := verify.New(issuer, "https://orders.example.com")
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	err = v.Await(ctx, 4711) // a position of the journal that this issuer never reaches
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}
