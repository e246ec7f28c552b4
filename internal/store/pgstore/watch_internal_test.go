package pgstore

import (
	"testing"

	"github.com/signet-id/signet/internal/store"
)

// Who joins while the log is read for the others may watch what was not read.
func TestAReadingFromBeforeAWatchBeganIsNotItsReading(t *testing.T) {
	t.Parallel()
	all := &watchers{all: map[*watcher]struct{}{}}
	one, err := all.add(t.Context(), "a/", place{version: 5})
	if err != nil {
		t.Fatal(err)
	}
	n, watched := all.next()
	if !watched || n.after.version != 5 || len(n.from) != 1 {
		t.Fatalf("next = %+v, %t, want what follows version 5 under one prefix", n, watched)
	}
	two, err := all.add(t.Context(), "b/", place{version: 5})
	if err != nil {
		t.Fatal(err)
	}
	if all.dispatch(n, []store.Event{{Key: "a/1", Version: 6}}, place{version: 6}) {
		t.Fatal("a reading of one prefix was taken for that of both")
	}
	n, _ = all.next()
	if !all.dispatch(n, []store.Event{{Key: "a/1", Version: 6}, {Key: "b/1", Version: 6}}, place{version: 6}) {
		t.Fatal("the reading of both was refused")
	}
	if e := <-one.Events(); e.Key != "a/1" || e.More {
		t.Errorf("one watcher got %+v", e)
	}
	if e := <-two.Events(); e.Key != "b/1" || e.More {
		t.Errorf("the other watcher got %+v", e)
	}
}
