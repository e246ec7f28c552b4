package session_test

import (
	"testing"
	"time"

	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
)

// inUse is a session as a working day makes it.
func inUse() (session.Session, session.Handle) {
	s, h := policy.Begin(signIn(time.Now()), session.Origin{
		Address: "192.0.2.1", Agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	})
	s.Epoch, s.Clients = 3, []string{"orders", "billing"}
	return s, h
}

func recordOf(t testing.TB, s session.Session) store.Record {
	t.Helper()
	op, err := policy.Put(s)
	if err != nil {
		t.Fatal(err)
	}
	return store.Record{Key: op.Key, Value: op.Value, Version: 1}
}

// What each request with a cookie costs beyond its one read.
func BenchmarkOpenACookie(b *testing.B) {
	s, h := inUse()
	rec, cookie := recordOf(b, s), h.Cookie()
	b.ReportAllocs()
	for b.Loop() {
		h, ok := session.ParseHandle(cookie)
		if !ok {
			b.Fatal("no handle")
		}
		if _, ok := h.Open(rec); !ok {
			b.Fatal("not open")
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	s, _ := inUse()
	rec := recordOf(b, s)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := session.Decode(rec); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(rec.Value)), "bytes")
}

func BenchmarkPut(b *testing.B) {
	s, _ := inUse()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := policy.Put(s); err != nil {
			b.Fatal(err)
		}
	}
}
