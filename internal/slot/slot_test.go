package slot_test

import (
	"testing"

	"github.com/signet-id/signet/internal/slot"
)

func TestASlotReadsBackFromWhatATokenCarries(t *testing.T) {
	const issuer = "https://id.example.com/tenant"
	for _, s := range []slot.Slot{slot.At(1, 0), slot.At(29396000, slot.Size-1), slot.At(1<<44-1, 7)} {
		got, ok := slot.Parse(issuer, s.URI(issuer), uint64(s.Index()))
		if !ok || got != s {
			t.Errorf("%d became %d, %v", s, got, ok)
		}
	}
}

func TestWhatIsNoSlotOfTheIssuerIsRefused(t *testing.T) {
	const issuer = "https://id.example.com"
	for _, c := range []struct {
		uri   string
		index uint64
	}{
		{"https://evil.example.com/status/1", 0}, {issuer + "/status/0", 0}, {issuer + "/status/01", 0},
		{issuer + "/status/+1", 0}, {issuer + "/status/1/2", 0}, {issuer + "/status/", 0},
		{issuer + "/status/1", slot.Size}, {issuer + "/status/17592186044416", 0}, {"", 0},
	} {
		if s, ok := slot.Parse(issuer, c.uri, c.index); ok {
			t.Errorf("%s, %d is %d", c.uri, c.index, s)
		}
	}
}
