package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/signet-id/signet/internal/seal"
)

func mustBoxSeal(t *testing.T, b *seal.Box, purpose, plain string) []byte {
	t.Helper()
	sealed, err := b.Seal(purpose, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestABoxOpensWhatItSealed(t *testing.T) {
	for _, plain := range []string{"", "x", "a private key"} {
		sealed := mustBoxSeal(t, newBox(t, 1), "key/1", plain)
		got, err := newBox(t, 1).Open("key/1", sealed) // another process, the same key
		if err != nil || string(got) != plain {
			t.Errorf("Open = %q, %v, want %q", got, err, plain)
		}
	}
}

func TestABoxOpensNothingForAnotherPurpose(t *testing.T) {
	box := newBox(t, 1)
	sealed := mustBoxSeal(t, box, "key/1", "a private key")
	for _, purpose := range []string{"", "key/2", "key/1 ", "seal/00000001"} {
		if _, err := box.Open(purpose, sealed); !errors.Is(err, seal.ErrForged) {
			t.Errorf("Open(%q) = %v, want ErrForged", purpose, err)
		}
	}
}

func TestABoxOpensNothingUnderAnotherKey(t *testing.T) {
	sealed := mustBoxSeal(t, newBox(t, 1), "key/1", "a private key")
	if _, err := newBox(t, 2).Open("key/1", sealed); !errors.Is(err, seal.ErrForged) {
		t.Errorf("Open = %v, want ErrForged", err)
	}
}

func TestABoxRefusesEveryChangedOrCutByte(t *testing.T) {
	box := newBox(t, 1)
	sealed := mustBoxSeal(t, box, "key/1", "a private key")
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := box.Open("key/1", changed); !errors.Is(err, seal.ErrForged) {
			t.Errorf("byte %d changed: Open = %v, want ErrForged", i, err)
		}
		if _, err := box.Open("key/1", sealed[:i]); !errors.Is(err, seal.ErrForged) {
			t.Errorf("cut to %d bytes: Open = %v, want ErrForged", i, err)
		}
	}
}

// The same nonce twice under one key gives away the key stream (NIST SP 800-38D §8).
func TestABoxNeverSealsTheSameTwice(t *testing.T) {
	box := newBox(t, 1)
	seen := map[string]bool{}
	for range 64 {
		sealed := string(mustBoxSeal(t, box, "key/1", "a private key"))
		if seen[sealed[:12]] {
			t.Fatal("a nonce came twice")
		}
		seen[sealed[:12]] = true
	}
}

func TestAKeyOfTheWrongSizeMakesNoBox(t *testing.T) {
	for _, size := range []int{0, 16, 31, 33} {
		if _, err := seal.NewBox(make([]byte, size)); err == nil {
			t.Errorf("NewBox took %d bytes", size)
		}
	}
}
