package visitor_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/cookie"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/internal/visitor"
)

// hall is a door that lets in at most so many browsers of one person.
type hall struct {
	visitor.Door
	t     *testing.T
	alice user.User
	bob   user.User
	// signed counts the sign-ins: each is of another second, which is what a
	// session keeps of its time.
	signed atomic.Int64
}

func open(t *testing.T, most int) *hall {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	clients, err := client.Open(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		clients.Close()
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	h := &hall{t: t}
	users := user.NewDirectory(s)
	h.Door = visitor.Door{
		Store: s, Sessions: session.Policy{Idle: time.Hour, Absolute: time.Hour, Most: most},
		Ended: &ended.Endings{
			Store: s, Users: users, Clients: clients, Lifetime: time.Minute, Audit: time.Hour,
			Blocks: func(context.Context, string) ([]slot.Range, error) { return nil, nil },
			Known:  func(context.Context, store.Version) error { return nil },
		},
	}
	for login, to := range map[string]*user.User{"alice": &h.alice, "bob": &h.bob} {
		if *to, err = users.Create(t.Context(), user.User{Login: login}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// admit lets u in at a browser that has the cookies, and returns those that it has
// then.
func (h *hall) admit(u user.User, cookies ...*http.Cookie) []*http.Cookie {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), http.MethodPost, "/signin", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	at := time.Now().Add(time.Duration(h.signed.Add(1)) * time.Second)
	if err := h.Admit(w, r, "192.0.2.1", authn.New(u.Subject, at, authn.AMRPassword), u); err != nil {
		h.t.Error(err)
	}
	return w.Result().Cookies()
}

// in reports who a browser with the cookies stands for.
func (h *hall) in(cookies []*http.Cookie) *visitor.Visitor {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), http.MethodGet, "/", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	v, _, err := h.Who(r)
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

func (h *hall) sessions(u user.User) int {
	h.t.Helper()
	recs, err := h.Store.List(h.t.Context(), session.Prefix(u.Subject), "", store.MaxList)
	if err != nil {
		h.t.Fatal(err)
	}
	return len(recs)
}

func (h *hall) journal() []ended.Ending {
	h.t.Helper()
	var all []ended.Ending
	tail, err := ended.Follow(h.t.Context(), h.Store, func(e []ended.Ending) { all = append(all, e...) }, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	tail.Close()
	return all
}

func TestTheOldestSessionEndsWhenAPersonHasTooMany(t *testing.T) {
	h := open(t, 3)
	var browsers [][]*http.Cookie
	bobs := h.admit(h.bob)
	for n := range 5 {
		browsers = append(browsers, h.admit(h.alice))
		for i, b := range browsers {
			if in := h.in(b) != nil; in != (i > n-3) {
				t.Errorf("after %d sign-ins, browser %d is signed in %t", n+1, i+1, in)
			}
		}
	}
	if h.in(bobs) == nil {
		t.Error("another person was signed out")
	}
	journal := h.journal()
	if len(journal) != 2 || journal[0].Cause != ended.ByTooManySessions || journal[0].Kind != ended.KindSession {
		t.Errorf("the journal says %+v", journal)
	}
}

func TestSigningInAgainInOneBrowserEndsNothing(t *testing.T) {
	h := open(t, 2)
	other, mine := h.admit(h.alice), h.admit(h.alice)
	for range 3 {
		mine = h.admit(h.alice, mine...)
	}
	if h.in(other) == nil || h.in(mine) == nil || len(h.journal()) != 0 {
		t.Errorf("a browser was signed out: %+v", h.journal())
	}
}

func TestWithoutALimitAPersonMayHaveAnyNumberOfSessions(t *testing.T) {
	h := open(t, 0)
	for range 20 {
		h.admit(h.alice)
	}
	if n := h.sessions(h.alice); n != 20 {
		t.Errorf("%d sessions, want 20", n)
	}
}

func TestSignInsAtOnceNeverLeaveMoreThanTheLimit(t *testing.T) {
	h := open(t, 3)
	for range 10 {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { h.admit(h.alice) })
		}
		all.Wait()
		if n := h.sessions(h.alice); n > 3 {
			t.Errorf("%d sessions, want at most 3", n)
		}
	}
	if last := h.admit(h.alice); h.in(last) == nil {
		t.Error("who signs in last is not signed in")
	}
}

func TestAnotherPersonInTheSameBrowserEndsTheFirstOnesSession(t *testing.T) {
	h := open(t, 0)
	alices := h.admit(h.alice)
	bobs := h.admit(h.bob, alices...)
	if h.in(alices) != nil {
		t.Error("the first person's cookie still opens a session")
	}
	if v := h.in(bobs); v == nil || v.User.Subject != h.bob.Subject {
		t.Errorf("the browser stands for %+v", v)
	}
	if j := h.journal(); len(j) != 1 || j[0].Cause != ended.ByAnotherPerson || j[0].Subject != h.alice.Subject {
		t.Errorf("the journal says %+v", j)
	}
}

func TestASessionOfAnotherEpochStandsForNobody(t *testing.T) {
	for name, tt := range map[string]struct {
		s    session.Session
		u    user.User
		want bool
	}{
		"the same epoch":    {session.Session{Epoch: 2}, user.User{Epoch: 2}, true},
		"ended since":       {session.Session{Epoch: 1}, user.User{Epoch: 2}, false},
		"of a later record": {session.Session{Epoch: 3}, user.User{Epoch: 2}, false},
		"disabled":          {session.Session{}, user.User{Disabled: true}, false},
		"roles were lost":   {session.Session{}, user.User{TokenEpoch: 9}, true},
	} {
		if got := visitor.Stands(tt.s, tt.u); got != tt.want {
			t.Errorf("%s: Stands = %t, want %t", name, got, tt.want)
		}
	}
}

func TestWhoSignsInAfterAnEndingIsSignedIn(t *testing.T) {
	h := open(t, 0)
	u, err := h.Ended.User(t.Context(), h.alice.Subject, ended.ByOperator, nil)
	if err != nil {
		t.Fatal(err)
	}
	if h.in(h.admit(u)) == nil {
		t.Error("a session of the person's epoch stands for nobody")
	}
}

// interrupted lets something happen before the first Commit that goes through it.
type interrupted struct {
	store.Store
	once sync.Once
	then func()
}

func (i *interrupted) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	i.once.Do(i.then)
	return i.Store.Commit(ctx, ops...)
}

// A session begins under the person's fence: an ending that has looked already
// looks again.
func TestASessionThatBeginsAfterAnEndingHasLookedIsSeenByIt(t *testing.T) {
	h := open(t, 0)
	s := &interrupted{Store: h.Store, then: func() { h.admit(h.alice) }}
	endings := *h.Ended
	endings.Store, endings.Users = s, user.NewDirectory(s)
	if _, err := endings.User(t.Context(), h.alice.Subject, ended.ByOperator, nil); err != nil {
		t.Fatal(err)
	}
	if n := h.sessions(h.alice); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestASignInAndAnEndingAtOnceLeaveNobodySignedIn(t *testing.T) {
	h := open(t, 0)
	for range 40 {
		var (
			cookies []*http.Cookie
			both    sync.WaitGroup
		)
		both.Go(func() { cookies = h.admit(h.alice) })
		both.Go(func() {
			if _, err := h.Ended.User(t.Context(), h.alice.Subject, ended.ByOperator, nil); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		if v := h.in(cookies); v != nil {
			t.Fatalf("a session of epoch %d stands for a user of epoch %d", v.Session.Epoch, v.User.Epoch)
		}
		h.alice.Epoch++
	}
}

func TestABrowserWithoutACookieCostsNothingAndIsNobody(t *testing.T) {
	h := open(t, 0)
	if v := h.in([]*http.Cookie{{Name: string(cookie.Session), Value: "made-up"}}); v != nil {
		t.Errorf("a made-up cookie stands for %+v", v)
	}
	if v := h.in(nil); v != nil {
		t.Errorf("nobody is %+v", v)
	}
}
