package user_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/user"
)

func TestAPasswordHashNeverPrints(t *testing.T) {
	const phc = "$argon2id$v=19$hunter2"
	u := user.User{Login: "alice", Password: user.NewPasswordHash(phc)}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "user", u, "hash", u.Password, "p", &u.Password)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "user", u, "hash", u.Password)
	out := []string{log.String(), u.Password.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		out = append(out, fmt.Sprintf(verb, u.Password), fmt.Sprintf(verb, u), fmt.Sprintf(verb, &u), fmt.Sprintf(verb, []user.User{u}))
	}
	for _, v := range []any{u, u.Password, map[string]user.PasswordHash{"a": u.Password}} {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(raw))
	}
	for _, s := range out {
		if strings.Contains(s, "hunter2") || strings.Contains(s, "68756e74") || strings.Contains(s, "68756E74") {
			t.Errorf("the hash is shown: %s", s)
		}
	}
	if u.Password.Reveal() != phc {
		t.Errorf("Reveal = %q", u.Password.Reveal())
	}
}

func TestARecordMustKeepTheRules(t *testing.T) {
	d, _ := newDirectory(t)
	long := strings.Repeat("x", 257)
	for field, edit := range map[string]func(*user.User){
		"login":          func(u *user.User) { u.Login = "a b" },
		"email":          func(u *user.User) { u.Email = "Alice <alice@example.com>" },
		"name":           func(u *user.User) { u.Name = "a\x00b" },
		"given_name":     func(u *user.User) { u.GivenName = long },
		"family_name":    func(u *user.User) { u.FamilyName = "\xff" },
		"roles":          func(u *user.User) { u.Roles = []string{"ok", ""} },
		"groups":         func(u *user.User) { u.Groups = []string{"a "} },
		"profile":        func(u *user.User) { u.Profile.Page = "javascript:alert(1)" },
		"picture":        func(u *user.User) { u.Profile.Picture = "data:image/png;base64,AA" },
		"website":        func(u *user.User) { u.Profile.Website = "example.com" },
		"birthdate":      func(u *user.User) { u.Profile.Birthdate = "4 May 1852" },
		"locale":         func(u *user.User) { u.Profile.Locale = "English!" },
		"address.region": func(u *user.User) { u.Profile.Address.Region = "a\nb" },
	} {
		u := user.User{Login: "alice"}
		edit(&u)
		_, err := d.Create(t.Context(), u)
		wantKind(t, err, fault.Invalid, field)
	}
	for i, birthdate := range []string{"1852", "0000-02-29", "1852-05-04"} {
		create(t, d, user.User{Login: fmt.Sprintf("u%d", i), Profile: user.Profile{Birthdate: birthdate}})
	}
}

func TestScopesYieldTheirClaimsAndNoEmptyOnes(t *testing.T) {
	u := full()
	u.Login = "alice"
	u.Updated = time.Unix(1700000000, 0)
	for _, c := range []struct {
		name   string
		u      user.User
		scopes []string
		want   string
	}{
		{"nothing asked", u, []string{"openid", "orders:read"}, `{}`},
		{"email", u, []string{"openid", "email"}, `{"email":"alice@example.com","email_verified":true}`},
		{"phone", u, []string{"phone"}, `{"phone_number":"+44 20 7946 0000","phone_number_verified":true}`},
		{"address", u, []string{"address"}, `{"address":{"formatted":"1 Deanery\nOxford","locality":"Oxford","country":"GB"}}`},
		{"own", u, []string{"roles", "groups"}, `{"groups":["Domain Users"],"roles":["reader","admin","reader"]}`},
		{"profile", u, []string{"profile"}, `{"birthdate":"1852-05-04","family_name":"Liddell","gender":"female","given_name":"Alice",` +
			`"locale":"en-GB","middle_name":"P","name":"Alice Liddell","nickname":"Al","picture":"https://example.com/a.png",` +
			`"preferred_username":"alice","profile":"https://example.com/alice","updated_at":1700000000,"website":"http://alice.example",` +
			`"zoneinfo":"Europe/London"}`},
		{"an empty user", user.User{}, user.ClaimScopes(), `{}`},
		{"unverified", user.User{Email: "a@b.c"}, []string{"email"}, `{"email":"a@b.c","email_verified":false}`},
	} {
		got, err := json.Marshal(c.u.Claims(c.scopes...))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, string(got)); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", c.name, diff)
		}
	}
}

func TestEveryNamedClaimCanBeAskedForAlone(t *testing.T) {
	u := full()
	u.Login, u.Updated = "alice", time.Now()
	for _, name := range user.ClaimNames() {
		if _, ok := u.Claim(name); !ok {
			t.Errorf("a full user has no claim %q", name)
		}
	}
	if v, ok := u.Claim("password"); ok {
		t.Errorf("a claim that is none yields %v", v)
	}
}
