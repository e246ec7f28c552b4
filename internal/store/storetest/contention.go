package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/signet-id/signet/internal/store"
)

func contentionPromises() []promise {
	return []promise{
		{"of 64 concurrent IfAbsent of one key exactly one wins", proveSingleUse},
		{"concurrent counters lose no increment", proveCounters},
		{"guards on several keys are judged at one moment", proveTransfers},
		{"a conflict never fails its neighbours", proveNeighbours},
		{"concurrent Commits have versions of their own", proveVersions},
	}
}

// together runs n callers that start at one moment, and waits for them.
func together(n int, call func(i int)) {
	var ready, finished sync.WaitGroup
	ready.Add(n)
	for i := range n {
		finished.Go(func() {
			ready.Done()
			ready.Wait()
			call(i)
		})
	}
	finished.Wait()
}

func proveSingleUse(t *testing.T, s store.Store) {
	ctx := within(t)
	for round := range 10 {
		key := fmt.Sprintf("code/%d", round)
		var wins atomic.Int64
		var winner atomic.Value
		together(64, func(i int) {
			name := strconv.Itoa(i)
			_, err := s.Commit(ctx, store.Put("own/"+name, nil), store.Put(key, []byte(name)).IfAbsent())
			switch {
			case err == nil:
				wins.Add(1)
				winner.Store(name)
			case !errors.Is(err, store.ErrConflict):
				t.Errorf("Commit: %v", err)
			}
		})
		if wins.Load() != 1 {
			t.Fatalf("%d callers consumed %q, want exactly 1", wins.Load(), key)
		}
		wantValue(t, s, key, winner.Load().(string))
	}
}

func proveCounters(t *testing.T, s store.Store) {
	const callers, each = 16, 10
	ctx := within(t)
	increment := func() error {
		for {
			records, err := s.Get(ctx, "counter")
			if err != nil {
				return err
			}
			n, _ := strconv.Atoi(string(records[0].Value)) // absent is 0
			_, err = s.Commit(ctx, store.Put("counter", fmt.Append(nil, n+1)).If(records[0].Version))
			if !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
	}
	together(callers, func(int) {
		for range each {
			if err := increment(); err != nil {
				t.Errorf("incrementing: %v", err)
				return
			}
		}
	})
	wantValue(t, s, "counter", strconv.Itoa(callers*each))
}

// proveTransfers moves money between accounts while others add them up: with
// guards judged at different moments the sum drifts, with reads that mix two
// states it flickers.
func proveTransfers(t *testing.T, s store.Store) {
	const accounts, callers, each, start = 4, 8, 25, 100
	ctx := within(t)
	names := make([]string, accounts)
	for i := range names {
		names[i] = fmt.Sprintf("account/%d", i)
		commit(t, s, store.Put(names[i], []byte(strconv.Itoa(start))))
	}
	balance := func(r store.Record) int { n, _ := strconv.Atoi(string(r.Value)); return n }
	transfer := func(from, to string) error {
		for {
			r, err := s.Get(ctx, from, to)
			if err != nil {
				return err
			}
			_, err = s.Commit(ctx,
				store.Put(from, fmt.Append(nil, balance(r[0])-1)).If(r[0].Version),
				store.Put(to, fmt.Append(nil, balance(r[1])+1)).If(r[1].Version))
			if !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
	}
	sum := func() int {
		records, err := s.Get(ctx, names...)
		if err != nil {
			t.Errorf("Get: %v", err)
		}
		total := 0
		for _, r := range records {
			total += balance(r)
		}
		return total
	}
	together(callers, func(i int) {
		for n := range each {
			from := (i + n) % accounts
			to := (from + 1 + n%(accounts-1)) % accounts
			if err := transfer(names[from], names[to]); err != nil {
				t.Errorf("transferring: %v", err)
				return
			}
			if got := sum(); got != accounts*start {
				t.Errorf("one Get saw a sum of %d, want %d", got, accounts*start)
				return
			}
		}
	})
	if got := sum(); got != accounts*start {
		t.Errorf("in the end the sum is %d, want %d", got, accounts*start)
	}
}

func proveNeighbours(t *testing.T, s store.Store) {
	ctx := within(t)
	commit(t, s, store.Put("taken", nil))
	var failed, applied atomic.Int64
	together(64, func(i int) {
		ops := []store.Op{store.Put(fmt.Sprintf("own/%02d", i), nil)}
		if i%2 == 0 {
			ops = append(ops, store.Put("taken", nil).IfAbsent())
		}
		_, err := s.Commit(ctx, ops...)
		switch {
		case err == nil && i%2 == 1:
			applied.Add(1)
		case errors.Is(err, store.ErrConflict) && i%2 == 0:
			failed.Add(1)
		default:
			t.Errorf("caller %d got %v", i, err)
		}
	})
	if failed.Load() != 32 || applied.Load() != 32 {
		t.Errorf("%d failed and %d applied, want 32 of each", failed.Load(), applied.Load())
	}
	if n := len(keys(t, s, "own/", "", store.MaxList)); n != 32 {
		t.Errorf("%d records are there, want the 32 of those that applied", n)
	}
}

func proveVersions(t *testing.T, s store.Store) {
	ctx := within(t)
	versions := make([]store.Version, 64)
	together(len(versions), func(i int) {
		v, err := s.Commit(ctx, store.Put(strconv.Itoa(i), nil))
		if err != nil {
			t.Errorf("Commit: %v", err)
		}
		versions[i] = v
	})
	owner := map[store.Version]int{}
	for i, v := range versions {
		if other, taken := owner[v]; taken {
			t.Errorf("callers %d and %d share version %d", i, other, v)
		}
		owner[v] = i
		if r := get(t, s, strconv.Itoa(i)); r.Version != v {
			t.Errorf("record %d has version %d, its Commit returned %d", i, r.Version, v)
		}
	}
}
