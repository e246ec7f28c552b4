package admin_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/user"
)

const river = "a long walk by the river"

func (h *house) add(login string) admin.UserView {
	h.t.Helper()
	u, err := h.AddUser(h.t.Context(), admin.UserSettings{Login: &login, Roles: &[]string{"admin"}}, secret.New(river))
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

// right reports whether pw is the user's password.
func (h *house) right(login, pw string) bool {
	h.t.Helper()
	u, _, err := h.Users.ByLogin(h.t.Context(), login)
	if err != nil {
		h.t.Fatal(err)
	}
	ok, _, err := h.Passwords.Check(h.t.Context(), u.Password, pw)
	if err != nil {
		h.t.Fatal(err)
	}
	return ok
}

func TestAUserIsFoundByLoginAndBySubject(t *testing.T) {
	h := newHouse(t)
	alice := h.add("alice")
	for _, ref := range []string{"alice", "ALICE", alice.Subject} {
		got, err := h.ShowUser(t.Context(), ref)
		if err != nil || got.Subject != alice.Subject {
			t.Errorf("%s: got %+v, %v", ref, got, err)
		}
	}
	_, err := h.ShowUser(t.Context(), "nobody")
	wantKind(t, err, fault.NotFound, "user")
	if !h.right("alice", river) {
		t.Error("the password that was set is not hers")
	}
}

func TestAUserWithoutPasswordHasNone(t *testing.T) {
	h := newHouse(t)
	u, err := h.AddUser(t.Context(), admin.UserSettings{Login: ptr("bob")}, secret.Value{})
	if err != nil || u.HasPassword {
		t.Errorf("got %+v, %v", u, err)
	}
	if h.right("bob", "") {
		t.Error("an empty password is right")
	}
}

func TestAWeakPasswordIsRefusedAndNothingIsAdded(t *testing.T) {
	h := newHouse(t)
	_, err := h.AddUser(t.Context(), admin.UserSettings{Login: ptr("alice")}, secret.New("password1"))
	wantKind(t, err, fault.Invalid, "password")
	_, err = h.ShowUser(t.Context(), "alice")
	wantKind(t, err, fault.NotFound, "user")
}

// What ends authority ends it for sessions and offline grants alike, of this
// user and of nobody else.
func TestDisablingRemovingAndANewPasswordEndAllOfAUser(t *testing.T) {
	for name, end := range map[string]func(*house) error{
		"disable": func(h *house) error { _, err := h.DisableUser(h.t.Context(), "alice"); return err },
		"remove":  func(h *house) error { return h.RemoveUser(h.t.Context(), "alice") },
		"set-password": func(h *house) error {
			_, err := h.SetPassword(h.t.Context(), "alice", secret.New("another walk, in the rain"))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			alice, bob := h.add("alice"), h.add("bob")
			h.signIn(alice.Subject)
			h.signIn(alice.Subject)
			h.signIn(bob.Subject)
			if err := end(h); err != nil {
				t.Fatal(err)
			}
			if n := h.alive(alice.Subject); n != 0 {
				t.Errorf("%d of alice's sessions and grants are alive, want 0", n)
			}
			if n := h.alive(bob.Subject); n != 2 {
				t.Errorf("%d of bob's are alive, want both", n)
			}
		})
	}
}

func TestAnotherRoleAndWhatElseIsSetEndNothing(t *testing.T) {
	h := newHouse(t)
	alice := h.add("alice")
	h.signIn(alice.Subject)
	got, err := h.SetUser(t.Context(), "alice", admin.UserSettings{
		Roles: &[]string{"auditor", "admin"}, Groups: &[]string{"b", "a"}, Login: ptr("alice.ahlgren"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Roles) != 2 || !slices.Equal(got.Groups, []string{"a", "b"}) || got.Login != "alice.ahlgren" || got.Subject != alice.Subject {
		t.Errorf("got %+v", got)
	}
	if n := len(h.journal()); n != 0 || h.alive(alice.Subject) != 2 {
		t.Errorf("%d endings were recorded, or her session is gone; want her session, and no ending", n)
	}
	if u := h.record("alice.ahlgren"); u.Epoch != 0 || u.TokenEpoch != 0 {
		t.Errorf("epochs %d and %d, want none to have ended", u.Epoch, u.TokenEpoch)
	}
}

// record is the user as the directory has them.
func (h *house) record(login string) user.User {
	h.t.Helper()
	u, _, err := h.Users.ByLogin(h.t.Context(), login)
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

// A token says what roles and groups were; one that says nothing of them is as
// true as before, and whoever is signed in stays so.
func TestARoleOrGroupTakenAwayEndsTheTokensThatSpeakOfThemAndNothingElse(t *testing.T) {
	for name, less := range map[string]admin.UserSettings{
		"a role":  {Roles: &[]string{"auditor"}},
		"a group": {Groups: &[]string{}, Name: ptr("Alice")},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			alice, bob := h.add("alice"), h.add("bob")
			if _, err := h.SetUser(t.Context(), "alice", admin.UserSettings{Groups: &[]string{"crew"}}); err != nil {
				t.Fatal(err)
			}
			here := grant.Ref{Subject: alice.Subject, SessionID: h.signIn(alice.Subject)}
			h.begin(here, client.RefreshSession, slot.At(1, 10), "openid", "roles")
			h.begin(here, client.RefreshOffline, slot.At(1, 20), "groups")
			h.begin(here, client.RefreshSession, slot.At(1, 30), "openid", "orders:read")
			h.begin(grant.Ref{Subject: bob.Subject, SessionID: ident.New()}, client.RefreshSession, slot.At(1, 40), "roles")
			if _, err := h.SetUser(t.Context(), "alice", less); err != nil {
				t.Fatal(err)
			}
			last := h.lastEnding(ended.KindRoles, ended.ByRoleLoss)
			slices.SortFunc(last.Slots, func(a, b slot.Range) int { return cmp.Compare(a.First, b.First) })
			want := []slot.Range{slot.Only(slot.At(1, 10)), slot.Only(slot.At(1, 20))}
			if !slices.Equal(last.Slots, want) || last.Subject != alice.Subject {
				t.Errorf("slots %v of %s ended, want %v of %s", last.Slots, last.Subject, want, alice.Subject)
			}
			if u := h.record("alice"); u.TokenEpoch != 1 || u.Epoch != 0 {
				t.Errorf("epochs %d and %d, want her tokens' alone to have ended", u.Epoch, u.TokenEpoch)
			}
			if n := h.alive(alice.Subject); n != 5 {
				t.Errorf("%d of her session and grants are alive, want all 5", n)
			}
		})
	}
}

// The change and what it ends are one Commit: what fails has changed nothing, and
// the command can be repeated.
func TestAnEndingThatFailsChangesNothingAndCanBeRepeated(t *testing.T) {
	for name, end := range map[string]func(*house) error{
		"disable": func(h *house) error { _, err := h.DisableUser(h.t.Context(), "alice"); return err },
		"remove":  func(h *house) error { return h.RemoveUser(h.t.Context(), "alice") },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			alice := h.add("alice")
			h.signIn(alice.Subject)
			h.store.list = errors.New("the disk is away")
			if err := end(h); err == nil {
				t.Fatal("no error")
			}
			if got, err := h.ShowUser(t.Context(), "alice"); err != nil || got.Disabled || h.alive(alice.Subject) != 2 {
				t.Errorf("got %+v, %v, want her as she was", got, err)
			}
			h.store.list = nil
			if err := end(h); err != nil {
				t.Fatal(err)
			}
			if n := h.alive(alice.Subject); n != 0 {
				t.Errorf("%d are alive, want 0", n)
			}
		})
	}
}

