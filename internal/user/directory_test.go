package user_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
	"github.com/signet-id/signet/internal/user"
)

// counted counts what a request costs.
type counted struct {
	store.Store
	gets, commits atomic.Int64

	// meanwhile, when set, runs once: after a read, as another node would.
	meanwhile func()
}

func (c *counted) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	c.gets.Add(1)
	records, err := c.Store.Get(ctx, keys...)
	if f := c.meanwhile; f != nil {
		c.meanwhile = nil
		f()
	}
	return records, err
}

func (c *counted) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	c.commits.Add(1)
	return c.Store.Commit(ctx, ops...)
}

func newDirectory(t *testing.T) (*user.Directory, *counted) {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &counted{Store: s}
	return user.NewDirectory(c), c
}

func create(t *testing.T, d *user.Directory, u user.User) user.User {
	t.Helper()
	made, err := d.Create(t.Context(), u)
	if err != nil {
		t.Fatalf("Create(%q): %v", u.Login, err)
	}
	return made
}

func wantKind(t *testing.T, err error, kind fault.Kind, field string) {
	t.Helper()
	gotField, message := fault.Public(err)
	if got := fault.KindOf(err); err == nil || got != kind || gotField != field {
		t.Errorf("got %v (%s on %q: %s), want %s on %q", err, got, gotField, message, kind, field)
	}
}

func same(t *testing.T, got, want user.User) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(user.User{})); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func full() user.User {
	return user.User{
		Login: "Alice@Example.COM", Email: "alice@example.com", EmailVerified: true,
		Name: "Alice Liddell", GivenName: "Alice", FamilyName: "Liddell",
		Profile: user.Profile{
			MiddleName: "P", Nickname: "Al", Page: "https://example.com/alice", Picture: "https://example.com/a.png",
			Website: "http://alice.example", Gender: "female", Birthdate: "1852-05-04", Zoneinfo: "Europe/London",
			Locale: "en-GB", PhoneNumber: "+44 20 7946 0000", PhoneNumberVerified: true,
			Address: user.Address{Formatted: "1 Deanery\nOxford", Locality: "Oxford", Country: "GB"},
		},
		Roles: []string{"reader", "admin", "reader"}, Groups: []string{"Domain Users"},
		Password: user.NewPasswordHash("$argon2id$x"),
	}
}

func TestWhatIsCreatedIsFoundByEveryName(t *testing.T) {
	d, c := newDirectory(t)
	made := create(t, d, full())
	if c.commits.Load() != 1 {
		t.Errorf("%d commits, want 1", c.commits.Load())
	}
	if len(made.Subject) != 22 || made.Login != "alice@example.com" || made.Created.IsZero() || !made.PasswordChanged.Equal(made.Created) {
		t.Errorf("created %+v", made)
	}
	if want := []string{"admin", "reader"}; !slices.Equal(made.Roles, want) {
		t.Errorf("roles %v, want %v", made.Roles, want)
	}
	for name, find := range map[string]func() (user.User, store.Version, error){
		"Get":              func() (user.User, store.Version, error) { return d.Get(t.Context(), made.Subject) },
		"ByLogin":          func() (user.User, store.Version, error) { return d.ByLogin(t.Context(), "ALICE@example.com") },
		"ByRef of subject": func() (user.User, store.Version, error) { return d.ByRef(t.Context(), made.Subject) },
		"ByRef of login":   func() (user.User, store.Version, error) { return d.ByRef(t.Context(), "alice@example.com") },
	} {
		got, version, err := find()
		if err != nil || version == 0 {
			t.Errorf("%s: version %d, %v", name, version, err)
		}
		same(t, got, made)
	}
}

func TestAnUnknownUserIsNotFound(t *testing.T) {
	d, _ := newDirectory(t)
	for _, ref := range []string{"alice", "", "not a login", strings.Repeat("x", 600), "AAAAAAAAAAAAAAAAAAAAAA"} {
		_, _, err := d.ByRef(t.Context(), ref)
		wantKind(t, err, fault.NotFound, "")
		_, _, err = d.Get(t.Context(), ref)
		wantKind(t, err, fault.NotFound, "")
	}
}

func TestAnUnknownLoginCostsTheStoreTheSameAsAKnownOne(t *testing.T) {
	d, c := newDirectory(t)
	create(t, d, user.User{Login: "alice"})
	for _, login := range []string{"alice", "nobody-here"} {
		before := c.gets.Load()
		_, _, _ = d.ByLogin(t.Context(), login)
		if got := c.gets.Load() - before; got != 2 {
			t.Errorf("ByLogin(%q) took %d reads, want 2", login, got)
		}
	}
}

func TestTwoUsersNeverShareALogin(t *testing.T) {
	d, _ := newDirectory(t)
	create(t, d, user.User{Login: "alice"})
	bob := create(t, d, user.User{Login: "bob"})

	_, err := d.Create(t.Context(), user.User{Login: "ALICE"})
	wantKind(t, err, fault.Conflict, "login")
	if _, message := fault.Public(err); !strings.Contains(message, `"alice"`) {
		t.Errorf("message %q does not name the login", message)
	}
	_, err = d.Update(t.Context(), bob.Subject, func(u *user.User) error { u.Login = "Alice"; return nil })
	wantKind(t, err, fault.Conflict, "login")
	if u, _, err := d.ByLogin(t.Context(), "bob"); err != nil || u.Subject != bob.Subject {
		t.Errorf("bob after the refused change: %+v, %v", u, err)
	}
}

