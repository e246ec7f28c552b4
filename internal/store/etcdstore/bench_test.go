package etcdstore_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/enginetest"
	"github.com/signet-id/signet/internal/store"
)

func BenchmarkGetOfThreeKeys(b *testing.B) {
	sizes(b, func(b *testing.B, s store.Store) {
		for i := range 1000 {
			if _, err := s.Commit(b.Context(), store.Put(fmt.Sprintf("k/%d", i), make([]byte, 300))); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Get(b.Context(), "k/1", "k/500", "k/999"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCommitAlone(b *testing.B) {
	sizes(b, func(b *testing.B, s store.Store) {
		b.ReportAllocs()
		for id := int64(0); b.Loop(); id++ {
			redeem(b, s, id)
		}
	})
}

func BenchmarkCommitWith64Writers(b *testing.B) {
	sizes(b, func(b *testing.B, s store.Store) {
		var next atomic.Int64
		b.ReportAllocs()
		b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				redeem(b, s, next.Add(1))
			}
		})
	})
}

// BenchmarkFromCommitToEvent is how long after a Commit another node hears of it.
func BenchmarkFromCommitToEvent(b *testing.B) {
	sizes(b, func(b *testing.B, s store.Store) {
		w, err := s.Watch(b.Context(), "")
		if err != nil {
			b.Fatal(err)
		}
		var late time.Duration
		for b.Loop() {
			if _, err := s.Commit(b.Context(), store.Put("a", nil)); err != nil {
				b.Fatal(err)
			}
			done := time.Now()
			<-w.Events()
			late += time.Since(done)
		}
		b.ReportMetric(float64(late.Microseconds())/float64(b.N), "µs-after-commit")
	})
}

// sizes runs bench on one member and on three, all on this machine.
func sizes(b *testing.B, bench func(*testing.B, store.Store)) {
	for _, members := range []int{1, 3} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			c := &enginetest.Etcd{Members: members}
			b.Cleanup(func() { stop(b, c) })
			bench(b, open(b, c.Endpoints(b), "bench"))
		})
	}
}

// redeem costs what redeeming a code does: two records, one of them guarded and
// short-lived.
func redeem(b *testing.B, s store.Store, id int64) {
	_, err := s.Commit(b.Context(),
		store.Put(fmt.Sprintf("code/%d", id), nil).IfAbsent().Until(time.Now().Add(time.Minute)),
		store.Put(fmt.Sprintf("grant/%d", id), make([]byte, 300)))
	if err != nil {
		b.Error(err)
	}
}
