package boltstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

// bubble runs prove in virtual time on a store that skips the fsync.
func bubble(t *testing.T, prove func(t *testing.T, s *boltstore.Store)) {
	path := filepath.Join(t.TempDir(), "signet.db")
	synctest.Test(t, func(t *testing.T) {
		prove(t, open(t, path, boltstore.Options{NoSync: true}))
	})
}

func put(t *testing.T, s store.Store, ops ...store.Op) store.Version {
	t.Helper()
	v, err := s.Commit(t.Context(), ops...)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	return v
}

func exists(t *testing.T, s store.Store, key string) bool {
	t.Helper()
	records, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return records[0].Exists()
}

func TestARecordIsAbsentFromTheVeryNanosecondOfItsExpiry(t *testing.T) {
	bubble(t, func(t *testing.T, s *boltstore.Store) {
		v := put(t, s, store.Put("a", nil).Until(time.Now().Add(time.Minute)))
		time.Sleep(time.Minute - 1)
		if !exists(t, s, "a") {
			t.Error("the record left a nanosecond too early")
		}
		if _, err := s.Commit(t.Context(), store.Delete("a").IfAbsent()); err == nil {
			t.Error("a guard took the record for expired a nanosecond too early")
		}
		time.Sleep(1 * time.Nanosecond)
		if exists(t, s, "a") {
			t.Error("the record is there at its expiry")
		}
		if _, err := s.Commit(t.Context(), store.Put("a", nil).If(v)); err == nil {
			t.Error("a guard accepted the record at its expiry")
		}
		if swept := s.Stats().Swept; swept != 0 {
			t.Errorf("%d records are swept already: the test proves nothing", swept)
		}
	})
}

func TestExpiredRecordsLeaveTheFileWithinSeconds(t *testing.T) {
	bubble(t, func(t *testing.T, s *boltstore.Store) {
		put(t, s, store.Put("a", nil).Until(time.Now().Add(time.Hour)), store.Put("b", nil).Until(time.Now().Add(2*time.Hour)))
		for hour := range uint64(2) {
			time.Sleep(time.Hour + 20*time.Second)
			if swept := s.Stats().Swept; swept != hour+1 {
				t.Errorf("after %d hours %d records are swept, want %d", hour+1, swept, hour+1)
			}
		}
	})
}

func TestASweepRemovesABoundedNumberPerTransaction(t *testing.T) {
	bubble(t, func(t *testing.T, s *boltstore.Store) {
		const records, bound = 3000, 512
		until := time.Now().Add(time.Minute)
		for i := 0; i < records; i += 100 {
			var ops []store.Op
			for n := range 100 {
				ops = append(ops, store.Put(fmt.Sprint(i+n), nil).Until(until))
			}
			put(t, s, ops...)
		}
		before := s.Stats()
		time.Sleep(2 * time.Minute)
		after := s.Stats()
		if swept := after.Swept - before.Swept; swept != records {
			t.Errorf("%d records are swept, want %d", swept, records)
		}
		if got, want := after.Transactions-before.Transactions, uint64((records+bound-1)/bound); got != want {
			t.Errorf("the sweep took %d transactions, want %d", got, want)
		}
	})
}

func TestTheSweeperIsNotStarvedBySteadyCommits(t *testing.T) {
	bubble(t, func(t *testing.T, s *boltstore.Store) {
		put(t, s, store.Put("a", nil).Until(time.Now().Add(time.Second)))
		for range 60 {
			put(t, s, store.Put("busy", nil))
			time.Sleep(time.Second)
		}
		if swept := s.Stats().Swept; swept != 1 {
			t.Errorf("%d records are swept after a busy minute, want 1", swept)
		}
	})
}

func TestTheSweeperLeavesWhatWasGivenALongerLife(t *testing.T) {
	bubble(t, func(t *testing.T, s *boltstore.Store) {
		soon := time.Now().Add(time.Minute)
		put(t, s, store.Put("renewed", nil).Until(soon), store.Put("kept", nil).Until(soon), store.Put("deleted", nil).Until(soon))
		put(t, s, store.Put("renewed", nil).Until(soon.Add(time.Hour)), store.Put("kept", nil), store.Delete("deleted"))
		put(t, s, store.Put("deleted", nil))
		time.Sleep(30 * time.Minute)
		for _, key := range []string{"renewed", "kept", "deleted"} {
			if !exists(t, s, key) {
				t.Errorf("%q is gone", key)
			}
		}
		time.Sleep(time.Hour)
		if exists(t, s, "renewed") || s.Stats().Swept != 1 {
			t.Errorf("%d records are swept in the end, want the renewed one", s.Stats().Swept)
		}
	})
}

func TestAYearInWhichNothingExpiresWakesNobody(t *testing.T) {
	bubble(t, func(t *testing.T, s *boltstore.Store) {
		put(t, s, store.Put("a", nil), store.Put("b", nil).Until(time.Now().AddDate(0, 11, 0)))
		time.Sleep(366 * 24 * time.Hour)
		if n := s.Stats().Transactions; n != 2 {
			t.Errorf("the year took %d transactions, want the Commit and one sweep", n)
		}
	})
}

func TestAYearOfExpiriesIsCheap(t *testing.T) {
	bubble(t, func(t *testing.T, s *boltstore.Store) {
		const perDay, days = 4, 365
		for i := range days * perDay {
			put(t, s, store.Put(fmt.Sprint(i), nil).Until(time.Now().Add(time.Hour)))
			time.Sleep(24 * time.Hour / perDay)
		}
		if swept := s.Stats().Swept; swept != days*perDay {
			t.Errorf("%d records are swept, want %d", swept, days*perDay)
		}
	})
}

func TestTheSweeperFindsWhatExpiredWhileTheStoreWasClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := boltstore.Open(path, boltstore.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		put(t, s, store.Put("a", nil).Until(time.Now().Add(time.Minute)))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		again := open(t, path, boltstore.Options{NoSync: true})
		time.Sleep(time.Second)
		if swept := again.Stats().Swept; swept != 1 {
			t.Errorf("%d records are swept after opening, want 1", swept)
		}
	})
}

// The channel of a Watch, its context and Close all meet in one bubble: a
// goroutine that stayed behind would fail the test by itself.
func TestAWatchLeavesNoGoroutineBehind(t *testing.T) {
	bubble(t, func(t *testing.T, s *boltstore.Store) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w, err := s.Watch(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		for range w.Events() {
			t.Error("an event came from nowhere")
		}
		if !errors.Is(w.Err(), context.DeadlineExceeded) {
			t.Errorf("the Watch ended with %v, want its context's error", w.Err())
		}
	})
}
