package password_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/authn/password"
	"github.com/signet-id/signet/internal/authn/throttle"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

const secret = "correct horse 9 battery"

var home = netip.MustParseAddr("192.0.2.1")

// people is a directory in the mind.
type people map[string]user.User

func (p people) ByLogin(_ context.Context, login string) (user.User, store.Version, error) {
	normal, err := user.NormaliseLogin(login)
	if err != nil {
		return user.User{}, 0, fault.New(fault.NotFound, "no such user")
	}
	if login == "disk" {
		return user.User{}, 0, fault.New(fault.Unavailable, "the disk is away")
	}
	u, ok := p[normal]
	if !ok {
		return user.User{}, 0, fault.New(fault.NotFound, "no such user")
	}
	return u, 7, nil
}

// light is as cheap as argon2id gets: these tests count hashes, not time.
func light(t *testing.T) *password.Hasher {
	t.Helper()
	return hasher(t, password.Options{Memory: 8, Time: 1})
}

func hasher(t *testing.T, o password.Options) *password.Hasher {
	t.Helper()
	h, err := password.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func hashed(t *testing.T, h *password.Hasher, pw string) user.PasswordHash {
	t.Helper()
	kept, err := h.Hash(t.Context(), pw)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func newMethod(t *testing.T) *password.Method {
	t.Helper()
	h := light(t)
	kept := hashed(t, h, secret)
	return &password.Method{
		Users: people{
			"alice":    {Subject: "sub-alice", Login: "alice", Password: kept},
			"disabled": {Subject: "sub-disabled", Login: "disabled", Password: kept, Disabled: true},
			"passkey":  {Subject: "sub-passkey", Login: "passkey"},
			"broken":   {Subject: "sub-broken", Login: "broken", Password: user.NewPasswordHash("$2y$10$imported")},
		},
		Hasher: h, Throttle: throttle.New(),
	}
}

func TestTheRightPasswordSignsIn(t *testing.T) {
	m := newMethod(t)
	for _, login := range []string{"alice", "ALICE", " alice "} {
		before := time.Now().Truncate(time.Second)
		got, err := m.SignIn(t.Context(), login, secret, home)
		if err != nil {
			t.Fatalf("%q: %v", login, err)
		}
		if got.Subject != "sub-alice" || got.User.Login != "alice" || got.Version != 7 || got.Rehash {
			t.Errorf("%q: got %+v", login, got)
		}
		if got.ACR != authn.ACROneFactor || fmt.Sprint(got.AMR) != "[pwd]" || got.Time.Before(before) {
			t.Errorf("%q: acr %q, amr %v, at %v", login, got.ACR, got.AMR, got.Time)
		}
	}
}

func TestWhateverIsWrongTheAnswerAndTheWorkAreTheSame(t *testing.T) {
	m := newMethod(t)
	for name, c := range map[string]struct{ login, pw string }{
		"wrong password":         {"alice", "something else 1"},
		"unknown login":          {"mallory", secret},
		"a login nobody can own": {"not a login!", secret},
		"no login":               {"", secret},
		"disabled user":          {"disabled", secret},
		"user without password":  {"passkey", secret},
		"user without password,": {"passkey", ""},
		"unreadable record":      {"broken", secret},
		"no password":            {"alice", ""},
		"a control character":    {"alice", secret + "\x00"},
		"a huge password":        {"alice", strings.Repeat("x", 1<<20)},
	} {
		m.Throttle = throttle.New()
		before := m.Hasher.Hashes()
		_, err := m.SignIn(t.Context(), c.login, c.pw, home)
		if got := m.Hasher.Hashes() - before; got != 1 {
			t.Errorf("%s: %d hashes, want 1", name, got)
		}
		field, message := fault.Public(err)
		if fault.KindOf(err) != fault.Unauthenticated || field != "" || message != "The login or password is not right." {
			t.Errorf("%s: %v", name, err)
		}
		if fault.RetryAfter(err) != 0 {
			t.Errorf("%s: retry after %v", name, fault.RetryAfter(err))
		}
	}
}

func TestAnUnreadableRecordIsToldToTheLog(t *testing.T) {
	_, err := newMethod(t).SignIn(t.Context(), "broken", secret, home)
	if !errors.Is(err, password.ErrUnreadable) {
		t.Errorf("got %v, want the cause inside", err)
	}
}

func TestEveryKindOfFailureIsSlowedDownAlike(t *testing.T) {
	for _, login := range []string{"alice", "mallory", "disabled", "passkey", "broken", "not a login!"} {
		m := newMethod(t)
		for range 5 {
			if _, err := m.SignIn(t.Context(), login, "wrong password", home); fault.KindOf(err) != fault.Unauthenticated {
				t.Fatalf("%s: %v", login, err)
			}
		}
		before := m.Hasher.Hashes()
		_, err := m.SignIn(t.Context(), strings.ToUpper(login), secret, home)
		if login == "not a login!" { // nobody's: as it was typed
			_, err = m.SignIn(t.Context(), login, secret, home)
			before = m.Hasher.Hashes()
		}
		if fault.KindOf(err) != fault.TooMany || fault.RetryAfter(err) != time.Second {
			t.Errorf("%s: %v, want to wait a second", login, err)
		}
		if m.Hasher.Hashes() != before {
			t.Errorf("%s: a refused attempt was hashed", login)
		}
	}
}

func TestAFailureOfOursIsNotTheUsers(t *testing.T) {
	m := newMethod(t)
	for range 40 {
		_, err := m.SignIn(t.Context(), "disk", secret, home)
		if fault.KindOf(err) != fault.Unavailable {
			t.Fatalf("got %v, want unavailable", err)
		}
	}
	if _, err := m.SignIn(t.Context(), "alice", secret, home); err != nil {
		t.Errorf("the address paid for it: %v", err)
	}
}

func TestOfAHundredGuessesAtOnceFiveAreHashed(t *testing.T) {
	m := newMethod(t)
	before := m.Hasher.Hashes()
	var wg sync.WaitGroup
	var slowed atomic.Int64
	for range 100 {
		wg.Go(func() {
			if _, err := m.SignIn(t.Context(), "alice", "wrong password", home); fault.KindOf(err) == fault.TooMany {
				slowed.Add(1)
			}
		})
	}
	wg.Wait()
	if got := m.Hasher.Hashes() - before; got != 5 || slowed.Load() != 95 {
		t.Errorf("%d guesses were hashed and %d slowed down, want 5 and 95", got, slowed.Load())
	}
}

func TestOtherCostsAreToldAtSignIn(t *testing.T) {
	m := newMethod(t)
	m.Hasher = hasher(t, password.Options{Memory: 16, Time: 1})
	got, err := m.SignIn(t.Context(), "alice", secret, home)
	if err != nil || !got.Rehash {
		t.Errorf("rehash %v, %v; want it", got.Rehash, err)
	}
	ok, rehash, err := m.Hasher.Check(t.Context(), hashed(t, m.Hasher, secret), secret)
	if err != nil || !ok || rehash {
		t.Errorf("after it: ok %v, rehash %v, %v", ok, rehash, err)
	}
}

func TestAHashFromElsewhereIsChecked(t *testing.T) {
	// Made by the reference implementation: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32
	const phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	h := light(t)
	ok, rehash, err := h.Check(t.Context(), user.NewPasswordHash(phc), "password")
	if err != nil || !ok || !rehash {
		t.Errorf("ok %v, rehash %v, %v; want both", ok, rehash, err)
	}
	ok, rehash, err = h.Check(t.Context(), user.NewPasswordHash(phc), "passwore")
	if err != nil || ok || rehash {
		t.Errorf("a wrong one: ok %v, rehash %v, %v; want neither", ok, rehash, err)
	}
}

func TestThePasswordIsTheSameOnEveryKeyboard(t *testing.T) {
	h := light(t)
	kept := hashed(t, h, "Zo\u0065\u0308 caf\u00e9\u00a0au lait")
	ok, _, err := h.Check(t.Context(), kept, "Zo\u00eb cafe\u0301 au lait")
	if err != nil || !ok {
		t.Errorf("ok %v, %v", ok, err)
	}
	if ok, _, _ := h.Check(t.Context(), kept, "zo\u00eb cafe\u0301 au lait"); ok {
		t.Error("another case is right too")
	}
}

func TestTwoHashesOfOnePasswordDiffer(t *testing.T) {
	h := light(t)
	if hashed(t, h, secret).Equal(hashed(t, h, secret)) {
		t.Error("the salt is not random")
	}
}

func TestTheDefaultsAreOWASPs(t *testing.T) {
	h := hasher(t, password.Options{})
	if got := hashed(t, h, secret).Reveal(); !strings.HasPrefix(got, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %s", got)
	}
	for _, o := range []password.Options{
		{Memory: 7}, {Memory: 1 << 30}, {Time: 17}, {Memory: 256 << 10, Time: 5}, {Concurrency: -1}, {Queue: -1},
	} {
		if _, err := password.New(o); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v, want invalid", o, err)
		}
	}
}

// slow is a cost that leaves time to look at the queue.
func slow() password.Options {
	return password.Options{Memory: 64 << 10, Time: 4, Concurrency: 1, Queue: 2}
}

func TestBeyondTheQueueTheAnswerIsTooManyAtOnce(t *testing.T) {
	h := hasher(t, slow())
	var hashed, turnedAway atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			switch _, err := h.Hash(t.Context(), secret); {
			case err == nil:
				hashed.Add(1)
			case fault.KindOf(err) == fault.TooMany && fault.RetryAfter(err) > 0:
				turnedAway.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// The first runs, two wait; one or two more may find a place as they move up.
	if hashed.Load() < 3 || hashed.Load() > 6 || hashed.Load()+turnedAway.Load() != 20 {
		t.Errorf("%d hashed, %d turned away; want 3 or little more of 20", hashed.Load(), turnedAway.Load())
	}
	if _, err := h.Hash(t.Context(), secret); err != nil {
		t.Errorf("after the storm: %v", err)
	}
}

func TestWhoLeavesTheQueueIsNotHashed(t *testing.T) {
	h := hasher(t, slow())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, secret); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}

	busy := make(chan struct{})
	go func() {
		defer close(busy)
		for range 3 {
			if _, err := h.Hash(t.Context(), secret); err != nil {
				t.Error(err)
			}
		}
	}()
	for h.Hashes() == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := h.Hash(ctx, secret); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
	<-busy
	if h.Hashes() != 3 {
		t.Errorf("%d hashes, want 3", h.Hashes())
	}
}
