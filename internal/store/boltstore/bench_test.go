package boltstore_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

func BenchmarkGetOfThreeKeys(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
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
}

func BenchmarkCommitAlone(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "signet.db"), boltstore.Options{})
	b.ReportAllocs()
	for id := int64(0); b.Loop(); id++ {
		redeem(b, s, id)
	}
	reportSharing(b, s)
}

func BenchmarkCommitWith64Writers(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "signet.db"), boltstore.Options{})
	var next atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			redeem(b, s, next.Add(1))
		}
	})
	reportSharing(b, s)
}

// redeem costs what redeeming a code does: two records, one of them guarded
// and short-lived.
func redeem(b *testing.B, s store.Store, id int64) {
	_, err := s.Commit(b.Context(),
		store.Put(fmt.Sprintf("code/%d", id), nil).IfAbsent().Until(time.Now().Add(time.Minute)),
		store.Put(fmt.Sprintf("grant/%d", id), make([]byte, 300)))
	if err != nil {
		b.Error(err)
	}
}

func reportSharing(b *testing.B, s *boltstore.Store) {
	stats := s.Stats()
	b.ReportMetric(float64(stats.Commits)/float64(stats.Transactions), "commits/fsync")
}