func TestOfManyWhoAskForOneLoginOneGetsIt(t *testing.T) {
	d, _ := newDirectory(t)
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			_, err := d.Create(t.Context(), user.User{Login: "alice"})
			if err == nil {
				won.Add(1)
			} else if fault.KindOf(err) != fault.Conflict {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d users have the login, want 1", won.Load())
	}
}

func TestAChangedLoginFreesTheOldOne(t *testing.T) {
	d, c := newDirectory(t)
	alice := create(t, d, user.User{Login: "alice"})
	before := c.commits.Load()
	moved, err := d.Update(t.Context(), alice.Subject, func(u *user.User) error { u.Login = "Liddell"; return nil })
	if err != nil || moved.Login != "liddell" {
		t.Fatalf("got %+v, %v", moved, err)
	}
	if got := c.commits.Load() - before; got != 1 {
		t.Errorf("%d commits, want 1", got)
	}
	if u, _, err := d.ByLogin(t.Context(), "liddell"); err != nil || u.Subject != alice.Subject {
		t.Errorf("by the new login: %+v, %v", u, err)
	}
	_, _, err = d.ByLogin(t.Context(), "alice")
	wantKind(t, err, fault.NotFound, "")
	if next := create(t, d, user.User{Login: "alice"}); next.Subject == alice.Subject {
		t.Error("the next alice has the subject of the first")
	}
}

