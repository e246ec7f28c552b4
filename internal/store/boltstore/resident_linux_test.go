package boltstore_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

// mapped is how many bytes of the file at path this process holds.
func mapped(t *testing.T, path string) (resident int) {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ours := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if address, _, _ := strings.Cut(line, " "); strings.Contains(address, "-") {
			ours = strings.HasSuffix(line, path)
		}
		var kilobytes int
		if _, err := fmt.Sscanf(line, "Rss: %d kB", &kilobytes); err == nil && ours {
			resident += kilobytes << 10
		}
	}
	return resident
}

func TestPagesThatNobodyUsesLeaveTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "signet.db")
		s, err := boltstore.Open(path, boltstore.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		const n, size = 64, 256 << 10
		for i := range n {
			if _, err := s.Commit(t.Context(), store.Put(fmt.Sprintf("large/%02d", i), make([]byte, size))); err != nil {
				t.Fatal(err)
			}
		}
		read := func() {
			t.Helper()
			if all, err := s.List(t.Context(), "large/", "", n); err != nil || len(all) != n {
				t.Fatalf("%d records, %v", len(all), err)
			}
		}
		for range 2 { // it is not done once for all
			read()
			if held := mapped(t, path); held < n*size {
				t.Fatalf("all was read, and %d bytes are mapped: this test sees nothing", held)
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if held := mapped(t, path); held > n*size/8 {
				t.Errorf("a minute later %d bytes are still mapped", held)
			}
		}
		read()
	})
}
