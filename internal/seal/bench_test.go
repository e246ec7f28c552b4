package seal_test

import (
	"bytes"
	"testing"
	"time"
)

// A journey is some 400 bytes.
func BenchmarkSeal(b *testing.B) {
	r := openRing(b, newStore(b))
	plain, until := bytes.Repeat([]byte("x"), 400), time.Now().Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Seal("journey", plain, until); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	r := openRing(b, newStore(b))
	sealed := sealText(b, r, "journey", string(bytes.Repeat([]byte("x"), 400)), time.Now().Add(time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Open("journey", sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMAC(b *testing.B) {
	r := openRing(b, newStore(b))
	id, message := r.MACKey(), make([]byte, 56)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.MAC(id, "refresh", message); !ok {
			b.Fatal("no key")
		}
	}
}
