package boltstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/signet-id/signet/internal/fault"
)

// examine reads the whole file at path and refuses one that is not ours, not of
// our format or not sound. It opens the file for reading only: what is refused
// stays as it was, whatever state it is in.
//
// bbolt believes what a page says: a damaged one makes it panic, or touch
// memory that is not there. Both become errors here, so that damage shows now
// and not in the middle of a request.
func examine(path string) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // for this goroutine only
	var handle *os.File
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		ReadOnly: true,
		Timeout:  lockWait,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			handle, err = os.OpenFile(name, flag, mode)
			return handle, err
		},
	})
	if err != nil {
		return explain(path, err)
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = damaged(path, fmt.Errorf("reading it through: %v", cause))
		}
		err = errors.Join(err, db.Close())
	}()
	if err := inspect(handle); err != nil {
		return damaged(path, err)
	}
	return db.View(func(tx *bbolt.Tx) error { return sound(tx, path) })
}

// explain finds the reason for which bbolt could not open the file, when it is
// damage that bbolt has no name for.
func explain(path string, err error) error {
	if errors.Is(err, berrors.ErrTimeout) {
		return err // it belongs to another process, which may be writing
	}
	f, cannot := os.Open(path)
	if cannot != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	if bad := inspect(f); bad != nil {
		return damaged(path, bad)
	}
	return err
}

// sound judges the tables.
func sound(tx *bbolt.Tx, path string) error {
	if isEmpty(tx) {
		return nil
	}
	t := tablesOf(tx)
	if t.meta == nil || t.meta.Get(keyFormat()) == nil {
		return fault.New(fault.Invalid, "the store %s is a bbolt file of another program: choose another path", path)
	}
	if found := number(t.meta.Get(keyFormat())); found > format {
		return fault.New(fault.Invalid,
			"the store %s was written by a newer version (format %d; this one knows up to %d): start the newer version, or restore a backup", path, found, format)
	}
	if t.records == nil || t.expiry == nil || t.meta.Get(keyVersion()) == nil {
		return damaged(path, errors.New("a table or the last version is missing"))
	}
	if err := errors.Join(walk(t.meta, isNumber), walk(t.records, whole), walk(t.expiry, isIndexed)); err != nil {
		return damaged(path, err)
	}
	return nil
}

func isNumber(_, value []byte) bool { return len(value) == numberSize }

func isIndexed(key, value []byte) bool { return len(key) > numberSize && len(value) == 0 }

// walk reads a table from end to end: its keys must ascend, and what they lead
// to must be as it should.
func walk(table *bbolt.Bucket, ok func(key, value []byte) bool) error {
	var before []byte
	c := table.Cursor()
	for key, value := c.First(); key != nil; key, value = c.Next() {
		if before != nil && bytes.Compare(before, key) >= 0 {
			return fmt.Errorf("key %q is out of order", key)
		}
		if !ok(key, value) {
			return fmt.Errorf("what key %q leads to is not what was stored there", key)
		}
		before = key
	}
	return nil
}
