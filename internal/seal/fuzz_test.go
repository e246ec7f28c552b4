package seal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/seal"
)

// Whatever opens was sealed by us, for this purpose, in these very characters.
func FuzzWhateverOpensWasSealedByUs(f *testing.F) {
	r := openRing(f, newStore(f))
	type sealing struct{ purpose, text string }
	ours := map[sealing]string{}
	for _, purpose := range []string{"code", "journey"} {
		for _, plain := range []string{"", "a", "ab", "abc"} {
			s := sealing{purpose, sealText(f, r, purpose, plain, time.Now().Add(time.Hour))}
			ours[s] = plain
			f.Add(s.purpose, s.text)
			f.Add("code", s.text)
			f.Add(s.purpose, s.text+"\n")
			f.Add(s.purpose, s.text[:9]+"\r\n"+s.text[9:])
			f.Add(s.purpose, respell(s.text))
			f.Add(s.purpose, s.text+"=")
			f.Add(s.purpose, s.text[:len(s.text)-1])
		}
	}
	f.Add("code", "")
	f.Add("code", "AAAA")
	f.Fuzz(func(t *testing.T, purpose, text string) {
		got, err := r.Open(purpose, text)
		plain, sealed := ours[sealing{purpose, text}]
		switch {
		case sealed && (err != nil || string(got) != plain):
			t.Errorf("Open of what we sealed = %q, %v, want %q", got, err, plain)
		case !sealed && !errors.Is(err, seal.ErrForged):
			t.Errorf("Open(%q, %q) = %q, %v, want ErrForged", purpose, text, got, err)
		}
	})
}

// Whatever is sealed, any change of its text is refused.
func FuzzAnyChangeIsRefused(f *testing.F) {
	r := openRing(f, newStore(f))
	f.Add([]byte("alice"), "code", uint(3), uint(4), "A")
	f.Add([]byte(""), "", uint(0), uint(0), "\n")
	f.Add([]byte("ab"), "journey", uint(99), uint(99), "=")
	f.Add([]byte("ab"), "journey", uint(30), uint(60), "")
	f.Fuzz(func(t *testing.T, plain []byte, purpose string, from, to uint, with string) {
		sealed := sealText(t, r, purpose, string(plain), time.Now().Add(time.Hour))
		from = min(from, uint(len(sealed)))
		to = max(from, min(to, uint(len(sealed))))
		changed := sealed[:from] + with + sealed[to:]
		got, err := r.Open(purpose, changed)
		switch {
		case changed == sealed && (err != nil || string(got) != string(plain)):
			t.Errorf("Open = %q, %v, want %q", got, err, plain)
		case changed != sealed && !errors.Is(err, seal.ErrForged):
			t.Errorf("Open after %d..%d became %q = %q, %v, want ErrForged", from, to, with, got, err)
		}
	})
}
