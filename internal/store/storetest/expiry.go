package storetest

import (
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
)

func expiryPromises() []promise {
	return []promise{
		{"a record has the expiry that it was put with", func(t *testing.T, s store.Store) {
			until := time.Now().Add(time.Hour).Truncate(time.Microsecond)
			commit(t, s, store.Put("a", nil).Until(until), store.Put("b", nil))
			if r := get(t, s, "a"); !r.Exists() || !r.Expires.Equal(until) {
				t.Errorf("the record is %+v, want it to expire at %s", r, until)
			}
			listed, err := s.List(within(t), "", "", 10)
			if err != nil || len(listed) != 2 {
				t.Fatalf("List = %v, %v, want two records", listed, err)
			}
			if !listed[0].Expires.Equal(until) || !listed[1].Expires.IsZero() {
				t.Errorf("List yields expiries %s and %s, want %s and none", listed[0].Expires, listed[1].Expires, until)
			}
		}},
		{"an expired record is absent to Get and List and does not count", func(t *testing.T, s store.Store) {
			past := time.Now().Add(-time.Second)
			commit(t, s, store.Put("p/a", []byte("x")).Until(past), store.Put("p/b", nil),
				store.Put("p/c", nil).Until(past), store.Put("p/d", nil), store.Put("p/e", nil).Until(past))
			wantAbsent(t, s, "p/a")
			wantKeys(t, s, "p/", "", 2, "p/b", "p/d")
			wantKeys(t, s, "p/", "p/b", 2, "p/d")
		}},
		{"an expired record is absent to every guard", func(t *testing.T, s store.Store) {
			past := time.Now().Add(-time.Second)
			v := commit(t, s, store.Put("a", nil).Until(past), store.Put("b", nil).Until(past))
			_, err := s.Commit(within(t), store.Put("a", nil).If(v))
			wantConflict(t, err, "a")
			_, err = s.Commit(within(t), store.Delete("a").If(v))
			wantConflict(t, err, "a")
			commit(t, s, store.Put("a", []byte("new")).IfAbsent(), store.Delete("b").IfAbsent())
			wantValue(t, s, "a", "new")
		}},
		{"a record expires at its time without anybody's doing", proveExpiryOnTime},
		{"a Put without Until takes the expiry away", func(t *testing.T, s store.Store) {
			soon := time.Now().Add(50 * time.Millisecond)
			commit(t, s, store.Put("a", nil).Until(soon), store.Put("b", nil).Until(soon), store.Put("witness", nil).Until(soon))
			commit(t, s, store.Put("a", []byte("for ever")), store.Put("b", []byte("longer")).Until(soon.Add(time.Hour)))
			eventually(t, "the witness expires", func() bool { return !get(t, s, "witness").Exists() })
			wantValue(t, s, "a", "for ever")
			wantValue(t, s, "b", "longer")
		}},
		{"a record that expired can be made again and lives its own life", func(t *testing.T, s store.Store) {
			commit(t, s, store.Put("a", []byte("old")).Until(time.Now().Add(20*time.Millisecond)))
			eventually(t, "the record expires", func() bool { return !get(t, s, "a").Exists() })
			commit(t, s, store.Put("a", []byte("new")).IfAbsent())
			wantValue(t, s, "a", "new")
		}},
		{"any time can be an expiry", func(t *testing.T, s store.Store) {
			commit(t, s, store.Put("far", nil).Until(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)),
				store.Put("past", nil).Until(time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)), store.Put("epoch", nil).Until(time.Unix(0, 0)))
			wantKeys(t, s, "", "", 10, "far")
		}},
	}
}

func proveExpiryOnTime(t *testing.T, s store.Store) {
	const life = 300 * time.Millisecond
	until := time.Now().Add(life)
	v := commit(t, s, store.Put("a", nil).Until(until))
	// Only what was asked while the answer was certain is judged: the machine may
	// be slow, and the engine's clock is the same as ours or close to it.
	for {
		asked := time.Now()
		exists := get(t, s, "a").Exists()
		if answered := time.Now(); exists && asked.After(until.Add(time.Second)) {
			t.Fatalf("the record is there %s after its expiry", asked.Sub(until))
		} else if !exists {
			if answered.Before(until.Add(-time.Second)) {
				t.Fatalf("the record left %s before its expiry", until.Sub(answered))
			}
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	wantKeys(t, s, "", "", 10)
	_, err := s.Commit(within(t), store.Put("a", nil).If(v))
	wantConflict(t, err, "a")
	commit(t, s, store.Put("a", nil).IfAbsent())
}