func TestNoConcurrentChangeIsLost(t *testing.T) {
	d, _ := newDirectory(t)
	alice := create(t, d, user.User{Login: "alice"})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			_, err := d.Update(t.Context(), alice.Subject, func(u *user.User) error {
				u.Roles = append(u.Roles, fmt.Sprintf("role-%02d", i))
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, _, err := d.Get(t.Context(), alice.Subject)
	if err != nil || len(got.Roles) != 16 {
		t.Errorf("%d roles, %v; want 16", len(got.Roles), err)
	}
}

func TestAnUpdateKeepsWhatIsTheDirectorys(t *testing.T) {
	d, c := newDirectory(t)
	alice := create(t, d, user.User{Login: "alice"})
	refused := errors.New("no")
	if _, err := d.Update(t.Context(), alice.Subject, func(*user.User) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("got %v, want the error of fn", err)
	}
	_, err := d.Update(t.Context(), alice.Subject, func(u *user.User) error { u.Subject = "AAAAAAAAAAAAAAAAAAAAAA"; return nil })
	wantKind(t, err, fault.Invalid, "subject")

	before := c.commits.Load()
	got, err := d.Update(t.Context(), alice.Subject, func(u *user.User) error { u.Login = "ALICE"; return nil })
	if err != nil || c.commits.Load() != before {
		t.Errorf("a change of nothing: %v, %d commits", err, c.commits.Load()-before)
	}
	same(t, got, alice)

	got, err = d.Update(t.Context(), alice.Subject, func(u *user.User) error {
		u.Password = user.NewPasswordHash("$argon2id$new")
		u.Created = u.Created.AddDate(-1, 0, 0)
		return nil
	})
	if err != nil || got.PasswordChanged.IsZero() || !got.Created.Equal(alice.Created) {
		t.Errorf("got created %v, password changed %v, %v", got.Created, got.PasswordChanged, err)
	}
}

func TestAnotherAddressIsNotVerifiedUnlessSomebodySaysSo(t *testing.T) {
	d, _ := newDirectory(t)
	alice := create(t, d, full())
	got, err := d.Update(t.Context(), alice.Subject, func(u *user.User) error {
		u.Email, u.Profile.PhoneNumber = "eve@example.com", "+1 555"
		return nil
	})
	if err != nil || got.EmailVerified || got.Profile.PhoneNumberVerified {
		t.Errorf("verified %v and %v, %v; want neither", got.EmailVerified, got.Profile.PhoneNumberVerified, err)
	}
	got, err = d.Update(t.Context(), alice.Subject, func(u *user.User) error {
		u.SetEmail("al@example.com", true)
		u.SetPhone("+1 556", true)
		return nil
	})
	if err != nil || !got.EmailVerified || !got.Profile.PhoneNumberVerified {
		t.Errorf("verified %v and %v, %v; want both", got.EmailVerified, got.Profile.PhoneNumberVerified, err)
	}
}

func TestWhatMustHappenWithAChangeHappensWithIt(t *testing.T) {
	d, c := newDirectory(t)
	alice := create(t, d, user.User{Login: "alice"})
	disable := func(u *user.User) error { u.Disabled = true; return nil }
	if _, err := d.Update(t.Context(), alice.Subject, disable, store.Put("ended/1", []byte("x")).IfAbsent()); err != nil {
		t.Fatal(err)
	}
	// The journal's key is taken now: neither may happen.
	_, err := d.Update(t.Context(), alice.Subject, func(u *user.User) error { u.Name = "x"; return nil },
		store.Put("ended/1", []byte("y")).IfAbsent())
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("got %v, want the conflict of the other room", err)
	}
	if err := d.Remove(t.Context(), alice.Subject, store.Put("ended/1", nil).IfAbsent()); !errors.Is(err, store.ErrConflict) {
		t.Errorf("got %v, want the conflict of the other room", err)
	}
	records, err := c.Get(t.Context(), "ended/1", user.Key(alice.Subject))
	if err != nil {
		t.Fatal(err)
	}
	got, err := user.Decode(records[1])
	if err != nil || !got.Disabled || got.Name != "" || string(records[0].Value) != "x" {
		t.Errorf("got %+v and %q, %v", got, records[0].Value, err)
	}
}

func TestARemovedUserLeavesNothing(t *testing.T) {
	d, c := newDirectory(t)
	alice := create(t, d, user.User{Login: "alice"})
	if err := d.Remove(t.Context(), alice.Subject); err != nil {
		t.Fatal(err)
	}
	wantKind(t, d.Remove(t.Context(), alice.Subject), fault.NotFound, "")
	for _, prefix := range []string{"user/", "login/"} {
		left, err := c.List(t.Context(), prefix, "", 10)
		if err != nil || len(left) != 0 {
			t.Errorf("%s still holds %v, %v", prefix, left, err)
		}
	}
}

func TestAListIsReadInPages(t *testing.T) {
	d, _ := newDirectory(t)
	want := make(map[string]bool)
	for i := range 7 {
		want[create(t, d, user.User{Login: fmt.Sprintf("user%d", i)}).Subject] = true
	}
	after := ""
	for {
		page, err := d.List(t.Context(), after, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page {
			if !want[u.Subject] {
				t.Errorf("%s is listed twice, or is nobody", u.Subject)
			}
			delete(want, u.Subject)
			after = u.Subject
		}
		if len(page) < 3 {
			break
		}
	}
	if len(want) != 0 {
		t.Errorf("%d users were not listed", len(want))
	}
	_, err := d.List(t.Context(), "", 0)
	wantKind(t, err, fault.Invalid, "limit")
	_, err = d.List(t.Context(), "x", 1)
	wantKind(t, err, fault.Invalid, "after")
}

func TestASubjectFromAnotherIssuerIsKeptAndTheRulesHold(t *testing.T) {
	d, _ := newDirectory(t)
	sub := "auth0|5f7c8ec7c33c6c004bbafe82"
	if got := create(t, d, user.User{Login: "alice", Subject: sub}); got.Subject != sub {
		t.Errorf("subject %q, want %q", got.Subject, sub)
	}
	_, err := d.Create(t.Context(), user.User{Login: "bob", Subject: sub})
	wantKind(t, err, fault.Conflict, "subject")
	for _, sub := range []string{"alice", "alice-long-enough@example.com", "user/0123456789abcdef"} {
		_, err := d.Create(t.Context(), user.User{Login: "bob", Subject: sub})
		wantKind(t, err, fault.Invalid, "subject")
	}
}

func TestNobodyIsNamedByAnothersSubject(t *testing.T) {
	d, _ := newDirectory(t)
	alice := create(t, d, user.User{Login: "alice", Subject: "0123456789abcdef"})
	create(t, d, user.User{Login: "0123456789abcdef"})
	got, _, err := d.ByRef(t.Context(), alice.Subject)
	if err != nil || got.Login != "alice" {
		t.Errorf("got %q, %v; want alice", got.Login, err)
	}
}

func TestReplaceWritesOnlyOverWhatWasRead(t *testing.T) {
	d, c := newDirectory(t)
	alice := create(t, d, user.User{Login: "alice"})
	u, version, err := d.Get(t.Context(), alice.Subject)
	if err != nil {
		t.Fatal(err)
	}
	u.Password = user.NewPasswordHash("$argon2id$rehashed")
	op, err := user.Replace(u, version)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Commit(t.Context(), op); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Commit(t.Context(), op); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the second time: %v, want a conflict", err)
	}
}

func TestALoginThatMovesMeanwhileFindsNobodyElse(t *testing.T) {
	d, c := newDirectory(t)
	alice := create(t, d, user.User{Login: "alice"})
	rename := func(to string) func() {
		return func() {
			if _, err := d.Update(t.Context(), alice.Subject, func(u *user.User) error { u.Login = to; return nil }); err != nil {
				t.Error(err)
			}
		}
	}
	c.meanwhile = rename("liddell")
	got, _, err := d.ByLogin(t.Context(), "alice")
	if fault.KindOf(err) != fault.NotFound || got.Subject != "" {
		t.Errorf("got %+v, %v; want nobody", got, err)
	}

	c.meanwhile = rename("alice")
	if err := d.Remove(t.Context(), alice.Subject); err != nil {
		t.Fatal(err)
	}
	left, err := c.List(t.Context(), "login/", "", 10)
	if err != nil || len(left) != 0 {
		t.Errorf("the removed user's login stays: %v, %v", left, err)
	}
}
