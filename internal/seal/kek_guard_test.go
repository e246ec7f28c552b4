package seal_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/seal"
)

// Whoever starts with the wrong key-encryption key, even when a seal key is due,
// must find the ring as it was once the right one is back.
func TestWithAnotherKeyEncryptionKeyNothingIsChanged(t *testing.T) {
	s := newStore(t)
	ours, err := seal.OpenRing(t.Context(), s, newBox(t, 1), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	sealed := sealText(t, ours, "code", "x", time.Now().Add(time.Hour))
	ours.Close()
	before, err := s.Get(t.Context(), "seal/ring")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.OpenRing(t.Context(), s, newBox(t, 2), slog.New(slog.DiscardHandler)); !errors.Is(err, seal.ErrWrongKey) {
		t.Errorf("OpenRing = %v, want ErrWrongKey", err)
	}
	if after, err := s.Get(t.Context(), "seal/ring"); err != nil || after[0].Version != before[0].Version {
		t.Errorf("the ring has version %d, had %d (%v)", after[0].Version, before[0].Version, err)
	}
	again, err := seal.OpenRing(t.Context(), s, newBox(t, 1), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if plain, err := again.Open("code", sealed); err != nil || string(plain) != "x" {
		t.Errorf("Open = %q, %v", plain, err)
	}
}
