package session_test

import (
	"testing"
	"time"

	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
)

// What each request with a cookie costs beyond its one read.
func BenchmarkOpenACookie(b *testing.B) {
	s, h := policy.Begin(signIn(time.Now()), session.Origin{Agent: "Firefox"})
	op, err := policy.Put(s)
	if err != nil {
		b.Fatal(err)
	}
	rec, cookie := store.Record{Key: op.Key, Value: op.Value, Version: 1}, h.Cookie()
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
