package interop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/secret"
)

// signedIn is a browser whose sign-in was acknowledged.
type signedIn struct {
	*visitor
	login   string
	sid     string // known with the first token
	over    bool   // the sign-out was acknowledged
	leaving bool   // the sign-out was sent, and nobody knows
}

// family is one grant: the code that it begins with, and its refresh tokens.
type family struct {
	session *signedIn
	client  relying

	code      string
	issued    time.Time // the code; it can be replayed for a minute
	redeeming bool      // sent, and nobody knows
	tokens    []string  // acknowledged, oldest first
	rotated   time.Time // when the last one came, at the latest
	refreshing,
	ending, // sent, and nobody knows
	ended bool // acknowledged
}

func (f *family) current() string { return f.tokens[len(f.tokens)-1] }

func (f *family) succeed(token string) { f.tokens, f.rotated = append(f.tokens, token), time.Now() }

// soon is well within the minute in which a code may be replayed, and a rotated
// token be repeated.
func soon(since time.Time) bool { return time.Since(since) < 30*time.Second }

// ledger is what the clients know: what was acknowledged, and what was under way.
type ledger struct {
	t          *testing.T
	victim     *victim
	operations atomic.Int64
	doubts     atomic.Int64
	violations atomic.Int64

	mu       sync.Mutex
	families []*family
	sessions []*signedIn
	logins   []string
	maybe    []string // users whose making was under way
	clients  []relying
	kids     []string
	access   []*issued
	slots    map[place]*issued
	party    *party // nil where nobody is told of logouts
}

// broken reports a promise that was not kept.
func (l *ledger) broken(format string, args ...any) {
	l.violations.Add(1)
	l.t.Errorf("after kill %d: "+format, append([]any{l.victim.kills}, args...)...)
}

// known notes an acknowledgement. A cut connection is nobody's fault here;
// anything else that goes wrong is.
func (l *ledger) known(what string, err error) bool {
	switch {
	case err == nil:
		l.operations.Add(1)
		return true
	case errors.Is(err, errCut):
		l.doubts.Add(1)
	default:
		l.broken("%s: %v", what, err)
	}
	return false
}

func (l *ledger) add(add func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	add()
}

func (l *ledger) operator() crashOperator {
	return crashOperator{newVisitor(l.victim.admin), l.party.uri()}
}

// found registers the people and clients that the load begins with.
func (l *ledger) found(ctx context.Context) {
	op := l.operator()
	for i := range 4 {
		l.addUser(ctx, op, fmt.Sprintf("founder%d", i))
	}
	for _, alg := range []string{"ES256", "EdDSA"} {
		l.addClient(ctx, op, "app-"+alg, alg)
	}
}

func (l *ledger) addUser(ctx context.Context, op crashOperator, login string) bool {
	got, err := op.addUser(ctx, login)
	if !l.known("adding a user", err) {
		l.add(func() { l.maybe = append(l.maybe, login) })
		return false
	}
	if got.status != http.StatusCreated {
		l.broken("adding a user: %s", got)
		return false
	}
	l.add(func() { l.logins = append(l.logins, login) })
	return true
}

func (l *ledger) addClient(ctx context.Context, op crashOperator, id, alg string) bool {
	status, made, err := op.addClient(ctx, id, alg)
	if !l.known("adding a client", err) {
		return false
	}
	if status != http.StatusCreated {
		l.broken("adding a client: %d", status)
		return false
	}
	c := relying{newVisitor(l.victim.http), id, made}
	kids, err := op.keyIDs(ctx)
	l.add(func() {
		l.clients = append(l.clients, c)
		if err == nil {
			l.kids = kids // they are never fewer: nothing expires here
		}
	})
	return true
}

// load works on the server until ctx ends, and says when something has been
// acknowledged for the first time.
func (l *ledger) load(ctx context.Context, round int, started func()) {
	var workers sync.WaitGroup
	var once sync.Once
	for range 6 {
		workers.Go(func() {
			for ctx.Err() == nil && l.person(ctx) {
				once.Do(started)
			}
		})
	}
	workers.Go(func() {
		for ctx.Err() == nil && l.machine(ctx) {
			time.Sleep(time.Millisecond) // it would leave the others no time
		}
	})
	workers.Go(func() {
		op := l.operator()
		for n := 0; ctx.Err() == nil; n++ {
			alg := []string{"ES256", "ES256", "EdDSA", "PS256"}[rand.IntN(4)]
			ok := l.addUser(ctx, op, fmt.Sprintf("user-%d-%d", round, n)) && l.addClient(ctx, op, fmt.Sprintf("client-%d-%d", round, n), alg)
			if !ok || !l.rotate(ctx, op) {
				return
			}
		}
	})
	workers.Wait()
}

// rotate asks for new keys now and then, and a secret anew.
func (l *ledger) rotate(ctx context.Context, op crashOperator) bool {
	if rand.IntN(4) == 0 {
		if _, err := op.do(ctx, http.MethodPost, "/keys/rotate", map[string]any{}, nil); !l.known("rotating keys", err) {
			return false
		}
		kids, err := op.keyIDs(ctx)
		if !l.known("listing keys", err) {
			return false
		}
		l.add(func() { l.kids = kids })
	}
	l.mu.Lock()
	c := &l.clients[len(l.clients)-1]
	id := c.id
	l.mu.Unlock()
	var made struct {
		Secret string `json:"client_secret"`
	}
	// The secret before stays valid, so that nothing is in doubt when this is cut.
	if _, err := op.do(ctx, http.MethodPost, "/clients/"+id+"/secret", map[string]any{}, &made); !l.known("rotating a secret", err) {
		return false
	}
	l.add(func() { c.secret = secret.New(made.Secret) })
	return true
}

