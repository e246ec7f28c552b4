package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/store"
)

func commitPromises() []promise {
	return []promise{
		{"every record that a Commit puts carries the version it returns", func(t *testing.T, s store.Store) {
			v := commit(t, s, store.Put("a", []byte("1")), store.Put("b", []byte("2")))
			for _, key := range []string{"a", "b"} {
				if r := get(t, s, key); r.Version != v {
					t.Errorf("%q has version %d, want %d", key, r.Version, v)
				}
			}
		}},
		{"every Commit has a greater version than all before it", func(t *testing.T, s store.Store) {
			var last store.Version
			for i := range 20 {
				op := store.Put("k", nil)
				if i%3 == 2 {
					op = store.Delete("k")
				}
				v := commit(t, s, op)
				if v <= last {
					t.Fatalf("version %d came after %d", v, last)
				}
				last = v
			}
		}},
		{"Put replaces what was there", func(t *testing.T, s store.Store) {
			first := commit(t, s, store.Put("a", []byte("old and longer")))
			if v := commit(t, s, store.Put("a", []byte("new"))); v <= first {
				t.Errorf("the second version is %d, the first was %d", v, first)
			}
			wantValue(t, s, "a", "new")
		}},
		{"Delete removes the record and needs none to be there", func(t *testing.T, s store.Store) {
			commit(t, s, store.Put("a", []byte("1")), store.Put("b", []byte("2")))
			commit(t, s, store.Delete("a"), store.Delete("never was"))
			wantAbsent(t, s, "a")
			wantKeys(t, s, "", "", 10, "b")
		}},
		{"the engine does not keep the slice of a Put", func(t *testing.T, s store.Store) {
			value := []byte("mine")
			commit(t, s, store.Put("a", value))
			value[0] = 'X'
			wantValue(t, s, "a", "mine")
		}},
		{"values and keys are any bytes up to their limits", func(t *testing.T, s store.Store) {
			key := strings.Repeat("\xff", store.MaxKey)
			value := bytes.Repeat([]byte{0, 0xff, '\n'}, store.MaxValue/3)
			commit(t, s, store.Put(key, value), store.Put("\x00", []byte{0}))
			wantValue(t, s, key, string(value))
			wantValue(t, s, "\x00", "\x00")
		}},
	}
}

func guardPromises() []promise {
	return []promise{
		{"IfAbsent demands that the record does not exist", func(t *testing.T, s store.Store) {
			commit(t, s, store.Put("a", []byte("first")).IfAbsent())
			_, err := s.Commit(within(t), store.Put("a", []byte("second")).IfAbsent())
			wantConflict(t, err, "a")
			wantValue(t, s, "a", "first")
			commit(t, s, store.Delete("a"))
			commit(t, s, store.Put("a", []byte("third")).IfAbsent())
			wantValue(t, s, "a", "third")
		}},
		{"If demands the version that was read", func(t *testing.T, s store.Store) {
			v1 := commit(t, s, store.Put("a", []byte("1")))
			v2 := commit(t, s, store.Put("a", []byte("2")).If(v1))
			_, err := s.Commit(within(t), store.Put("a", []byte("stale")).If(v1))
			wantConflict(t, err, "a")
			_, err = s.Commit(within(t), store.Delete("a").If(v1))
			wantConflict(t, err, "a")
			_, err = s.Commit(within(t), store.Put("b", nil).If(v2))
			wantConflict(t, err, "b")
			wantValue(t, s, "a", "2")
			commit(t, s, store.Delete("a").If(v2))
			wantAbsent(t, s, "a")
			_, err = s.Commit(within(t), store.Put("a", nil).If(v2))
			wantConflict(t, err, "a")
		}},
		{"Delete with IfAbsent demands and changes nothing", func(t *testing.T, s store.Store) {
			commit(t, s, store.Delete("a").IfAbsent(), store.Put("b", nil))
			commit(t, s, store.Put("a", []byte("kept")))
			_, err := s.Commit(within(t), store.Delete("a").IfAbsent())
			wantConflict(t, err, "a")
			wantValue(t, s, "a", "kept")
		}},
		{"a failed guard applies nothing and names the first key that failed", func(t *testing.T, s store.Store) {
			v := commit(t, s, store.Put("b", []byte("b")), store.Put("c", []byte("c")), store.Put("gone", nil))
			_, err := s.Commit(within(t),
				store.Put("a", nil), store.Delete("gone"), store.Put("b", nil).If(v),
				store.Put("c", nil).If(v+1), store.Put("d", nil).If(v))
			wantConflict(t, err, "c")
			wantAbsent(t, s, "a")
			wantValue(t, s, "b", "b")
			wantValue(t, s, "c", "c")
			wantValue(t, s, "gone", "")
		}},
		{"guards are judged before any op of their Commit applies", func(t *testing.T, s store.Store) {
			commit(t, s, store.Put("z", []byte("z")))
			_, err := s.Commit(within(t), store.Delete("z"), store.Put("a", nil), store.Delete("b").If(1<<40))
			wantConflict(t, err, "b")
			wantKeys(t, s, "", "", 10, "z")
		}},
	}
}

