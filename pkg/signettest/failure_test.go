package signettest_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/signet-id/signet/keys"
	"github.com/signet-id/signet/pkg/signettest"
)

// trial is a testing.TB of its own, for seeing how a test fails and for examples,
// which have none.
type trial struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanups []func()
	dirs     int
	root     string
	ctx      context.Context
	cancel   context.CancelFunc
}

// try runs f as a test would be run, and returns what it reported.
func try(f func(t testing.TB)) []string {
	root, err := os.MkdirTemp("", "signettest")
	if err != nil {
		return []string{err.Error()}
	}
	tr := &trial{root: root}
	tr.ctx, tr.cancel = context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // Fatalf ends its goroutine
		defer close(ended)
		defer tr.clean()
		f(tr)
	}()
	<-ended
	return tr.failures
}

func (tr *trial) clean() {
	tr.cancel()
	for len(tr.cleanups) > 0 {
		last := tr.cleanups[len(tr.cleanups)-1]
		tr.cleanups = tr.cleanups[:len(tr.cleanups)-1]
		last()
	}
	tr.report(os.RemoveAll(tr.root))
}

func (tr *trial) report(err error) {
	if err != nil {
		tr.Errorf("%v", err)
	}
}

func (tr *trial) Helper()                  {}
func (tr *trial) Context() context.Context { return tr.ctx }
func (tr *trial) Output() io.Writer        { return io.Discard }
func (tr *trial) Cleanup(f func())         { tr.cleanups = append(tr.cleanups, f) }

func (tr *trial) TempDir() string {
	tr.dirs++
	dir := filepath.Join(tr.root, fmt.Sprint(tr.dirs))
	tr.report(os.Mkdir(dir, 0o700))
	return dir
}

func (tr *trial) Errorf(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.failures = append(tr.failures, fmt.Sprintf(format, args...))
}

func (tr *trial) Fatalf(format string, args ...any) {
	tr.Errorf(format, args...)
	runtime.Goexit()
}

func (tr *trial) Fatal(args ...any) { tr.Fatalf("%s", fmt.Sprint(args...)) }

func oauth2HTTP(ctx context.Context, iss *signettest.Issuer) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, iss.HTTPClient())
}

func TestAMistakeFailsTheTestAndSaysWhat(t *testing.T) {
	start := func(t testing.TB, options ...signettest.Option) *signettest.Issuer {
		return signettest.Start(t, append(options, signettest.InProcess())...)
	}
	for name, c := range map[string]struct {
		do   func(t testing.TB)
		want string
	}{
		"a lifetime that exp can't say": {
			func(t testing.TB) { start(t, signettest.AccessLifetime(time.Millisecond)) }, "AccessLifetime(1ms) is less than a second",
		},
		"no audience": {func(t testing.TB) { start(t, signettest.Audience()) }, "Audience names no service"},
		"an unknown algorithm": {
			func(t testing.TB) { start(t, signettest.Algorithm(keys.Algorithm("HS256"))) }, `"HS256" is not a choice`,
		},
		"a token of nobody": {func(t testing.TB) { start(t).Token(t, "") }, "needs a subject"},
		"a token for nobody": {
			func(t testing.TB) { start(t).Token(t, "alice", signettest.Audience()) }, "no audience",
		},
		"a login twice": {
			func(t testing.TB) { iss := start(t); iss.User(t, "alice"); iss.User(t, "Alice") }, `adding user "Alice"`,
		},
		"a redirect to plain http": {
			func(t testing.TB) { start(t).Client(t, "web", "http://app.example/cb") }, "must use https",
		},
		"a public machine": {func(t testing.TB) { start(t).Client(t, "robot", "", signettest.Public()) }, "redirect_uri"},
		"a scope that the client may not have": {
			func(t testing.TB) {
				iss := start(t)
				iss.SignIn(t, iss.User(t, "alice"), iss.Client(t, "web", callback), "orders:read")
			}, `register the client with Scope("orders:read")`,
		},
		"a wrong password": {
			func(t testing.TB) {
				iss := start(t)
				alice := iss.User(t, "alice")
				alice.Password = "guess"
				iss.SignIn(t, alice, iss.Client(t, "web", callback))
			}, "/signin answered 422",
		},
		"a client that does not exist": {
			func(t testing.TB) {
				iss := start(t)
				iss.SignIn(t, iss.User(t, "alice"), signettest.Client{ID: "web", RedirectURI: callback})
			}, "/authorize answered 400",
		},
		"revoking what is no token": {
			func(t testing.TB) { start(t).Revoke(t, "nonsense") }, "no client was registered that could have it",
		},
		"revoking another issuer's token": {
			func(t testing.TB) { start(t).Revoke(t, start(t).Token(t, "alice")) }, "revoking a token",
		},
		"ending the session of a machine": {
			func(t testing.TB) {
				iss := start(t)
				iss.EndSession(t, iss.Token(t, "robot", signettest.ClientID("robot")))
			}, "has no session behind it",
		},
		"ending a user who does not exist":       {func(t testing.TB) { start(t).EndUser(t, signettest.User{Subject: "x", Login: "alice"}) }, `of user "alice"`},
		"disabling a user who does not exist":    {func(t testing.TB) { start(t).DisableUser(t, signettest.User{Subject: "x", Login: "alice"}) }, `disabling user "alice"`},
		"enabling a user who does not exist":     {func(t testing.TB) { start(t).EnableUser(t, signettest.User{Subject: "x", Login: "alice"}) }, `enabling user "alice"`},
		"disabling a client that does not exist": {func(t testing.TB) { start(t).DisableClient(t, signettest.Client{ID: "web"}) }, `disabling client "web"`},
		"enabling a client that does not exist":  {func(t testing.TB) { start(t).EnableClient(t, signettest.Client{ID: "web"}) }, `enabling client "web"`},
		"awaiting a verifier that is closed": {
			func(t testing.TB) {
				iss := start(t)
				v := iss.Verifier(t)
				v.Close()
				iss.Revoke(t, iss.Token(t, "alice"))
				iss.Await(t, v)
			}, "closed",
		},
		"an authorization URL of somebody else": {
			func(t testing.TB) { start(t).Authorize(t, signettest.User{}, "https://id.example/authorize") }, "not an address of the issuer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := try(c.do)
			if len(got) != 1 || !strings.Contains(got[0], c.want) || !strings.HasPrefix(got[0], "signettest: ") {
				t.Errorf("reported %q, want %q", got, c.want)
			}
		})
	}
}
