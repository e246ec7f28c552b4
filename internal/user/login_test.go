package user_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/user"
)

func TestOneLoginHasOneForm(t *testing.T) {
	for in, want := range map[string]string{
		"alice":                      "alice",
		"ALICE":                      "alice",
		"Alice@Example.COM":          "alice@example.com",
		"first.last+tag@example.com": "first.last+tag@example.com",
		"o'brien@example.com":        "o'brien@example.com",
		"_svc-1":                     "_svc-1",
		"Zo\u0065\u0308":             "zoë",     // a letter and its mark, apart
		"\uff21\uff22\uff23":         "abc",     // full width
		"ΣΊΣΥΦΟΣ":                    "σίσυφοσ", // lower-cased, not folded
		"שלום@example.com":           "שלום@example.com",
		"42":                         "42",
	} {
		got, err := user.NormaliseLogin(in)
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestALoginThatCannotBeTypedOrReadIsRefused(t *testing.T) {
	for _, in := range []string{
		"", " ", "a b", "alice ", "a\tb", "a\x00b", "a\u00a0b", "a\u200bb", "\xff\xfe", "a/b", "a:b", "a@b@c", "@", "@b", "a@",
		"-rf", ".hidden", "+a", "a\u202eb", "a😀", "<script>", strings.Repeat("a", 129), strings.Repeat("𐐨", 101),
	} {
		got, err := user.NormaliseLogin(in)
		if err == nil {
			t.Errorf("%q is accepted as %q", in, got)
			continue
		}
		wantKind(t, err, fault.Invalid, "login")
	}
	if _, err := user.NormaliseLogin(strings.Repeat("a", 128)); err != nil {
		t.Errorf("128 characters: %v", err)
	}
}

// Whatever is typed: what is accepted is its own normal form, is short enough
// for a key and holds nothing that does not show.
func FuzzNormalisingALoginTwiceChangesNothing(f *testing.F) {
	for _, s := range []string{"alice", "Alice@Example.COM", "ΣΊΣΥΦΟΣ", "שלום@example.com", "\uff21\u0345", "İ", "ﬃ", "ẞ", "a\u0323\u0307", "ϓ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, err := user.NormaliseLogin(s)
		if err != nil {
			return
		}
		twice, err := user.NormaliseLogin(once)
		if err != nil || twice != once {
			t.Errorf("%q → %q → %q, %v", s, once, twice, err)
		}
		if len(once) > 400 || !utf8.ValidString(once) || strings.ContainsFunc(once, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
			t.Errorf("%q is accepted as %q", s, once)
		}
	})
}
