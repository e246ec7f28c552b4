// Package signettest runs a real Signet issuer inside a test: no fake provider to
// keep in step with the real one, no container, no configuration file.
//
//	func TestOrders(t *testing.T) {
//		iss := signettest.Start(t)
//		api := newAPI(iss.Verifier(t)) // or verify.New(iss.URL, iss.Audience)
//		token := iss.Token(t, "alice", signettest.Scope("orders:read"))
//		…
//	}
//
// It owns the issuer's life in the test: a store in t.TempDir, keys, a listener,
// and the end of all of it when the test ends. Everything else is the issuer
// that is deployed, from the pages that people see to the bytes on disk. It
// never shares anything between two issuers, so tests may run in parallel, and
// it never reaches out to a network.
//
//	Start ──▶ Issuer ──Token──────────────▶ an access token at once, for any subject
//	             │   ──User, Client─SignIn─▶ tokens of a whole sign-in, page by page
//	             │   ──Revoke, EndSession,
//	             │     EndUser, Disable…───▶ what every verifier refuses after Await
//	             │   ──RotateKeys──────────▶ what verifiers must live through
//	             └── URL, HTTPClient: discovery, keys and every endpoint, for any client
//
// # Endings
//
// Whatever can be ended early in a deployment can be ended in a test: a token, a
// session, a user, a client. The issuer tells it to verifiers as it always does,
// by signed lists and a stream, over the network and in process; they hear of it
// within milliseconds. Await returns when they have:
//
//	iss.Revoke(t, token)
//	iss.Await(t, v) // the verifier that the service was given
//	…               // and now the service answers 401
//
// # Time
//
// Inside a [testing/synctest] bubble the issuer lives in virtual time:
//
//	synctest.Test(t, func(t *testing.T) {
//		iss := signettest.Start(t)
//		api := newAPI(iss.Verifier(t))
//		token := iss.Token(t, "alice")
//		time.Sleep(11 * time.Minute) // takes no time, and the token has expired
//	})
//
// Start notices the bubble and then opens no socket, because a goroutine that
// waits for the network would keep the time from passing; the issuer is reached
// with [Issuer.HTTPClient] alone. An issuer must be started in the bubble in
// which it is used. A verifier hears from its issuer every 15 seconds, which makes
// a virtual day a second or two long: close it before you sleep for weeks.
//
// # What is weaker than in production
//
// The store leaves out fsync, password hashes are cheap, access tokens may live
// as short as a second, and on a loopback address the issuer is http. None of
// this can be had in a deployment: the issuer of this package serves the
// machine that the test runs on and no other.
//
// # Tests and their goroutines
//
// Methods that take a testing.TB stop the test with Fatalf when something goes
// wrong, so they are called from the test's own goroutine. That aside an Issuer
// is safe for concurrent use, by subtests and by the code under test. It works
// until the test that started it has run its cleanup functions, those included
// that were registered after Start.
package signettest

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/pkg/verify"
)

// DefaultAudience is the service that tokens are for when nothing else is said.
const DefaultAudience = "https://service.example"

// DefaultClientID is the client named by tokens of [Issuer.Token] when nothing
// else is said.
const DefaultClientID = "signettest"

// Issuer is a running issuer. Start makes it and the end of the test ends it.
type Issuer struct {
	// URL is the issuer's name, the iss of its tokens, and where discovery
	// begins: http://127.0.0.1:<port>, or https://<name>.signet.test in process.
	URL string
	// Audience is the service that tokens are for when nothing else is said: the
	// first one given to the option Audience, else DefaultAudience.
	Audience string

	settings settings
	app      *app.App
	ctx      context.Context // ends with the issuer, not with the test's own context
	reach    http.RoundTripper
	known    memo
}

// Start runs an issuer until the test ends. Without options it listens on a free
// port of 127.0.0.1, or on none inside a synctest bubble, signs access tokens of
// 10 minutes with ES256, and has neither users nor clients.
//
// It takes some five milliseconds, and on a disk the time of two writes besides.
// RSA keys, which are made only on demand, take longer.
func Start(t testing.TB, options ...Option) *Issuer {
	t.Helper()
	s := settings{audience: []string{DefaultAudience}, inProcess: inBubble()}
	for _, o := range options {
		o.forIssuer(&s)
	}
	n := network(loopback{})
	if s.inProcess {
		n = memory{}
	}
	// Not t.Context() itself: that ends before the first cleanup function runs,
	// and those of the test may still need the issuer.
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	listener, url, err := n.listen(ctx)
	if err != nil {
		cancel()
		t.Fatalf("signettest: opening a listener: %v", err)
	}
	composed, err := s.compose(ctx, t, url)
	if err != nil {
		cancel()
		t.Fatalf("signettest: starting an issuer: %v", errors.Join(err, listener.Close()))
	}
	reach := n.transport(listener)
	stop := serve(ctx, cancel, composed, listener)
	t.Cleanup(func() {
		reach.CloseIdleConnections()
		if err := stop(); err != nil {
			t.Errorf("signettest: stopping the issuer: %v", err)
		}
	})
	return &Issuer{
		URL: url, Audience: s.audience[0],
		settings: s, app: composed, ctx: ctx, reach: &only{issuer: url, reach: reach, others: http.DefaultTransport},
	}
}

// HTTPClient returns a client that reaches the issuer, whether or not it listens
// on a network; other hosts it reaches like http.DefaultClient. Each call returns
// another one, without a cookie jar: it is the caller's to change.
func (iss *Issuer) HTTPClient() *http.Client { return &http.Client{Transport: iss.reach} }

// Verifier returns a verifier of the issuer's tokens for iss.Audience, as a
// service has one, and closes it when the test ends. Options are verify's own;
// one that sets the HTTP client replaces the issuer's.
func (iss *Issuer) Verifier(t testing.TB, options ...verify.Option) *verify.Verifier {
	t.Helper()
	all := append([]verify.Option{verify.WithHTTPClient(iss.HTTPClient())}, options...)
	v, err := verify.New(iss.URL, iss.Audience, all...)
	if err != nil {
		t.Fatalf("signettest: making a verifier: %v", err)
	}
	t.Cleanup(v.Close)
	return v
}

// inBubble reports whether the caller runs in a synctest bubble. The head of a
// stack trace is the one place that says so without side effects; should its
// words change, a test of this package fails, and the option InProcess remains.
func inBubble() bool {
	trace := make([]byte, 128)
	head, _, _ := strings.Cut(string(trace[:runtime.Stack(trace, false)]), "\n")
	return strings.Contains(head, "synctest bubble")
}
