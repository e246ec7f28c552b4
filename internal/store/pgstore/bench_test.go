package pgstore_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/pgstore"
)

func BenchmarkGetOfThreeKeys(b *testing.B) {
	s := open(b, server.Database(b), pgstore.Options{})
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

func BenchmarkCommit(b *testing.B) {
	for _, nodes := range []int{1, 2} {
		for _, writers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("nodes=%d/writers=%d", nodes, writers), func(b *testing.B) { commits(b, nodes, writers) })
		}
	}
}

// commits costs what redeeming codes does: two records each, one of them guarded
// and short-lived; and one node watches, as all do.
func commits(b *testing.B, nodes, writers int) {
	url := server.Database(b)
	stores := make([]*pgstore.Store, nodes)
	for i := range stores {
		stores[i] = open(b, url, pgstore.Options{})
		if _, err := stores[i].Watch(b.Context(), "client/"); err != nil {
			b.Fatal(err)
		}
	}
	var next atomic.Int64
	var writing sync.WaitGroup
	b.ResetTimer()
	for i := range writers {
		writing.Go(func() {
			for id := next.Add(1); id <= int64(b.N); id = next.Add(1) {
				_, err := stores[i%nodes].Commit(b.Context(),
					store.Put(fmt.Sprintf("code/%d", id), nil).IfAbsent().Until(time.Now().Add(time.Minute)),
					store.Put(fmt.Sprintf("grant/%d", id), make([]byte, 300)))
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	writing.Wait()
	b.StopTimer()
	var committed, transactions uint64
	for _, s := range stores {
		stats := s.Stats()
		committed, transactions = committed+stats.Commits, transactions+stats.Transactions
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(float64(committed)/float64(transactions), "commits/transaction")
}
