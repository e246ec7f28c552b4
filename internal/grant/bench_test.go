package grant_test

import (
	"testing"
	"time"

	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

// inUse is a grant as a refresh finds it.
func inUse(t testing.TB) grant.Grant {
	t.Helper()
	ring := newRing(t, newStore(t))
	g := newGrant(ring)
	g.Epoch = 3
	g = g.Take(grant.Hold{Slot: slot.At(29396000, 77), Until: time.Now().Add(time.Hour).UTC(), User: 3, Client: 1}, time.Now(), time.Now())
	return g.Next(time.Now(), ring.MACKey())
}

func recordOf(t testing.TB, g grant.Grant) store.Record {
	t.Helper()
	op, err := g.Put(time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return store.Record{Key: op.Key, Value: op.Value, Version: 1}
}

func BenchmarkDecode(b *testing.B) {
	rec := recordOf(b, inUse(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := grant.Decode(rec); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(rec.Value)), "bytes")
}

func BenchmarkPut(b *testing.B) {
	g := inUse(b)
	until := time.Now().Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Put(until); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenACode(b *testing.B) {
	ring := newRing(b, newStore(b))
	code := sealCode(b, ring, newCode())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := grant.OpenCode(ring, code); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(code)), "characters")
}
