package transfer_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
	"github.com/signet-id/signet/internal/store/transfer"
)

// journals are those of these tests.
func journals() transfer.Journals { return transfer.Journals{"j/", "k/"} }

func open(t testing.TB) store.Store {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func put(t testing.TB, s store.Store, ops ...store.Op) store.Version {
	t.Helper()
	v, err := s.Commit(context.WithoutCancel(t.Context()), ops...)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	return v
}

// fill makes n records, a tenth of them in journals and a tenth with an end.
func fill(t testing.TB, s store.Store, n int) {
	t.Helper()
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := worker; i < n; i += 8 {
				put(t, s, some(i))
			}
		})
	}
	group.Wait()
}

// some is a record of the kind that i makes it.
func some(i int) store.Op {
	value := []byte(fmt.Sprintf(`{"n":%d,"r":%d}`, i, rand.Uint64()))
	switch i % 10 {
	case 0:
		return store.Put(fmt.Sprintf("j/%016x", rand.Uint64()), value).Until(time.Now().Add(time.Hour))
	case 1:
		return store.Put(fmt.Sprintf("s/%d", i), value).Until(time.Now().Add(time.Hour))
	}
	return store.Put(fmt.Sprintf("r/%d", i), value)
}

// contents is what s holds, without what belongs to the store.
func contents(t testing.TB, s store.Store) []store.Record {
	t.Helper()
	var all []store.Record
	for after := ""; ; {
		page, err := s.List(context.WithoutCancel(t.Context()), "", after, store.MaxList)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			after = r.Key
			if !strings.HasPrefix(r.Key, transfer.Prefix) {
				all = append(all, r)
			}
		}
		if len(page) < store.MaxList {
			return all
		}
	}
}

// wantSame demands that both hold the same, and the journals in the same order.
func wantSame(t testing.TB, want, got []store.Record) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%d records became %d", len(want), len(got))
	}
	for i := range min(len(want), len(got)) {
		w, g := want[i], got[i]
		if w.Key != g.Key || !bytes.Equal(w.Value, g.Value) || w.Expires.Sub(g.Expires).Abs() > time.Millisecond {
			t.Fatalf("record %d is %q (%s, %v), want %q (%s, %v)", i, g.Key, g.Value, g.Expires, w.Key, w.Value, w.Expires)
		}
	}
	if w, g := order(want), order(got); !slices.Equal(w, g) {
		t.Error("the journals are in another order")
	}
}

// order is the keys of the journals as their followers meet them.
func order(recs []store.Record) []string {
	var of []store.Record
	for _, r := range recs {
		if strings.HasPrefix(r.Key, "j/") || strings.HasPrefix(r.Key, "k/") {
			of = append(of, r)
		}
	}
	slices.SortFunc(of, func(a, b store.Record) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), strings.Compare(a.Key, b.Key))
	})
	keys := make([]string, len(of))
	for i, r := range of {
		keys[i] = r.Key
	}
	return keys
}

// load writes, changes and deletes in s until stop, which waits for it.
func load(t testing.TB, s store.Store, pause time.Duration) (stop func() (commits int)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var group sync.WaitGroup
	counts := make([]int, 4)
	for worker := range counts {
		group.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				n := rand.IntN(3000)
				op := store.Put(fmt.Sprintf("r/%d", n), []byte(fmt.Sprintf(`{"w":%d,"i":%d}`, worker, i)))
				switch i % 4 {
				case 0:
					op = store.Delete(fmt.Sprintf("r/%d", n))
				case 1:
					op = store.Put(fmt.Sprintf("j/%x-%x", time.Now().UnixNano(), rand.Uint32()), []byte(fmt.Sprint(i))).Until(time.Now().Add(time.Hour))
				}
				// A change of two records at once, one of them in a journal.
				ops := []store.Op{op, store.Put(fmt.Sprintf("pair/%d", worker), []byte(fmt.Sprint(i)))}
				if i%5 == 0 {
					ops = append(ops, store.Put(fmt.Sprintf("k/%d", worker), []byte(fmt.Sprint(i))))
				}
				if _, err := s.Commit(ctx, ops...); err == nil {
					counts[worker]++
				}
				time.Sleep(pause)
			}
		})
	}
	t.Cleanup(func() { cancel(); group.Wait() })
	return func() int {
		cancel()
		group.Wait()
		total := 0
		for _, n := range counts {
			total += n
		}
		return total
	}
}

// remember follows s from now on, and returns what gives s as it was at a version.
func remember(t testing.TB, s store.Store) func(store.Version) []store.Record {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	w, err := s.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	begun := map[string]store.Record{}
	for _, r := range contents(t, s) {
		begun[r.Key] = r
	}
	var (
		mu  sync.Mutex
		log []store.Event
	)
	go func() { // until the test's end
		for e := range w.Events() {
			mu.Lock()
			log = append(log, e)
			mu.Unlock()
		}
	}()
	return func(v store.Version) []store.Record {
		mu.Lock()
		defer mu.Unlock()
		at := maps.Clone(begun)
		for _, e := range log {
			switch {
			case e.Version > v || strings.HasPrefix(e.Key, transfer.Prefix):
			case e.Deleted:
				delete(at, e.Key)
			default:
				at[e.Key] = store.Record{Key: e.Key, Value: e.Value, Version: e.Version, Expires: e.Expires}
			}
		}
		return slices.SortedFunc(maps.Values(at), func(a, b store.Record) int { return strings.Compare(a.Key, b.Key) })
	}
}
