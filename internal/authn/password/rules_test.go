package password_test

import (
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/authn/password"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/user"
)

func alice() user.User {
	return user.User{
		Login: "a.liddell@example.com", Email: "wonderland@example.org",
		Name: "Alice Pleasance Liddell", GivenName: "Alice", FamilyName: "Liddell",
	}
}

func TestAPasswordThatIsTriedFirstIsRefused(t *testing.T) {
	for _, pw := range []string{
		"", "short", "1234567", "pässwör", // too short
		"password", "Password", "PASSWORD1!", "Passw0rd123", "!!letmein!!", "qwertyuiop", "iloveyou", "Dragon2024", "1q2w3e4r",
		"aaaaaaaa", "12345678", "987654321", "hgfedcba", "abababab", "13131313",
		"a.liddell@example.com", "A.Liddell", "a.liddell99", "wonderland", "Wonderland1", "wonderland@example.org",
		"alice pleasance liddell", "AliceLiddell", "liddellalice", "Alice123",
		strings.Repeat("abcdefg9", 33), // too long
		"with\x00zero byte", "\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8",
	} {
		err := password.Acceptable(pw, alice())
		field, message := fault.Public(err)
		if fault.KindOf(err) != fault.Invalid || field != "password" {
			t.Errorf("%q: %v, want invalid on password", pw, err)
		}
		if len(pw) > 2 && pw != "password" && strings.Contains(message, pw) {
			t.Errorf("%q: the message quotes it: %s", pw, message)
		}
	}
}

func TestNoCompositionIsDemanded(t *testing.T) {
	for _, pw := range []string{
		"correct horse battery", "gkwmzrtu", "83629471", "football-58219374", "пароль-для-всех", "猫猫犬犬鳥鳥魚魚",
		"my dragon eats only tofu", "alice in chains rocks", strings.Repeat("hunter2 ", 32),
	} {
		if err := password.Acceptable(pw, alice()); err != nil {
			t.Errorf("%q: %v", pw, err)
		}
	}
}

func TestAChosenPasswordIsHashedAfterTheRules(t *testing.T) {
	h := light(t)
	if _, err := h.Choose(t.Context(), alice(), "password1"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v, want invalid", err)
	}
	if h.Hashes() != 0 {
		t.Error("a refused password was hashed")
	}
	kept, err := h.Choose(t.Context(), alice(), secret)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _, err := h.Check(t.Context(), kept, secret); err != nil || !ok {
		t.Errorf("ok %v, %v", ok, err)
	}
}
