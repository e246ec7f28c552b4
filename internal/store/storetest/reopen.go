package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
)

// RunReopen proves what must outlive a Close. open opens the store that lives
// in dir, a folder that stays the same for one test.
func RunReopen(t *testing.T, open func(t *testing.T, dir string) store.Store) {
	for _, p := range []struct {
		name  string
		prove func(t *testing.T, reopen func() store.Store)
	}{
		{"records outlive a Close whole", proveRecordsLast},
		{"versions keep growing after a Close", proveVersionsLast},
		{"an expiry outlives a Close", proveExpiryLasts},
		{"what was acknowledged before a Close under load is there", proveAcknowledgedLasts},
	} {
		t.Run(p.name, func(t *testing.T) {
			dir := t.TempDir()
			var current store.Store
			p.prove(t, func() store.Store {
				if current != nil {
					if err := current.Close(); err != nil {
						t.Fatalf("Close: %v", err)
					}
				}
				current = open(t, dir)
				return current
			})
		})
	}
}

func proveRecordsLast(t *testing.T, reopen func() store.Store) {
	s := reopen()
	until := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	commit(t, s, store.Put("a", []byte("replaced")), store.Put("gone", nil))
	v := commit(t, s, store.Put("a", []byte("value")).Until(until), store.Put("b", nil), store.Delete("gone"))
	s = reopen()
	if r := get(t, s, "a"); string(r.Value) != "value" || r.Version != v || !r.Expires.Equal(until) {
		t.Errorf("the record came back as %+v", r)
	}
	wantKeys(t, s, "", "", 10, "a", "b")
	commit(t, s, store.Put("a", []byte("newer")).If(v))
}

func proveVersionsLast(t *testing.T, reopen func() store.Store) {
	var last store.Version
	for range 3 {
		s := reopen()
		// A deletion is the last change: no record in the store has its version.
		for _, op := range []store.Op{store.Put("a", nil), store.Delete("a")} {
			v := commit(t, s, op)
			if v <= last {
				t.Fatalf("version %d came after %d", v, last)
			}
			last = v
		}
	}
}

func proveExpiryLasts(t *testing.T, reopen func() store.Store) {
	s := reopen()
	commit(t, s, store.Put("a", nil).Until(time.Now().Add(50*time.Millisecond)), store.Put("b", nil))
	s = reopen()
	eventually(t, "the record expires", func() bool { return !get(t, s, "a").Exists() })
	s = reopen()
	wantAbsent(t, s, "a")
	wantKeys(t, s, "", "", 10, "b")
}

func proveAcknowledgedLasts(t *testing.T, reopen func() store.Store) {
	s := reopen()
	var callers sync.WaitGroup
	var mu sync.Mutex
	acknowledged := map[string]store.Version{}
	for i := range 8 {
		callers.Go(func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("%d/%d", i, n)
				v, err := s.Commit(context.Background(), store.Put(key, []byte(key)))
				if err != nil {
					return
				}
				mu.Lock()
				acknowledged[key] = v
				mu.Unlock()
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	again := reopen()
	callers.Wait()
	if len(acknowledged) == 0 {
		t.Fatal("nothing was acknowledged, so nothing is proved")
	}
	for key, v := range acknowledged {
		if r := get(t, again, key); r.Version != v || string(r.Value) != key {
			t.Fatalf("%q was acknowledged with version %d and came back as %+v", key, v, r)
		}
	}
}