func demandPromises() []promise {
	return []promise{
		{"Unchanged demands the version that was read and changes nothing", func(t *testing.T, s store.Store) {
			v := commit(t, s, store.Put("a", []byte("1")))
			watch, err := s.Watch(within(t), "")
			if err != nil {
				t.Fatal(err)
			}
			w := commit(t, s, store.Unchanged("a", v), store.Unchanged("absent", 0), store.Put("b", nil))
			if r := get(t, s, "a"); r.Version != v || string(r.Value) != "1" {
				t.Errorf("the record became %+v", r)
			}
			if e := <-watch.Events(); e.Key != "b" || e.Version != w {
				t.Errorf("the first event is %+v, want that of b alone", e)
			}
			commit(t, s, store.Put("a", []byte("2")))
			_, err = s.Commit(within(t), store.Unchanged("a", v), store.Put("c", nil))
			wantConflict(t, err, "a")
			_, err = s.Commit(within(t), store.Unchanged("absent", v), store.Put("c", nil))
			wantConflict(t, err, "absent")
			wantAbsent(t, s, "c")
			wantAbsent(t, s, "absent")
		}},
	}
}

func limitPromises() []promise {
	return []promise{
		{"a Commit may have MaxOps ops", func(t *testing.T, s store.Store) {
			var ops []store.Op
			for i := range store.MaxOps {
				ops = append(ops, store.Put(fmt.Sprint(i), nil))
			}
			commit(t, s, ops...)
			if n := len(keys(t, s, "", "", store.MaxList)); n != store.MaxOps {
				t.Errorf("the store holds %d records, want %d", n, store.MaxOps)
			}
		}},
		{"a Commit beyond the limits is invalid and applies nothing", func(t *testing.T, s store.Store) {
			many := make([]store.Op, store.MaxOps+1)
			for i := range many {
				many[i] = store.Put(fmt.Sprint(i), nil)
			}
			half := make([]byte, store.MaxValue)
			for what, ops := range map[string][]store.Op{
				"no ops":         nil,
				"too many ops":   many,
				"an empty key":   {store.Put("a", nil), store.Put("", nil)},
				"a long key":     {store.Put("a", nil), store.Delete(strings.Repeat("k", store.MaxKey+1))},
				"a large value":  {store.Put("a", make([]byte, store.MaxValue+1))},
				"a large Commit": {store.Put("a", half), store.Put("b", half)},
			} {
				_, err := s.Commit(within(t), ops...)
				wantInvalid(t, what, err)
			}
			wantKeys(t, s, "", "", 10)
		}},
		{"naming one key twice in a Commit is ErrDuplicateKey", func(t *testing.T, s store.Store) {
			_, err := s.Commit(within(t), store.Put("a", nil), store.Put("b", nil), store.Delete("a"))
			if !errors.Is(err, store.ErrDuplicateKey) {
				t.Errorf("got error %v, want ErrDuplicateKey", err)
			}
			wantKeys(t, s, "", "", 10)
		}},
		{"a read beyond the limits is invalid", func(t *testing.T, s store.Store) {
			many := make([]string, store.MaxGet+1)
			for i := range many {
				many[i] = "k"
			}
			_, err := s.Get(within(t), many...)
			wantInvalid(t, "too many keys", err)
			_, err = s.Get(within(t), "a", "")
			wantInvalid(t, "an empty key", err)
			long := strings.Repeat("k", store.MaxKey+1)
			_, err = s.Get(within(t), long)
			wantInvalid(t, "a long key", err)
			for _, limit := range []int{-1, 0, store.MaxList + 1} {
				_, err = s.List(within(t), "", "", limit)
				wantInvalid(t, fmt.Sprintf("List with limit %d", limit), err)
			}
			_, err = s.List(within(t), long, "", 1)
			wantInvalid(t, "List of a long prefix", err)
			_, err = s.Watch(within(t), long)
			wantInvalid(t, "Watch of a long prefix", err)
		}},
	}
}
