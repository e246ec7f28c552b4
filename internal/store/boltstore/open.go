package boltstore

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.etcd.io/bbolt"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/group"
)

// format is the version of the file's layout that this code writes.
//
// In format 1 the expiry index named for each record the very time of its
// expiry, and the sweeper took the index at its word. Such a file is a good one
// of format 2, but not the other way round.
const format = 2

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = time.Second

var _ store.Store = (*Store)(nil)

// Open opens the store in the file at path, and makes it if there is none. One
// that is not sound is refused and left as it is. Most of a large file is read
// through after Open has returned: where that, or a Get, finds damage, the store
// stops answering. Every error names the path and what to do. Who opens closes.
func Open(path string, opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	rest := &examination{done: true}
	size, err := prepare(path, opts)
	if err == nil && size > 0 {
		rest, err = examine(path)
	}
	if err != nil {
		return nil, openFault(path, err)
	}
	file, err := load(path, opts)
	if err != nil {
		return nil, openFault(path, err)
	}
	stop := make(chan struct{})
	s := &Store{
		db:       file.db,
		queue:    group.New[[]change](stop),
		stop:     stop,
		stopped:  make(chan struct{}),
		examined: make(chan struct{}),
		watchers: &watchers{all: map[*watcher]struct{}{}},
		alarm:    &alarm{path: path, logger: opts.Logger},
	}
	s.resident.timer = time.AfterFunc(lately, s.leave) // what was read to open it goes, too
	w := &writer{
		Store:  s,
		path:   path,
		logger: opts.Logger,
		last:   file.last,
		due:    file.due,
		timer:  time.NewTimer(0),
	}
	go w.run()         // until Close
	go s.examine(rest) // until it is through, or Close
	return s, nil
}

// prepare sees to it that there is a file, and returns its size. One of size 0
// was made beforehand, to be mounted or for its mode; bbolt fills it.
func prepare(path string, opts Options) (int64, error) {
	stat, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path, opts); err != nil {
			return 0, err
		}
		stat, err = os.Stat(path)
	}
	switch {
	case err != nil:
		return 0, err
	case stat.IsDir():
		return 0, fault.New(fault.Invalid, "the store %s is a folder: name a file in it, such as %s", path, filepath.Join(path, "signet.db"))
	case !stat.Mode().IsRegular():
		return 0, fault.New(fault.Invalid, "the store %s is not a regular file: choose another path", path)
	}
	return stat.Size(), nil
}

// create makes an empty store under another name and moves it into place when
// it is whole and on disk: a crash half way leaves a stray file beside path,
// never one at path that cannot be opened.
func create(path string, opts Options) error {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Invalid, err, "the store %s cannot be made: there is no folder %s; make it first, or correct the path", path, dir)
	}
	draft, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	if err := draft.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(draft.Name(), 0o600, boltOptions(opts))
	if err != nil {
		return err
	}
	if err := errors.Join(db.Update(layOut), db.Close()); err != nil {
		return err
	}
	// A link never replaces what another process put there meanwhile; not every
	// file system has links.
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(draft.Name(), path); err != nil {
			return err
		}
	}
	return syncFolder(dir, opts)
}

// syncFolder makes the new name durable.
func syncFolder(dir string, opts Options) error {
	if opts.NoSync || runtime.GOOS == "windows" { // where a folder cannot be synced
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func boltOptions(opts Options) *bbolt.Options {
	return &bbolt.Options{
		Timeout:      lockWait,
		NoSync:       opts.NoSync,
		NoStatistics: true, // they cost a lock per read
		// As a list, not as a map: each transaction writes it in order, and after a
		// night in which many records expired it is long.
		FreelistType: bbolt.FreelistArrayType,
	}
}

// layOut makes the tables of an empty store.
func layOut(tx *bbolt.Tx) error {
	for _, name := range [][]byte{nameMeta(), nameRecords(), nameExpiry()} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return errors.Join(writeFormat(tx), tx.Bucket(nameMeta()).Put(keyVersion(), encodeNumber(0)))
}

func writeFormat(tx *bbolt.Tx) error {
	return tx.Bucket(nameMeta()).Put(keyFormat(), encodeNumber(format))
}

// opened is a sound file that this process holds.
type opened struct {
	db   *bbolt.DB
	last store.Version
	due  int64
}

// load takes hold of the file and reads where the last process stopped.
func load(path string, opts Options) (opened, error) {
	db, err := bbolt.Open(path, 0o600, boltOptions(opts))
	if err != nil {
		return opened{}, err
	}
	file := opened{db: db}
	var empty, older bool
	read := func(tx *bbolt.Tx) error {
		if empty = isEmpty(tx); !empty {
			t := tablesOf(tx)
			file.last, file.due = t.lastVersion(), t.earliest()
			older = number(t.meta.Get(keyFormat())) < format
		}
		return nil
	}
	err = db.View(func(tx *bbolt.Tx) error { return guarded(tx, read) })
	switch {
	case err == nil && empty:
		err = db.Update(layOut)
	case err == nil && older:
		err = db.Update(writeFormat)
	case isUnsound(err):
		err = damaged(path, err)
	}
	if err != nil {
		return opened{}, errors.Join(err, db.Close())
	}
	return file, nil
}

// isEmpty reports whether there is no table yet: whoever made the file came no
// further, or bbolt has just filled an empty one.
func isEmpty(tx *bbolt.Tx) bool {
	name, _ := tx.Cursor().First()
	return name == nil
}
