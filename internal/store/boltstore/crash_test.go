package boltstore_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

// acknowledged is a Commit of which a process knew before it was killed.
type acknowledged struct {
	a, b    string
	version store.Version
}

func TestWhatWasAcknowledgedIsThereInFullAfterAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.db")
	var known []acknowledged
	for round := range 10 {
		known = append(known, killed(t, path, time.Duration(rand.IntN(80_000))*time.Microsecond)...)
		s, err := boltstore.Open(path, boltstore.Options{})
		if err != nil {
			t.Fatalf("round %d: opening after a kill: %v", round, err)
		}
		wantAll(t, s, known)
		wantPairs(t, s)
		if err := s.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	t.Logf("%d acknowledged Commits survived 10 kills", len(known))
}

// killed lets a process write to path, kills it some time after its first
// acknowledgement, and returns what it had acknowledged.
func killed(t *testing.T, path string, after time.Duration) []acknowledged {
	t.Helper()
	cmd := child(t.Context(), envTraffic, path)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var known []acknowledged
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var k acknowledged
		if _, err := fmt.Sscanf(lines.Text(), "%s %s %d", &k.a, &k.b, &k.version); err != nil {
			t.Fatalf("reading %q: %v", lines.Text(), err)
		}
		if len(known) == 0 {
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		known = append(known, k)
	}
	if err := cmd.Wait(); err == nil || complaint.Len() > 0 {
		t.Fatalf("the process was not killed, it ended with %v: %s", err, complaint.String())
	}
	if len(known) == 0 {
		t.Fatal("the process acknowledged nothing, so the round proves nothing")
	}
	return known
}

func wantAll(t *testing.T, s store.Store, known []acknowledged) {
	t.Helper()
	for _, k := range known {
		records, err := s.Get(t.Context(), k.a, k.b)
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		for i, key := range []string{k.a, k.b} {
			if r := records[i]; r.Version != k.version || string(r.Value) != key {
				t.Fatalf("%q was acknowledged with version %d and is now %+v", key, k.version, r)
			}
		}
	}
}

// wantPairs checks what was not acknowledged, too: a Commit is there in full
// or not at all.
func wantPairs(t *testing.T, s store.Store) {
	t.Helper()
	for worker := range 8 {
		prefix, after := fmt.Sprintf("%d/", worker), ""
		for {
			page, err := s.List(t.Context(), prefix, after, store.MaxList)
			if err != nil {
				t.Fatalf("List: %v", err)
			}
			for i := 0; i+1 < len(page); i += 2 { // …/a and …/b are neighbours
				if page[i].Version != page[i+1].Version {
					t.Fatalf("half of a Commit is there: %q without its neighbour", page[i].Key)
				}
			}
			if len(page) < store.MaxList {
				if len(page)%2 != 0 {
					t.Fatalf("half of a Commit is there: %q", page[len(page)-1].Key)
				}
				break
			}
			after = page[len(page)-1].Key
		}
	}
}

func TestAKillWhileTheFileIsMadeLeavesNothingThatCannotBeOpened(t *testing.T) {
	for range 12 {
		path := filepath.Join(t.TempDir(), "signet.db")
		cmd := child(t.Context(), envTraffic, path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Watch for the first trace of the file, so that the kill falls into its making.
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
			if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) > 0 {
				break
			}
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		put(t, open(t, path, boltstore.Options{}), store.Put("a", nil))
	}
}
