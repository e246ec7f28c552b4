package password

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/user"
)

const sample = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

func hostile() []string {
	replace := func(old, with string) string { return strings.Replace(sample, old, with, 1) }
	return []string{
		"", "$", "$$$$$", "password", sample + "$", sample + " ", " " + sample, sample + "\n", sample[1:],
		replace("argon2id", "argon2i"), replace("argon2id", "ARGON2ID"), replace("v=19", "v=16"), replace("$v=19", ""),
		replace("m=65536", "m=4194304"), replace("m=65536", "m=4294967296"), replace("m=65536", "m=262145"),
		replace("m=65536", "m=7"), replace("m=65536", "m=0"), replace("m=65536", "m=-1"), replace("m=65536", "m=065536"),
		replace("m=65536", "m=+65536"), replace("m=65536", "m=0x10000"), replace("m=65536", "m= 65536"), replace("m=65536", "m="),
		replace("t=2", "t=0"), replace("t=2", "t=17"), replace("m=65536,t=2", "m=262144,t=16"),
		replace("p=1", "p=0"), replace("p=1", "p=17"), replace("p=1", "p=256"), replace("p=1", "p=257"), replace("m=65536,t=2,p=1", "m=16,t=2,p=4"),
		replace("m=65536,t=2,p=1", "t=2,m=65536,p=1"), replace("p=1", "p=1,data=AA"), replace(",p=1", ""),
		replace("c29tZXNhbHQ", "c29tZXNhbHQ=="), replace("c29tZXNhbHQ", "c29tZXNhbHR"), replace("c29tZXNhbHQ", "c29t"), replace("c29tZXNhbHQ", ""),
		replace("c29tZXNhbHQ", "c29tZXNh\nbHQ"), replace("c29tZXNhbHQ", strings.Repeat("A", 88)),
		replace("CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "CTFhFdXPJO1aFaMaO6M"),
		replace("CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", strings.Repeat("A", 88)),
		sample + strings.Repeat("A", 1<<20),
	}
}

func TestAHostileHashIsNotComputed(t *testing.T) {
	if _, err := parse(sample); err != nil {
		t.Fatal(err)
	}
	for _, phc := range hostile() {
		if h, err := parse(phc); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%.120q is accepted as %v, %v", phc, h.cost, err)
		}
	}
}

// A hash of the empty password, which another system may have made, lets nobody in.
func TestWhatIsNoPasswordIsNeverRight(t *testing.T) {
	h, err := New(Options{Memory: 8, Time: 1})
	if err != nil {
		t.Fatal(err)
	}
	empty := hash{cost: h.cost, salt: random(saltBytes), tag: make([]byte, tagBytes)}
	empty.tag = empty.of("")
	for _, pw := range []string{"", "control\x00", strings.Repeat("x", mostLength+1)} {
		if ok, _, err := h.Check(t.Context(), user.NewPasswordHash(empty.String()), pw); ok || err != nil {
			t.Errorf("%.20q: ok %v, %v; want no", pw, ok, err)
		}
	}
}

// What is accepted is written back byte for byte, and asks for no more than the
// bounds allow.
func FuzzAHashThatIsReadIsWrittenBackTheSame(f *testing.F) {
	f.Add(sample)
	for _, phc := range hostile() {
		if len(phc) < 1000 {
			f.Add(phc)
		}
	}
	f.Fuzz(func(t *testing.T, phc string) {
		h, err := parse(phc)
		if err != nil {
			return
		}
		if h.String() != phc {
			t.Errorf("%q is written back as %q", phc, h)
		}
		if h.memory > mostMemory || uint64(h.memory)*uint64(h.time) > mostWork || h.threads > mostThreads || len(h.tag) < leastTag {
			t.Errorf("%q is beyond the bounds", phc)
		}
		if base64.RawStdEncoding.EncodedLen(len(h.salt)) > len(phc) {
			t.Errorf("%q has a salt from nowhere", phc)
		}
	})
}
