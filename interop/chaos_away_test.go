package interop

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// While the engine is away, whatever needs no write goes on, from memory; what
// must be written is refused with a word on when to come back, and not done by
// half. When the engine is back so is the service, without a restart.
func TestWhileTheEngineIsAwayWhatNeedsNoWriteGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts an engine")
	}
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, e engine) {
		c := newCluster(t, e, 2, soonTurning())
		c.start(t)
		for _, outage := range []struct {
			name       string
			begin, end func()
			late       bool // what was sent meanwhile arrives afterwards
		}{
			{"killed", func() { e.away(t) }, func() { e.back(t) }, false},
			{"cut off", func() { c.each((*node).cut) }, func() { c.each((*node).fair) }, false},
			{"silent", func() { c.each((*node).silence) }, func() { c.each((*node).fair) }, true},
		} {
			t.Run(outage.name, func(t *testing.T) {
				a := newAbsence(t, c, strings.ReplaceAll(outage.name, " ", "-"))
				a.late = outage.late
				outage.begin()
				a.wantReading()
				a.wantRefused()
				a.wantReading()
				a.wantUnknown()
				outage.end()
				a.wantResumed()
			})
		}
	})
}

func (c *cluster) each(do func(*node)) {
	for _, n := range c.nodes {
		do(n)
	}
}

// absence is what clients have when the engine goes away.
type absence struct {
	*ledger
	c      *cluster
	t      *testing.T
	family *family // refreshed, and to be refreshed
	spare  *family // a code that is not yet redeemed
	lives  *issued // a machine's token
	known  *verify.Verifier
	login  string // that is not yet taken
	late   bool   // what is refused may happen afterwards
}

func newAbsence(t *testing.T, c *cluster, name string) *absence {
	t.Helper()
	ctx := t.Context()
	a := &absence{ledger: c.ledger(t, nil), c: c, t: t, login: "late-" + name}
	op := a.operator()
	if !a.addUser(ctx, op, "alice-"+name) || !a.addClient(ctx, op, "app-"+name, "ES256") {
		t.FailNow()
	}
	for _, n := range c.nodes {
		a.warm(n)
	}
	a.family, a.spare = a.grant(), a.grant()
	if !a.redeem(ctx, a.family) || !a.ledger.refresh(ctx, a.family) {
		t.FailNow()
	}
	a.lives = a.machineToken()
	a.known = c.nodes[0].follow(t)
	t.Cleanup(a.known.Close)
	if _, err := a.known.Verify(ctx, a.lives.raw); err != nil {
		t.Fatal(err)
	}
	return a
}

// warm waits until the node knows the client, and has slots for it: the first token
// of a client on a node leases them, which is a write.
func (a *absence) warm(n *node) {
	a.t.Helper()
	client := relying{newVisitor(n.http), a.clients[0].id, a.clients[0].secret}
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		got, err := client.token(a.t.Context(), url.Values{"grant_type": {"client_credentials"}})
		if err == nil && got.status == http.StatusOK {
			return
		}
		if err != nil || a.c.strain.passed(begun, settleWithin) {
			a.t.Fatalf("%s does not know a client after %s: %v %s", n.name, time.Since(begun), err, got)
		}
	}
}

// grant signs somebody in and leaves a code unredeemed.
func (a *absence) grant() *family {
	a.t.Helper()
	s := &signedIn{visitor: newVisitor(a.c.http), login: a.logins[0]}
	got, err := s.signIn(a.t.Context(), a.clients[0].id, s.login)
	if err != nil || got.status != http.StatusSeeOther {
		a.t.Fatalf("signing in: %v %s", err, got)
	}
	got, err = s.get(a.t.Context(), got.header.Get("Location"))
	if err != nil || got.location().Get("code") == "" {
		a.t.Fatalf("no code: %v %s", err, got)
	}
	return &family{session: s, client: a.clients[0], code: got.location().Get("code"), issued: time.Now()}
}

func (a *absence) machineToken() *issued {
	a.t.Helper()
	got, err := a.clients[0].token(a.t.Context(), url.Values{"grant_type": {"client_credentials"}})
	if err != nil || got.status != http.StatusOK {
		a.t.Fatalf("a machine's token: %v %s", err, got)
	}
	return a.keep(got.Access, a.clients[0], nil)
}

// wantReading expects at every node, at once, whatever needs no write.
func (a *absence) wantReading() {
	a.t.Helper()
	ctx := a.t.Context()
	list := strings.TrimPrefix(a.lives.slot.List, crashIssuer)
	for _, n := range a.c.nodes {
		for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks", list, "/status", askCode(a.clients[0].id)} {
			begun := time.Now()
			got, err := newVisitor(n.http).get(ctx, path)
			if err != nil || got.status >= http.StatusBadRequest || a.c.strain.passed(begun, time.Second) {
				a.t.Errorf("%s: %s after %s: %v %s", n.name, path, time.Since(begun), err, got)
			}
		}
		begun := time.Now()
		got, err := relying{newVisitor(n.http), a.clients[0].id, a.clients[0].secret}.token(ctx, url.Values{"grant_type": {"client_credentials"}})
		if err != nil || got.status != http.StatusOK || a.c.strain.passed(begun, time.Second) {
			a.t.Errorf("%s: client credentials after %s: %v %s", n.name, time.Since(begun), err, got)
			continue
		}
		if _, err := a.known.Verify(ctx, got.Access); err != nil {
			a.t.Errorf("%s: what it issued meanwhile: %v", n.name, err)
		}
	}
	fresh, err := verify.New(crashIssuer, crashAudience, verify.WithHTTPClient(&http.Client{Transport: a.c.nodes[1].http}))
	if err != nil {
		a.t.Fatal(err)
	}
	defer fresh.Close()
	for _, v := range []*verify.Verifier{a.known, fresh} {
		if _, err := v.Verify(ctx, a.lives.raw); err != nil {
			a.t.Errorf("a token of before: %v", err)
		}
	}
}

