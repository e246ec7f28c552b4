package boltstore_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

// wantRefused fails unless Open refuses path with a kind, names the path in
// what people read, says what says, and leaves the file as it was.
func wantRefused(t *testing.T, path string, kind fault.Kind, says string) {
	t.Helper()
	before, _ := os.ReadFile(path) // a folder or nothing: no content
	s, err := boltstore.Open(path, boltstore.Options{})
	if err == nil {
		_ = s.Close()
		t.Fatal("Open succeeded, want it refused")
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != kind {
		t.Fatalf("got %v, want a fault of kind %s", err, kind)
	}
	if !strings.Contains(f.Message, path) || !strings.Contains(f.Message, says) {
		t.Errorf("the message is %q, want it to name %s and to say %q", f.Message, path, says)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
	if strays, _ := filepath.Glob(path + ".new-*"); len(strays) > 0 {
		t.Errorf("stray files were left: %q", strays)
	}
}

// filled makes a store of some hundred pages and returns its path and records.
func filled(t *testing.T) (string, map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signet.db")
	s, err := boltstore.Open(path, boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	records := map[string]string{}
	for i := range 200 {
		key, value := fmt.Sprintf("k/%d", i), strings.Repeat(fmt.Sprint(i%10), 1200)
		records[key] = value
		put(t, s, store.Put(key, []byte(value)))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path, records
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenMakesAFileThatOnlyItsOwnerReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.db")
	open(t, path, boltstore.Options{})
	stat, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := stat.Mode().Perm(); mode != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("the file has mode %o, want 600", mode)
	}
}

func TestOpenFillsAFileThatIsEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.db")
	write(t, path, nil)
	put(t, open(t, path, boltstore.Options{}), store.Put("a", nil))
}

func TestOpenRefusesAFileThatIsInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.db")
	s := open(t, path, boltstore.Options{})
	wantRefused(t, path, fault.Unavailable, "in use by another process")
	put(t, s, store.Put("a", nil))
}

func TestOpenRefusesAPathThatCannotBeAStore(t *testing.T) {
	dir := t.TempDir()
	wantRefused(t, dir, fault.Invalid, "name a file in it")
	wantRefused(t, filepath.Join(dir, "absent", "signet.db"), fault.Invalid, "make it first")
	write(t, filepath.Join(dir, "file"), []byte("x"))
	wantRefused(t, filepath.Join(dir, "file", "signet.db"), fault.Unavailable, "cannot be opened")
	if runtime.GOOS != "windows" {
		wantRefused(t, os.DevNull, fault.Invalid, "not a regular file")
	}
}

func TestOpenRefusesWhatItMayNotWrite(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everything")
	}
	path, _ := filled(t)
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, path, fault.Invalid, "may not write")
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, filepath.Join(dir, "signet.db"), fault.Invalid, dir)
}

func TestOpenRefusesANewerFormat(t *testing.T) {
	path, _ := filled(t)
	edit(t, path, nil, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("meta")).Put([]byte("format"), binary.BigEndian.AppendUint64(nil, 3))
	})
	wantRefused(t, path, fault.Invalid, "start the newer version")
}

func TestOpenRefusesABboltFileOfAnotherProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	foreign := func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }
	edit(t, path, nil, foreign)
	wantRefused(t, path, fault.Invalid, "of another program")

	unlisted := filepath.Join(t.TempDir(), "other.db")
	edit(t, unlisted, &bbolt.Options{NoFreelistSync: true}, foreign)
	wantRefused(t, unlisted, fault.Unavailable, "left unchanged")
}

func TestOpenRefusesAStoreThatLostATableOrItsVersion(t *testing.T) {
	for what, harm := range map[string]func(tx *bbolt.Tx) error{
		"records": func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("records")) },
		"expiry":  func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("expiry")) },
		"version": func(tx *bbolt.Tx) error { return tx.Bucket([]byte("meta")).Delete([]byte("version")) },
		"header":  func(tx *bbolt.Tx) error { return tx.Bucket([]byte("records")).Put([]byte("k"), []byte("short")) },
	} {
		t.Run(what, func(t *testing.T) {
			path, _ := filled(t)
			edit(t, path, nil, harm)
			wantRefused(t, path, fault.Unavailable, "damaged")
		})
	}
}

// edit changes a file behind the engine's back.
func edit(t *testing.T, path string, opts *bbolt.Options, change func(tx *bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefusesGarbage(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 63, 4095, 4096, 8192, 1 << 20} {
		path := filepath.Join(t.TempDir(), "signet.db")
		garbage := make([]byte, size)
		for i := range garbage {
			garbage[i] = byte(dice.Uint32())
		}
		write(t, path, garbage)
		wantRefused(t, path, fault.Unavailable, "damaged, or is not a store")
	}
}

func TestOpenRefusesAFileThatIsCutOff(t *testing.T) {
	path, records := filled(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page, refused := os.Getpagesize(), 0
	for size := page / 2; size < len(whole); size += 7 * page / 2 {
		write(t, path, whole[:size])
		if s, err := boltstore.Open(path, boltstore.Options{NoSync: true}); err == nil {
			// bbolt makes its file longer than what it uses: only that may be missing.
			wantRecords(t, s, records)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		refused++
		wantRefused(t, path, fault.Unavailable, "damaged")
	}
	if refused < 10 {
		t.Errorf("%d cuts were refused: the file is too small to prove anything", refused)
	}
}

// Whatever page is overwritten: either the store is refused and left alone, or
// the page did not matter and every record is there.
func TestOpenNoticesAPageOfGarbage(t *testing.T) {
	path, records := filled(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page, refused := os.Getpagesize(), 0
	dice := rand.New(rand.NewPCG(3, 4))
	for at := 0; at+page <= len(whole); at += page {
		broken := bytes.Clone(whole)
		for i := range page {
			broken[at+i] = byte(dice.Uint32())
		}
		write(t, path, broken)
		s, err := boltstore.Open(path, boltstore.Options{NoSync: true})
		if err != nil {
			refused++
			write(t, path, broken)
			wantRefused(t, path, fault.Unavailable, "damaged")
			continue
		}
		// A meta page that is lost takes the newest Commit with it, as after a
		// power cut in the midst of it.
		if at/page > 1 {
			wantRecords(t, s, records)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if refused < 10 {
		t.Errorf("%d pages were refused: the file is too small to prove anything", refused)
	}
}

func wantRecords(t *testing.T, s store.Store, records map[string]string) {
	t.Helper()
	for key, value := range records {
		got, err := s.Get(t.Context(), key)
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		if string(got[0].Value) != value {
			t.Fatalf("%q has another value than the one that was put", key)
		}
	}
}
