package user_test

import (
	"testing"

	"github.com/signet-id/signet/internal/user"
)

func TestTheEpochsOfAUserAreKept(t *testing.T) {
	d, _ := newDirectory(t)
	u := create(t, d, user.User{Login: "alice"})
	if _, err := d.Update(t.Context(), u.Subject, func(u *user.User) error { u.Epoch, u.TokenEpoch = 3, 5; return nil }); err != nil {
		t.Fatal(err)
	}
	got, _, err := d.Get(t.Context(), u.Subject)
	if err != nil || got.Epoch != 3 || got.TokenEpoch != 5 {
		t.Errorf("read epochs %d and %d, %v, want 3 and 5", got.Epoch, got.TokenEpoch, err)
	}
}

// What an old password opened is worth nothing, whoever made the change: a way to
// change it that forgets the endings leaves nobody signed in.
func TestAnotherPasswordIsAnotherEpoch(t *testing.T) {
	another := user.NewPasswordHash("two")
	for name, tt := range map[string]struct {
		change func(*user.User)
		want   uint32
	}{
		"another name":                  {func(u *user.User) { u.Name = "Alice" }, 7},
		"the same password":             {func(u *user.User) { u.Name, u.Password = "Alice", user.NewPasswordHash("one") }, 7},
		"another password":              {func(u *user.User) { u.Password = another }, 8},
		"another one, with an ending":   {func(u *user.User) { u.Epoch++; u.Password = another }, 8},
		"no password any more":          {func(u *user.User) { u.Password = user.NewPasswordHash("") }, 8},
		"an ending and nothing besides": {func(u *user.User) { u.Epoch++ }, 8},
	} {
		d, _ := newDirectory(t)
		u := create(t, d, user.User{Login: "alice", Password: user.NewPasswordHash("one"), Epoch: 7})
		u, err := d.Update(t.Context(), u.Subject, func(u *user.User) error { tt.change(u); return nil })
		if err != nil || u.Epoch != tt.want {
			t.Errorf("%s: epoch %d, %v, want %d", name, u.Epoch, err, tt.want)
		}
	}
}