func TestANewPasswordReplacesTheOld(t *testing.T) {
	h := newHouse(t)
	h.add("alice")
	const rain = "another walk, in the rain"
	if _, err := h.SetPassword(t.Context(), "alice", secret.New(rain)); err != nil {
		t.Fatal(err)
	}
	if h.right("alice", river) || !h.right("alice", rain) {
		t.Error("the old password is right, or the new one is not")
	}
	_, err := h.SetPassword(t.Context(), "alice", secret.New("alice"))
	wantKind(t, err, fault.Invalid, "password")
	_, err = h.SetPassword(t.Context(), "alice", secret.Value{})
	wantKind(t, err, fault.Invalid, "password")
	if !h.right("alice", rain) {
		t.Error("a refused password replaced the one before")
	}
}

func TestAnAddressIsVerifiedOnlyWhenSaid(t *testing.T) {
	h := newHouse(t)
	h.add("alice")
	_, err := h.SetUser(t.Context(), "alice", admin.UserSettings{EmailVerified: ptr(true)})
	wantKind(t, err, fault.Invalid, "email_verified")
	for _, step := range []struct {
		s    admin.UserSettings
		want bool
	}{
		{admin.UserSettings{Email: ptr("alice@example.com"), EmailVerified: ptr(true)}, true},
		{admin.UserSettings{Name: ptr("Alice")}, true},
		{admin.UserSettings{Email: ptr("alice@example.org")}, false}, // another address is another proof
		{admin.UserSettings{EmailVerified: ptr(true)}, true},
		{admin.UserSettings{EmailVerified: ptr(false)}, false},
	} {
		got, err := h.SetUser(t.Context(), "alice", step.s)
		if err != nil || got.EmailVerified != step.want {
			t.Errorf("got %+v, %v, want verified %v", got, err, step.want)
		}
	}
}

func TestUsersAreListedInPages(t *testing.T) {
	h := newHouse(t)
	var all []string
	for _, login := range []string{"alice", "bob", "carol"} {
		all = append(all, h.add(login).Subject)
	}
	slices.Sort(all)
	first, err := h.ListUsers(t.Context(), "", 2)
	if err != nil || len(first) != 2 {
		t.Fatalf("got %v, %v", first, err)
	}
	second, err := h.ListUsers(t.Context(), first[1].Subject, 2)
	if err != nil || len(second) != 1 || second[0].Subject != all[2] {
		t.Errorf("got %+v, %v", second, err)
	}
}

func TestNoViewHoldsASecretADigestOrAHash(t *testing.T) {
	h := newHouse(t)
	made, err := h.AddClient(t.Context(), "shop", shop())
	if err != nil {
		t.Fatal(err)
	}
	h.add("alice")
	c, _ := h.Clients.Find("shop")
	u, _, err := h.Users.ByLogin(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	text := h.everything(t.Context())
	digest, err := json.Marshal(c.Secrets[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	for name, hidden := range map[string]string{
		"secret": made.Secret.Reveal(), "digest": strings.Trim(string(digest), `"`), "hash": u.Password.Reveal(),
		"argon2": "argon2", "password": river, "private key": `"d":`, "placeholder of a secret": "redacted",
	} {
		if strings.Contains(text, hidden) {
			t.Errorf("a view shows the %s", name)
		}
	}
}

// everything is all that can be shown or listed.
func (h *house) everything(ctx context.Context) string {
	h.t.Helper()
	one, err := h.ShowClient("shop")
	who, err2 := h.ShowUser(ctx, "alice")
	all, err3 := h.ListUsers(ctx, "", 10)
	raw, err4 := json.Marshal([]any{one, who, all, h.ListClients(), h.ListKeys()})
	if err := errors.Join(err, err2, err3, err4); err != nil {
		h.t.Fatal(err)
	}
	return string(raw)
}
