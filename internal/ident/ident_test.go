package ident_test

import (
	"testing"

	"github.com/signet-id/signet/internal/ident"
)

func TestANameSurvivesItsBytes(t *testing.T) {
	for range 100 {
		s := ident.New()
		b, ok := ident.Decode(s)
		if !ok || ident.Encode(b) != s {
			t.Fatalf("%q does not survive decoding", s)
		}
	}
}

func TestANameIsSpelledOneWayOnly(t *testing.T) {
	for _, s := range []string{
		"", "short", "AAAAAAAAAAAAAAAAAAAAAB" /* trailing bits set */, "AAAAAAAAAAAAAAAAAAAAA=",
		"AAAAAAAAAAAAAAAAAAAA/A", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAA\nA",
	} {
		if _, ok := ident.Decode(s); ok {
			t.Errorf("Decode accepts %q", s)
		}
	}
}
