package boltstore

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// idle is a writer that does not run, so that the test may call it.
func idle(t *testing.T, log *strings.Builder) *writer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signet.db")
	if _, err := prepare(path, Options{}); err != nil {
		t.Fatal(err)
	}
	file, err := load(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.db.Close() })
	s := &Store{db: file.db, watchers: &watchers{all: map[*watcher]struct{}{}}, alarm: &alarm{path: path, logger: slog.New(slog.NewTextHandler(log, nil))}}
	s.resident.timer = time.AfterFunc(lately, s.leave)
	t.Cleanup(func() { s.resident.timer.Stop() })
	return &writer{Store: s, path: path, logger: slog.New(slog.NewTextHandler(log, nil)), timer: time.NewTimer(time.Hour)}
}

func currentTx(t *testing.T, db *bbolt.DB) (id int) {
	t.Helper()
	if err := db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAChangeThatTheDiskMayHaveLostStopsAllWriting(t *testing.T) {
	var log strings.Builder
	w := idle(t, &log)
	sub, err := w.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	// The transaction became current, and yet its Commit returned an error: its
	// last fsync failed.
	if err := w.failed(currentTx(t, w.db), errors.New("input/output error")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("the Commit failed with %v, want a fault of kind unavailable", err)
	}
	if !errors.Is(sub.Err(), store.ErrGap) {
		t.Errorf("the Watch has error %v, want ErrGap: nobody knows what was committed", sub.Err())
	}
	err = w.update(func(tables) (bool, error) { t.Error("a transaction began"); return false, nil })
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("the next Commit got %v, want a fault of kind unavailable", err)
	}
	if !strings.Contains(log.String(), "stopped writing") {
		t.Errorf("the log says %q, want it to say that writing stopped", log.String())
	}
}

func TestAChangeThatNeverBecameCurrentStopsNothing(t *testing.T) {
	var log strings.Builder
	w := idle(t, &log)
	if err := w.failed(currentTx(t, w.db)+1, errors.New("no space left on device")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("the Commit failed with %v, want a fault of kind unavailable", err)
	}
	began := false
	if err := w.update(func(tables) (bool, error) { began = true; return false, nil }); err != nil || !began {
		t.Errorf("the next transaction got %v, want it to begin", err)
	}
}
