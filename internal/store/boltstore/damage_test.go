package boltstore_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

// long makes a store that is much longer than what Open reads at once, and
// returns its path. Its keys are k/000000 to k/011999; their values name them.
func long(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signet.db")
	s, err := boltstore.Open(path, boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 12_000; i += 120 {
		var ops []store.Op
		for n := range 120 {
			ops = append(ops, store.Put(longKey(i+n), longValue(i+n)))
		}
		put(t, s, ops...)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func longKey(i int) string   { return fmt.Sprintf("k/%06d", i) }
func longValue(i int) []byte { return []byte(strings.Repeat(fmt.Sprintf("<%06d>", i), 60)) }

// harm changes the bytes of the file at path that follow the last mark in it.
func harm(t *testing.T, path, mark string, change func(b []byte)) {
	t.Helper()
	whole := content(t, path)
	at := bytes.LastIndex(whole, []byte(mark))
	if at < 0 {
		t.Fatalf("%q is not in the file", mark)
	}
	change(whole[at:])
	write(t, path, whole)
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

// wantStopped fails unless s answers nothing, for the file is damaged.
func wantStopped(t *testing.T, s *boltstore.Store) {
	t.Helper()
	for what, call := range map[string]func() error{
		"Get":    func() error { _, err := s.Get(t.Context(), "k/000000"); return err },
		"List":   func() error { _, err := s.List(t.Context(), "k/000000", "", 1); return err },
		"Commit": func() error { _, err := s.Commit(t.Context(), store.Put("new", nil)); return err },
	} {
		if err := call(); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: got %v, want a fault of kind unavailable that says the store is damaged", what, err)
		}
	}
}

func TestDamageThatOpenHasNotComeToIsFoundAfterwardsAndStopsTheStore(t *testing.T) {
	path := long(t)
	harm(t, path, "<011500>", func(b []byte) { b[3] ^= 1 })
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := open(t, path, boltstore.Options{NoSync: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if exists(t, s, longKey(0)); s.Stats().Examined {
			t.Error("Open has read all of it: the test proves nothing")
		}
		time.Sleep(time.Minute)
		if !s.Stats().Examined {
			t.Error("the examination has not ended after a minute")
		}
		wantStopped(t, s)
	})
	if !strings.Contains(log.String(), "damaged and has stopped") {
		t.Errorf("the log says %q, want it to say that the store has stopped", log.String())
	}
}

// In a bubble the examination never comes so far: it rests for a time that does
// not pass. What is asked for is judged by whoever asks.
func TestAGarbledRecordIsNeverServed(t *testing.T) {
	const i = 11_500
	path := long(t)
	sound := content(t, path)
	for what, read := range map[string]func(t *testing.T, s store.Store) error{
		"Get":  func(t *testing.T, s store.Store) error { _, err := s.Get(t.Context(), longKey(i)); return err },
		"List": func(t *testing.T, s store.Store) error { _, err := s.List(t.Context(), longKey(i), "", 1); return err },
		"a long List": func(t *testing.T, s store.Store) error {
			_, err := s.List(t.Context(), "k/", longKey(i-100), 200)
			return err
		},
		"a guard": func(t *testing.T, s store.Store) error {
			_, err := s.Commit(t.Context(), store.Unchanged(longKey(i), 7))
			return err
		},
		"a blind put": func(t *testing.T, s store.Store) error {
			_, err := s.Commit(t.Context(), store.Put(longKey(i), nil))
			return err
		},
		"a neighbour that is absent": func(t *testing.T, s store.Store) error { _, err := s.Get(t.Context(), longKey(i)+"x"); return err },
		"a guard on an absent one": func(t *testing.T, s store.Store) error {
			_, err := s.Commit(t.Context(), store.Put(longKey(i-1)+"x", nil).IfAbsent())
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			write(t, path, sound)
			harm(t, path, "<011500>", func(b []byte) { b[3] ^= 1 })
			synctest.Test(t, func(t *testing.T) {
				s := open(t, path, boltstore.Options{NoSync: true})
				if err := read(t, s); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "damaged") {
					t.Errorf("got %v, want a fault of kind unavailable that says the store is damaged", err)
				}
				wantStopped(t, s)
			})
		})
	}
}

// A key of which a bit has changed leads nowhere: the record under its true key
// must not look absent, for what is absent may be a code that was not spent.
func TestARecordWhoseKeyIsGarbledIsNotAbsent(t *testing.T) {
	path := long(t)
	sound := content(t, path)
	for bit := range 8 {
		write(t, path, sound)
		harm(t, path, "k/011500", func(b []byte) { b[4] ^= 1 << bit })
		synctest.Test(t, func(t *testing.T) {
			s := open(t, path, boltstore.Options{NoSync: true})
			if got, err := s.Get(t.Context(), longKey(11_500)); err == nil {
				t.Errorf("bit %d: got %+v, want it refused", bit, got[0])
			}
		})
	}
}

func TestAPageOfGarbageThatOpenDoesNotReadIsAnErrorAndNoCrash(t *testing.T) {
	path, page := long(t), os.Getpagesize()
	sound := content(t, path)
	for what, garble := range map[string]func(leaf []byte){
		"zeros":         func(leaf []byte) { clear(leaf) },
		"ones":          func(leaf []byte) { copy(leaf, bytes.Repeat([]byte{0xFF}, page)) },
		"wild elements": func(leaf []byte) { copy(leaf[16:], bytes.Repeat([]byte{0xFF}, 256)) },
		"far elements":  func(leaf []byte) { copy(leaf[16:], bytes.Repeat([]byte{0, 0, 0, 0, 0, 0, 0, 0x40}, 64)) },
	} {
		t.Run(what, func(t *testing.T) {
			broken := bytes.Clone(sound)
			at := bytes.LastIndex(broken, longValue(11_500)) / page * page
			garble(broken[at : at+page])
			write(t, path, broken)
			synctest.Test(t, func(t *testing.T) {
				s := open(t, path, boltstore.Options{NoSync: true})
				if _, err := s.Get(t.Context(), longKey(11_500)); fault.KindOf(err) != fault.Unavailable {
					t.Errorf("Get: got %v, want a fault of kind unavailable", err)
				}
				wantStopped(t, s)
			})
		})
	}
}

// pagesOf returns the places of the pages of path that are of the kind that flag says.
func pagesOf(t *testing.T, path string, flag uint16) (whole []byte, at []int) {
	t.Helper()
	whole = content(t, path)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		for id := 2; ; id++ {
			info, err := tx.Page(id)
			if err != nil || info == nil {
				return err
			}
			place := id * os.Getpagesize()
			if info.Type != "free" && binary.NativeEndian.Uint16(whole[place+8:]) == flag {
				at = append(at, place)
			}
			id += info.OverflowCount
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return whole, at
}

func TestOpenReadsEveryPageThatLeadsToOthers(t *testing.T) {
	path := long(t)
	sound, branches := pagesOf(t, path, 1)
	if len(branches) < 10 {
		t.Fatalf("there are %d branches: the file proves nothing", len(branches))
	}
	// The one with the greatest keys: the first of the records are not behind it.
	firstKey := func(at int) []byte {
		start := at + 16 + int(binary.NativeEndian.Uint32(sound[at+16:]))
		return sound[start : start+len(longKey(0))]
	}
	last := slices.MaxFunc(branches, func(a, b int) int { return bytes.Compare(firstKey(a), firstKey(b)) })
	for what, garble := range map[string]func(branch []byte){
		"another page's place":    func(b []byte) { b[0] ^= 1 },
		"another kind":            func(b []byte) { b[8] = 4 },
		"a leaf":                  func(b []byte) { b[8] = 2 },
		"no elements":             func(b []byte) { b[10], b[11] = 0, 0 },
		"too many elements":       func(b []byte) { b[11] = 0xFF },
		"a continuation":          func(b []byte) { b[15] = 0x7F },
		"a child beyond the end":  func(b []byte) { b[16+8+5] = 1 },
		"a child that has two":    func(b []byte) { copy(b[16+8:16+16], b[32+8:32+16]) },
		"a first page as a child": func(b []byte) { copy(b[16+8:16+16], make([]byte, 8)) },
		"a key beyond the end":    func(b []byte) { b[16+3] = 1 },
		"keys out of order": func(b []byte) {
			copy(b[16:24], b[32:40])
			copy(b[16:20], binary.NativeEndian.AppendUint32(nil, binary.NativeEndian.Uint32(b[16:])+16))
		},
	} {
		t.Run(what, func(t *testing.T) {
			broken := bytes.Clone(sound)
			garble(broken[last : last+os.Getpagesize()])
			write(t, path, broken)
			wantRefused(t, path, fault.Unavailable, "damaged")
		})
	}
}
