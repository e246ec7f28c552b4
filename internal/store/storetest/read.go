package storetest

import (
	"fmt"
	"testing"

	"github.com/signet-id/signet/internal/store"
)

func getPromises() []promise {
	return []promise{
		{"Get returns a record per key in the order asked", func(t *testing.T, s store.Store) {
			va := commit(t, s, store.Put("a", []byte("1")))
			vb := commit(t, s, store.Put("b", []byte("22")), store.Put("empty", nil))
			records, err := s.Get(within(t), "b", "absent", "a", "empty", "b")
			if err != nil {
				t.Fatalf("Get: %v", err)
			}
			want := []store.Record{
				{Key: "b", Value: []byte("22"), Version: vb},
				{Key: "absent"},
				{Key: "a", Value: []byte("1"), Version: va},
				{Key: "empty", Version: vb},
				{Key: "b", Value: []byte("22"), Version: vb},
			}
			if len(records) != len(want) {
				t.Fatalf("got %d records, want %d", len(records), len(want))
			}
			for i, r := range records {
				w := want[i]
				if r.Key != w.Key || string(r.Value) != string(w.Value) || r.Version != w.Version || !r.Expires.IsZero() {
					t.Errorf("record %d is %+v, want %+v", i, r, w)
				}
			}
		}},
		{"Get of an absent key yields version 0 and no error", func(t *testing.T, s store.Store) {
			wantAbsent(t, s, "absent")
		}},
		{"Get of no keys yields no records", func(t *testing.T, s store.Store) {
			if records, err := s.Get(within(t)); err != nil || len(records) != 0 {
				t.Errorf("Get() = %v, %v, want nothing and no error", records, err)
			}
		}},
		{"a value that was read belongs to the caller", func(t *testing.T, s store.Store) {
			commit(t, s, store.Put("a", []byte("alpha")), store.Put("b", []byte("beta")))
			records, err := s.Get(within(t), "a", "b")
			if err != nil {
				t.Fatalf("Get: %v", err)
			}
			_ = append(records[0].Value, '!')
			records[0].Value[0] = 'X'
			if string(records[1].Value) != "beta" {
				t.Errorf("appending to one value changed the other to %q", records[1].Value)
			}
			listed, err := s.List(within(t), "a", "", 1)
			if err != nil {
				t.Fatalf("List: %v", err)
			}
			listed[0].Value[1] = 'X'
			wantValue(t, s, "a", "alpha")
		}},
		{"Get sees every Commit that has returned", func(t *testing.T, s store.Store) {
			for i := range 50 {
				commit(t, s, store.Put("k", fmt.Append(nil, i)))
				wantValue(t, s, "k", fmt.Sprint(i))
			}
		}},
	}
}

func listPromises() []promise {
	return []promise{
		{"List yields the records of the prefix in byte order of their keys", func(t *testing.T, s store.Store) {
			commit(t, s, store.Put("p/b", nil), store.Put("p/a\xff", nil), store.Put("p/Z", nil), store.Put("p/a", []byte("v")),
				store.Put("p/é", nil), store.Put("p/a\x00", nil), store.Put("p", nil), store.Put("p0", nil), store.Put("o/z", nil))
			wantKeys(t, s, "p/", "", store.MaxList, "p/Z", "p/a", "p/a\x00", "p/a\xff", "p/b", "p/é")
			wantKeys(t, s, "p/a\xff", "", store.MaxList, "p/a\xff")
			wantKeys(t, s, "q", "", store.MaxList)
		}},
		{"List yields whole records", func(t *testing.T, s store.Store) {
			v := commit(t, s, store.Put("p/a", []byte("value")))
			records, err := s.List(within(t), "p/", "", 1)
			if err != nil || len(records) != 1 {
				t.Fatalf("List = %v, %v, want one record", records, err)
			}
			if r := records[0]; string(r.Value) != "value" || r.Version != v || !r.Expires.IsZero() {
				t.Errorf("List yields %+v, want the value, version %d and no expiry", r, v)
			}
		}},
		{"List of the empty prefix yields everything", func(t *testing.T, s store.Store) {
			commit(t, s, store.Put("b", nil), store.Put("a", nil), store.Put("\xff", nil))
			wantKeys(t, s, "", "", store.MaxList, "a", "b", "\xff")
		}},
		{"List continues after a key whether or not that key exists", func(t *testing.T, s store.Store) {
			commit(t, s, store.Put("b", nil), store.Put("p/a", nil), store.Put("p/c", nil), store.Put("p/c\x00", nil), store.Put("q/a", nil))
			wantKeys(t, s, "p/", "p/a", 10, "p/c", "p/c\x00")
			wantKeys(t, s, "p/", "p/b", 10, "p/c", "p/c\x00")
			wantKeys(t, s, "p/", "p/c", 10, "p/c\x00")
			wantKeys(t, s, "p/", "p/d", 10)
			wantKeys(t, s, "p/", "a", 10, "p/a", "p/c", "p/c\x00")
			wantKeys(t, s, "p/", "q/", 10)
		}},
		{"pages of List join to the whole, and fewer than limit means the end", provePaging},
	}
}

func provePaging(t *testing.T, s store.Store) {
	const total, limit = 250, 60
	var ops []store.Op
	for i := range total {
		ops = append(ops, store.Put(fmt.Sprintf("p/%03d", i), nil))
		if len(ops) == store.MaxOps || i == total-1 {
			commit(t, s, ops...)
			ops = nil
		}
	}
	after, seen := "", 0
	for {
		page := keys(t, s, "p/", after, limit)
		for _, key := range page {
			if want := fmt.Sprintf("p/%03d", seen); key != want {
				t.Fatalf("record %d is %q, want %q", seen, key, want)
			}
			seen++
		}
		if len(page) < limit {
			break
		}
		after = page[limit-1]
	}
	if seen != total {
		t.Errorf("the pages held %d records, want %d", seen, total)
	}
}
