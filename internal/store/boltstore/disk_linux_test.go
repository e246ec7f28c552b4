package boltstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

// fillDisk makes every write to the open file at path fail as on a full disk,
// until the function that it returns is called.
func fillDisk(t *testing.T, path string) (makeRoom func()) {
	t.Helper()
	fd := descriptor(t, path)
	kept, err := syscall.Dup(fd) // keeps the file's lock, too
	if err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	swap := func(from int) {
		if err := syscall.Dup3(from, fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	swap(int(full.Fd()))
	return func() {
		swap(kept)
		_ = syscall.Close(kept)
	}
}

func descriptor(t *testing.T, path string) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && target == path {
			fd, _ := strconv.Atoi(e.Name())
			return fd
		}
	}
	t.Fatalf("%s is not open", path)
	return 0
}

func TestAFullDiskFailsTheWholeBatchAndLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.db")
	s := open(t, path, boltstore.Options{})
	for range 5 { // so that there are free pages, and a write does not begin with growing the file
		put(t, s, store.Put("before", []byte("kept")))
	}
	last := put(t, s, store.Put("taken", nil))
	w, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}

	makeRoom := fillDisk(t, path)
	var callers sync.WaitGroup
	for i := range 16 {
		callers.Go(func() {
			ops := []store.Op{store.Put(strconv.Itoa(i), nil)}
			if i%2 == 0 { // most of these conflict, with a Commit that fails itself
				ops = append(ops, store.Put("once", nil).IfAbsent())
			}
			_, err := s.Commit(t.Context(), ops...)
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Unavailable || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(f.Message, "full") {
				t.Errorf("got %v, want a fault of kind unavailable that says the disk is full", err)
			}
		})
	}
	callers.Wait()
	if !exists(t, s, "before") || exists(t, s, "0") {
		t.Error("the failed Commits can be seen")
	}
	makeRoom()

	v := put(t, s, store.Put("after", nil))
	if v <= last {
		t.Errorf("version %d came after %d", v, last)
	}
	records, err := s.List(t.Context(), "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 3 || string(records[1].Value) != "kept" {
		t.Errorf("the store holds %d records, want after, before and taken", len(records))
	}
	if e := <-w.Events(); e.Key != "after" || e.Version != v {
		t.Errorf("the first event is %+v, want that of the Commit that succeeded", e)
	}
}