// wantRefused tries whatever must be written, at every node.
func (a *absence) wantRefused() {
	a.t.Helper()
	var all sync.WaitGroup
	for _, n := range a.c.nodes {
		for what, ask := range a.writes(n) {
			all.Go(func() {
				begun := time.Now()
				got, err := ask(a.t.Context())
				if err != nil || got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" ||
					strings.Contains(strings.Join(got.header.Values("Set-Cookie"), ";"), "signet=") {
					a.t.Errorf("%s: %s, after %s: %v %s, Retry-After %q", n.name, what, time.Since(begun), err, got, got.header.Get("Retry-After"))
				}
			})
		}
	}
	begun := time.Now()
	all.Wait()
	a.t.Logf("all was refused after %s", time.Since(begun).Round(time.Millisecond))
}

// wantUnknown expects that no node vouches for a token for long: another one may
// have ended it. A machine's token has nothing in the engine that introspection
// would miss.
func (a *absence) wantUnknown() {
	a.t.Helper()
	for _, n := range a.c.nodes {
		client := relying{newVisitor(n.http), a.clients[0].id, a.clients[0].secret}
		for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
			got, err := client.post(a.t.Context(), "/introspect", a.lives.raw)
			if err == nil && got.status == http.StatusServiceUnavailable && got.header.Get("Retry-After") != "" {
				break
			}
			if err != nil || got.status != http.StatusOK || !strings.Contains(got.body, `"active":true`) || a.c.strain.passed(begun, time.Minute) {
				a.t.Errorf("%s: introspection, after %s: %v %s, want 503", n.name, time.Since(begun), err, got)
				break
			}
		}
	}
}

// writes are the requests that change something.
func (a *absence) writes(n *node) map[string]func(context.Context) (reply, error) {
	client := relying{newVisitor(n.http), a.clients[0].id, a.clients[0].secret}
	writes := map[string]func(context.Context) (reply, error){
		"refreshing": func(ctx context.Context) (reply, error) {
			got, err := client.refresh(ctx, a.family.current())
			return got.reply, err
		},
		"signing in": func(ctx context.Context) (reply, error) {
			return newVisitor(n.http).signIn(ctx, client.id, a.logins[0])
		},
		"adding a user": func(ctx context.Context) (reply, error) {
			got, err := n.operator("").addUser(ctx, a.login)
			if err == nil {
				got.header.Set("Retry-After", "for those who speak HTTP")
			}
			return got, err
		},
	}
	if !a.late { // else they may happen after the refusal, and can't be asked for again
		writes["redeeming"] = func(ctx context.Context) (reply, error) {
			got, err := client.redeem(ctx, a.spare.code)
			return got.reply, err
		}
		writes["revoking"] = func(ctx context.Context) (reply, error) { return client.post(ctx, "/revoke", a.lives.raw) }
	}
	return writes
}

// wantResumed expects that everything works that was refused, soon.
func (a *absence) wantResumed() {
	a.t.Helper()
	ctx, begun := a.t.Context(), time.Now()
	for _, n := range a.c.nodes {
		for {
			got, err := n.operator("").addUser(ctx, a.login)
			if err == nil && (got.status == http.StatusCreated || got.status == http.StatusConflict) {
				break
			}
			if a.c.strain.passed(begun, settleWithin) {
				a.t.Fatalf("%s: adding a user %s after the engine was back: %v %s", n.name, time.Since(begun), err, got)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	a.t.Logf("changes are made again %s after the engine was back", time.Since(begun).Round(time.Millisecond))
	logins, err := a.operator().logins(ctx)
	if err != nil || !slices.Contains(logins, a.login) {
		a.t.Errorf("who was refused, and then added, is not there: %v, %v", logins, err)
	}
	if !a.redeem(ctx, a.spare) || !a.ledger.refresh(ctx, a.family) {
		a.t.Error("what was refused does not work")
	}
	a.wantHeard()
}

// wantHeard ends a token, and expects that the verifier of before hears of it.
func (a *absence) wantHeard() {
	a.t.Helper()
	ctx := a.t.Context()
	if got, err := a.clients[0].post(ctx, "/revoke", a.lives.raw); err != nil || got.status != http.StatusOK {
		a.t.Fatalf("revoking: %v %s", err, got)
	}
	begun := time.Now()
	for {
		_, err := a.known.Verify(ctx, a.lives.raw)
		if errors.Is(err, verify.Ended) {
			break
		}
		if a.c.strain.passed(begun, settleWithin) {
			a.t.Fatalf("a token is accepted %s after it ended: %v", time.Since(begun), err)
		}
		time.Sleep(time.Millisecond)
	}
	a.t.Logf("an ending was heard of %s after it was acknowledged", time.Since(begun).Round(time.Millisecond))
}
