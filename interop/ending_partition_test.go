package interop

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/pkg/signettest"
	"github.com/signet-id/signet/pkg/verify"
)

// routes are one verifier with each of the answers to knowledge that is too old.
type routes struct {
	*verify.Verifier
	limit                  time.Duration
	refuses, accepts, mark *verify.Verifier
}

func newRoutes(v *verify.Verifier, limit time.Duration) routes {
	return routes{
		Verifier: v, limit: limit,
		refuses: v.MaxStaleness(limit, verify.RefuseStale),
		accepts: v.MaxStaleness(limit, verify.AcceptStale),
		mark:    v.MaxStaleness(limit, verify.MarkStale),
	}
}

// wantAsOldAs checks that each route treats raw as knowledge must be treated that
// is between youngest and oldest. While it is between limit and the other side of
// it, by the time that the test itself takes, either answer is right.
func (r routes) wantAsOldAs(t *testing.T, raw string, youngest, oldest func() time.Duration) {
	t.Helper()
	before := youngest()
	_, refusal := r.refuses.Verify(t.Context(), raw)
	accepted, acceptErr := r.accepts.Verify(t.Context(), raw)
	marked, markErr := r.mark.Verify(t.Context(), raw)
	after := oldest()
	if acceptErr != nil || markErr != nil {
		t.Errorf("%v old: the routes that accept refuse: %v, %v", before, acceptErr, markErr)
		return
	}
	if accepted.Stale() {
		t.Errorf("%v old: the route that accepts marks", before)
	}
	if age := accepted.Staleness(); age < before || age > after {
		t.Errorf("it says that it knows what was %v ago, want %v to %v", age, before, after)
	}
	switch {
	case after <= r.limit:
		if refusal != nil || marked.Stale() {
			t.Errorf("%v old, at most %v: refused %v, marked %v", after, r.limit, refusal, marked.Stale())
		}
	case before > r.limit:
		if !errors.Is(refusal, verify.EndingsStale) || !marked.Stale() {
			t.Errorf("%v old, more than %v: refused %v, marked %v", before, r.limit, refusal, marked.Stale())
		}
	}
}

func (r routes) wantEnded(t *testing.T, raw string) {
	t.Helper()
	for name, v := range map[string]*verify.Verifier{"refuse": r.refuses, "accept": r.accepts, "mark": r.mark} {
		if _, err := v.Verify(t.Context(), raw); !errors.Is(err, verify.Ended) {
			t.Errorf("a token that has ended, on the route that would %s: %v", name, err)
		}
	}
}

func (r routes) wantFresh(t *testing.T, raw string) {
	t.Helper()
	for name, v := range map[string]*verify.Verifier{"refuse": r.refuses, "accept": r.accepts, "mark": r.mark} {
		if tok, err := v.Verify(t.Context(), raw); err != nil || tok.Stale() {
			t.Errorf("a token that is alive, on the route that would %s: %v, marked %v", name, err, tok.Stale())
		}
	}
}

// A verifier is cut off while a token ends. Until it hears of the issuer again it
// says how old its knowledge is, and each route acts on that; from the moment it
// hears, the token is refused, and at no moment in between does old knowledge
// pass for new.
func TestAVerifierThatWasCutOffRefusesWhatEndedMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		how  condition
		long time.Duration
		// by is when it must know at the latest, once the link is whole.
		by time.Duration
		// alone says that only the stream gets through then, and no list.
		alone bool
	}{
		"connections break for 30 s":                         {broken, 30 * time.Second, 30 * time.Second, false},
		"connections break for 30 s, and lists can't be had": {broken, 30 * time.Second, 30 * time.Second, true},
		"nothing arrives for 30 s":                           {silent, 30 * time.Second, time.Millisecond, false},
		"connections are forgotten on the way":               {lost, 30 * time.Second, 45 * time.Second, true},
		"nothing arrives for 3 min":                          {silent, 3 * time.Minute, 40 * time.Second, true},
		"connections break for an hour":                      {broken, time.Hour, 45 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { cutOff(t, c.how, c.long, c.by, c.alone) })
		})
	}
}