// person signs in, has a grant begun, and does something with it. It reports
// whether the server still answers.
func (l *ledger) person(ctx context.Context) bool {
	l.mu.Lock()
	login, c := l.logins[rand.IntN(len(l.logins))], l.clients[rand.IntN(2)]
	l.mu.Unlock()
	s := &signedIn{visitor: newVisitor(l.victim.http), login: login}
	got, err := s.signIn(ctx, c.id, login)
	if !l.known("signing in", err) {
		return false
	}
	if got.status != http.StatusSeeOther {
		l.broken("signing in: %s", got)
		return false
	}
	l.add(func() { l.sessions = append(l.sessions, s) })
	got, err = s.get(ctx, got.header.Get("Location"))
	if !l.known("resuming", err) {
		return false
	}
	f := &family{session: s, client: c, code: got.location().Get("code"), issued: time.Now()}
	if f.code == "" {
		l.broken("no code: %s", got)
		return false
	}
	l.add(func() { l.families = append(l.families, f) })
	if rand.IntN(8) == 0 {
		return true // this code is redeemed after the restart
	}
	if !l.redeem(ctx, f) {
		return false
	}
	for range rand.IntN(5) {
		if !l.refresh(ctx, f) {
			return false
		}
	}
	return l.part(ctx, f)
}

func (l *ledger) redeem(ctx context.Context, f *family) bool {
	f.redeeming = true
	got, err := f.client.redeem(ctx, f.code)
	if !l.known("redeeming", err) {
		return false
	}
	f.redeeming = false
	if got.status != http.StatusOK || got.Refresh == "" {
		l.broken("redeeming: %s", got)
		return false
	}
	f.tokens = []string{got.Refresh}
	l.keep(got.Access, f.client, f)
	return true
}

func (l *ledger) refresh(ctx context.Context, f *family) bool {
	f.refreshing = true
	got, err := f.client.refresh(ctx, f.current())
	if !l.known("refreshing", err) {
		return false
	}
	f.refreshing = false
	if got.status != http.StatusOK {
		l.broken("refreshing: %s", got)
		return false
	}
	f.succeed(got.Refresh)
	l.keep(got.Access, f.client, f)
	return true
}

var requestField = regexp.MustCompile(`name="request" value="([^"]*)"`)

// part ends some families: by a replayed code, a stolen token, a revocation, a
// sign-out, or by the operator.
func (l *ledger) part(ctx context.Context, f *family) bool {
	var err error
	var got tokenReply
	switch way := rand.IntN(10); {
	case way == 0:
		f.ending = true
		got, err = f.client.redeem(ctx, f.code)
	case way == 1 && len(f.tokens) > 2:
		f.ending = true
		got, err = f.client.refresh(ctx, f.tokens[0])
	case way == 2 || way == 3:
		return l.leave(ctx, f)
	case way == 4:
		return l.expel(ctx, f)
	case way == 5:
		return l.revoke(ctx, f)
	default:
		return true
	}
	if !l.known("ending a grant", err) {
		return false
	}
	f.ending, f.ended = false, true
	if got.Error != "invalid_grant" {
		l.broken("what was used before answered %s", got)
	}
	return true
}

func (l *ledger) leave(ctx context.Context, f *family) bool {
	page, err := f.session.get(ctx, "/logout")
	if !l.known("asking to sign out", err) {
		return false
	}
	m := requestField.FindStringSubmatch(page.body)
	if m == nil {
		l.broken("no sign-out page: %s", page)
		return false
	}
	f.ending, f.session.leaving = true, true
	got, err := f.session.post(ctx, "/logout", url.Values{"request": {m[1]}})
	if !l.known("signing out", err) {
		return false
	}
	if got.status != http.StatusOK {
		l.broken("signing out: %s", got)
	}
	f.ending, f.session.leaving = false, false
	f.ended, f.session.over = true, true
	return true
}

// expel has the operator end the session.
func (l *ledger) expel(ctx context.Context, f *family) bool {
	f.ending, f.session.leaving = true, true
	status, err := l.operator().do(ctx, http.MethodDelete, "/users/"+f.session.login+"/sessions/"+f.session.sid, nil, nil)
	if !l.known("ending a session", err) {
		return false
	}
	if status != http.StatusNoContent {
		l.broken("ending a session: %d", status)
	}
	f.ending, f.session.leaving = false, false
	f.ended, f.session.over = true, true
	return true
}

// revoke ends the grant by one of its tokens.
func (l *ledger) revoke(ctx context.Context, f *family) bool {
	f.ending = true
	got, err := f.client.post(ctx, "/revoke", f.current())
	if !l.known("revoking a grant", err) {
		return false
	}
	if got.status != http.StatusOK {
		l.broken("revoking a grant: %s", got)
	}
	f.ending, f.ended = false, true
	return true
}

// strike lets the load run and kills the server at some moment of it.
func (l *ledger) strike(round int) {
	ctx, stop := context.WithCancel(l.t.Context())
	defer stop()
	begun, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		l.load(ctx, round, func() { close(begun) })
	}()
	select {
	case <-begun:
	case <-done: // something is wrong, and was told
	case <-time.After(time.Minute):
		l.t.Fatal("nothing was acknowledged, so the round proves nothing")
	}
	time.Sleep(time.Duration(rand.IntN(250_000)) * time.Microsecond)
	l.victim.kill(l.t)
	stop()
	<-done
}
