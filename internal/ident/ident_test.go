package ident_test

import (
	"bytes"
	"testing"
	"time"

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

func TestOrderedNamesSortByTheMomentTheyWereMade(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	seen := map[string]bool{}
	var last []byte
	for range 1000 {
		name := ident.Ordered(at)
		b, ok := ident.Decode(name)
		if !ok || seen[name] || bytes.Compare(b[:6], last) <= 0 {
			t.Fatalf("%q is no name, or was there before, or does not follow %x", name, last)
		}
		seen[name], last = true, b[:6]
		if other := ident.Ordered(at); other == name {
			t.Fatalf("two names of one moment are %q", name)
		}
		at = at.Add(time.Millisecond)
	}
}
