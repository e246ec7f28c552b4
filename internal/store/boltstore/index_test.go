package boltstore_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

// held counts what the closed file at path holds.
func held(t *testing.T, path string) (records, entries int) {
	t.Helper()
	edit(t, path, nil, func(tx *bbolt.Tx) error {
		records, entries = tx.Bucket([]byte("records")).Stats().KeyN, tx.Bucket([]byte("expiry")).Stats().KeyN
		return nil
	})
	return records, entries
}

func TestARecordThatLivesOnKeepsItsOneEntryInTheIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := boltstore.Open(path, boltstore.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 { // each moves the end by less than it takes to come to it
			put(t, s, store.Put("refreshed", nil).Until(time.Now().Add(time.Hour)))
			time.Sleep(10 * time.Minute)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
	if records, entries := held(t, path); records != 1 || entries != 1 {
		t.Errorf("the file holds %d records and %d entries, want one of each", records, entries)
	}
}

// Whatever happens to records, closing and opening included: none is seen after
// its expiry, none leaves before, and none stays in the file.
func TestNoRecordOutstaysItsExpiryWhateverHappenedToIt(t *testing.T) {
	for seed := range uint64(8) {
		path := filepath.Join(t.TempDir(), "signet.db")
		synctest.Test(t, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 7))
			alive := map[string]time.Time{} // zero: for ever
			for range 5 {
				s, err := boltstore.Open(path, boltstore.Options{NoSync: true})
				if err != nil {
					t.Fatal(err)
				}
				for range 300 {
					key := fmt.Sprint(dice.IntN(20))
					switch dice.IntN(8) {
					case 0:
						put(t, s, store.Delete(key))
						delete(alive, key)
					case 1:
						put(t, s, store.Put(key, nil))
						alive[key] = time.Time{}
					default:
						until := time.Now().Add(time.Duration(dice.IntN(600)) * time.Second)
						put(t, s, store.Put(key, nil).Until(until))
						alive[key] = until
					}
					time.Sleep(time.Duration(dice.IntN(20)) * time.Second)
					for key, until := range alive {
						if want := until.IsZero() || time.Now().Before(until); exists(t, s, key) != want {
							t.Fatalf("%q, which ends %v: there is %t at %v", key, until, !want, time.Now())
						}
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			s := open(t, path, boltstore.Options{NoSync: true})
			time.Sleep(time.Hour)
			for key, until := range alive {
				if exists(t, s, key) != until.IsZero() {
					t.Errorf("%q, which ends %v: there is %t an hour later", key, until, !until.IsZero())
				}
				if until.IsZero() {
					put(t, s, store.Delete(key))
				}
			}
		})
		if records, entries := held(t, path); records != 0 || entries != 0 {
			t.Errorf("seed %d: the file holds %d records and %d entries in the end, want none", seed, records, entries)
		}
	}
}

// In format 1 the sweeper took the index at its word: a file whose index is no
// longer that exact must not be opened by it.
func TestAFileOfFormat1IsRaisedAndGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.db")
	s, err := boltstore.Open(path, boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, store.Put("a", []byte("kept")).Until(time.Now().Add(time.Hour)))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	format := func(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket([]byte("meta")) }
	edit(t, path, nil, func(tx *bbolt.Tx) error {
		return format(tx).Put([]byte("format"), binary.BigEndian.AppendUint64(nil, 1))
	})
	s, err = boltstore.Open(path, boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if !exists(t, s, "a") {
		t.Error("the record is gone")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, path, nil, func(tx *bbolt.Tx) error {
		if got := binary.BigEndian.Uint64(format(tx).Get([]byte("format"))); got != 2 {
			t.Errorf("the file is of format %d, want 2", got)
		}
		return nil
	})
}