func cutOff(t *testing.T, how condition, long, by time.Duration, alone bool) {
	iss := signettest.Start(t, signettest.AccessLifetime(2*time.Hour))
	way := newLink(iss.HTTPClient().Transport)
	r := newRoutes(iss.Verifier(t,
		verify.WithHTTPClient(&http.Client{Transport: way}), verify.WithLogger(slog.New(slog.DiscardHandler))), 20*time.Second)
	ends, lives := iss.Token(t, "alice"), iss.Token(t, "bob")
	for range 50 { // some beats, at which the knowledge is never older than their distance
		r.wantFresh(t, ends)
		r.wantFresh(t, lives)
		time.Sleep(time.Second)
	}
	before := r.Stats()

	if alone {
		way.admits = func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/status/stream") }
	}
	way.become(how)
	tok, err := r.accepts.Verify(t.Context(), ends)
	if err != nil {
		t.Fatal(err)
	}
	heard := time.Now().Add(-tok.Staleness())
	age := func() time.Duration { return time.Since(heard) }
	for cut := time.Now(); time.Since(cut) < long; time.Sleep(time.Second) {
		if time.Since(cut) == 5*time.Second {
			iss.Revoke(t, ends)
		}
		r.wantAsOldAs(t, ends, age, age)
		r.wantAsOldAs(t, lives, age, age)
	}

	way.become(whole)
	healed := time.Now()
	for {
		synctest.Wait()
		tok, err := r.accepts.Verify(t.Context(), ends)
		if err != nil {
			break
		}
		if tok.Staleness() < age() {
			t.Fatalf("%v after the link was whole, a token that ended is accepted on knowledge %v old", time.Since(healed), tok.Staleness())
		}
		if time.Since(healed) > by {
			t.Fatalf("the token is accepted %v after the link was whole", time.Since(healed))
		}
		time.Sleep(time.Millisecond)
	}
	t.Logf("refused %v after the link was whole", time.Since(healed))
	r.wantEnded(t, ends)
	time.Sleep(time.Second)
	r.wantFresh(t, lives)
	if after := r.Stats(); after.Refetched != before.Refetched || after.EventsRefused != 0 {
		t.Errorf("streams that could not resume: %d, events refused: %d, want none", after.Refetched-before.Refetched, after.EventsRefused)
	}
}

// The same over TCP, with a proxy in between, in real time.
func TestAVerifierBehindAProxyThatWasCutRefusesWhatEndedMeanwhile(t *testing.T) {
	t.Parallel()
	long, limit := 3*time.Second, time.Second
	if testing.Short() {
		long, limit = time.Second, 300*time.Millisecond
	}
	is := serve(t, false)
	robot := newRobot(t, is)
	p := newProxy(t, strings.TrimPrefix(is.url, "http://"))
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", p.address)
	}}
	defer transport.CloseIdleConnections()
	v, err := verify.New(is.url, crashAudience,
		verify.WithHTTPClient(&http.Client{Transport: transport}), verify.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	r := newRoutes(v, limit)
	heard, ends, lives := robot.token(t), robot.token(t), robot.token(t)
	for _, raw := range []string{heard, ends, lives} {
		if _, err := v.Verify(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	robot.revoke(t, heard) // so that something was heard just now
	is.await(t, v)
	r.wantEnded(t, heard)

	p.sever(true)
	cut := time.Now()
	robot.revoke(t, ends)
	asked := time.Now()
	tok, err := r.accepts.Verify(t.Context(), ends)
	if err != nil {
		t.Fatal(err)
	}
	// The age was taken at some moment between these two.
	first, last := asked.Add(-tok.Staleness()), time.Now().Add(-tok.Staleness())
	oldest := func() time.Duration { return time.Since(first) }
	youngest := func() time.Duration { return time.Since(last) }
	for time.Since(cut) < long {
		r.wantAsOldAs(t, ends, youngest, oldest)
		r.wantAsOldAs(t, lives, youngest, oldest)
		time.Sleep(20 * time.Millisecond)
	}

	p.sever(false)
	healed := time.Now()
	is.await(t, v)
	r.wantEnded(t, ends)
	// Await may return long after what it waited for on a busy machine.
	for tok, err := v.Verify(t.Context(), lives); err == nil && tok.Staleness() > limit/2 && time.Since(healed) < time.Minute; tok, err = v.Verify(t.Context(), lives) {
		robot.revoke(t, robot.token(t))
		is.await(t, v)
	}
	r.wantFresh(t, lives)
	t.Logf("refused %v after the proxy let it through", time.Since(healed).Round(time.Millisecond))
}

// await returns when v knows what ended so far.
func (is *issuer) await(t *testing.T, v *verify.Verifier) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	if err := v.Await(ctx, uint64(is.Status().Board.Head())); err != nil {
		t.Fatal(err)
	}
}

// robot is a client that gets tokens for itself.
type robot struct {
	is     *issuer
	client *http.Client
	secret secret.Value
}

func newRobot(t *testing.T, is *issuer) robot {
	t.Helper()
	c := client.Client{ID: "robot", Grants: []string{"client_credentials"}, Audience: []string{crashAudience}}
	made := client.NewSecret()
	c.Rotate(made, time.Now())
	if _, err := is.Operator.Clients.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	return robot{is, is.httpClient(t, false), made}
}

func (r robot) token(t *testing.T) string {
	t.Helper()
	body := r.post(t, "/token", url.Values{"grant_type": {"client_credentials"}})
	_, rest, _ := strings.Cut(body, `"access_token":"`)
	raw, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("no token: %s", body)
	}
	return raw
}

func (r robot) revoke(t *testing.T, raw string) {
	t.Helper()
	r.post(t, "/revoke", url.Values{"token": {raw}})
}

func (r robot) post(t *testing.T, path string, form url.Values) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.is.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("robot", r.secret.Reveal())
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %v, %s", path, res.Status, err, body)
	}
	return string(body)
}
