package seal_test

import (
	"encoding/base64"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/seal"
)

func TestARingOpensWhatItSealed(t *testing.T) {
	r := openRing(t, newStore(t))
	for _, plain := range []string{"", "x", "a journey \x00 with any bytes \xff"} {
		sealed := sealText(t, r, "journey", plain, time.Now().Add(time.Hour))
		got, err := r.Open("journey", sealed)
		if err != nil || string(got) != plain {
			t.Errorf("Open = %q, %v, want %q", got, err, plain)
		}
	}
}

// What was sealed as a journey, which any browser holds, is not a code.
func TestWhatWasSealedForOnePurposeOpensForNoOther(t *testing.T) {
	r := openRing(t, newStore(t))
	sealed := sealText(t, r, "journey", "{}", time.Now().Add(time.Hour))
	for _, purpose := range []string{"code", "", "journey ", "journe"} {
		if _, err := r.Open(purpose, sealed); !errors.Is(err, seal.ErrForged) {
			t.Errorf("Open(%q) = %v, want ErrForged", purpose, err)
		}
	}
}

func TestASealExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := openRing(t, newStore(t))
		sealed := sealText(t, r, "code", "alice", time.Now().Add(time.Minute))
		time.Sleep(time.Minute - time.Second)
		if _, err := r.Open("code", sealed); err != nil {
			t.Errorf("a second before: Open = %v", err)
		}
		time.Sleep(time.Second)
		plain, err := r.Open("code", sealed)
		if !errors.Is(err, seal.ErrExpired) {
			t.Errorf("at its end: Open = %v, want ErrExpired", err)
		}
		if string(plain) != "alice" {
			t.Errorf("with ErrExpired comes %q, want alice, so that one can say whose it was", plain)
		}
	})
}

func TestTextHasOneSpellingOnly(t *testing.T) {
	r := openRing(t, newStore(t))
	// 4 + 12 + 8 + 2 + 16 bytes end within a base64 quantum: its last bits are free.
	for _, plain := range []string{"ab", "a", ""} {
		sealed := sealText(t, r, "code", plain, time.Now().Add(time.Hour))
		for name, other := range map[string]string{
			"a line break in it":     sealed[:7] + "\n" + sealed[7:],
			"a line break behind it": sealed + "\n",
			"a return before it":     "\r" + sealed,
			"padding":                sealed + "=",
			"a space":                sealed + " ",
			"the other last bits":    respell(sealed),
		} {
			if other == sealed {
				continue
			}
			if _, err := r.Open("code", other); !errors.Is(err, seal.ErrForged) {
				t.Errorf("%q with %s: Open = %v, want ErrForged", plain, name, err)
			}
		}
	}
}

// respell changes bits of the last character that decoding throws away, if
// there are any.
func respell(text string) string {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return text
	}
	for c := range byte(128) {
		other := text[:len(text)-1] + string(rune(c))
		same, err := base64.RawURLEncoding.DecodeString(other)
		if err == nil && other != text && string(same) == string(raw) {
			return other
		}
	}
	return text
}

func TestWhatAnotherDeploymentSealedIsForged(t *testing.T) {
	ours, theirs := openRing(t, newStore(t)), openRing(t, newStore(t)) // with the same key-encryption key
	sealed := sealText(t, theirs, "code", "mallory", time.Now().Add(time.Hour))
	if _, err := ours.Open("code", sealed); !errors.Is(err, seal.ErrForged) {
		t.Errorf("Open = %v, want ErrForged", err)
	}
}

func TestTheSameIsNeverSealedTwiceAlike(t *testing.T) {
	r := openRing(t, newStore(t))
	until := time.Now().Add(time.Hour)
	seen := map[string]bool{}
	for range 64 {
		raw, err := base64.RawURLEncoding.DecodeString(sealText(t, r, "code", "alice", until))
		if err != nil {
			t.Fatal(err)
		}
		nonce := string(raw[4:16])
		if seen[nonce] {
			t.Fatal("a nonce came twice (NIST SP 800-38D §8)")
		}
		seen[nonce] = true
	}
}

func TestAMACChecksForItsOwnArgumentsOnly(t *testing.T) {
	r := openRing(t, newStore(t))
	id := r.MACKey()
	mac, ok := r.MAC(id, "refresh", []byte("message"))
	if !ok || !r.CheckMAC(id, "refresh", []byte("message"), mac[:]) {
		t.Fatal("a MAC does not check")
	}
	for name, holds := range map[string]bool{
		"another message":          r.CheckMAC(id, "refresh", []byte("massage"), mac[:]),
		"another purpose":          r.CheckMAC(id, "logout", []byte("message"), mac[:]),
		"the border moved":         r.CheckMAC(id, "refres", []byte("hmessage"), mac[:]),
		"another key":              r.CheckMAC(id+1, "refresh", []byte("message"), mac[:]),
		"half a MAC":               r.CheckMAC(id, "refresh", []byte("message"), mac[:16]),
		"no MAC":                   r.CheckMAC(id, "refresh", []byte("message"), nil),
		"no MAC of an unknown key": r.CheckMAC(id+1, "refresh", []byte("message"), make([]byte, 32)),
	} {
		if holds {
			t.Errorf("%s: CheckMAC = true", name)
		}
	}
	again, _ := r.MAC(id, "refresh", []byte("message"))
	if again != mac {
		t.Error("equal arguments give different MACs")
	}
}
