package boltstore

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/signet-id/signet/internal/fault"
)

const (
	// examineFirst is how much of the tables is read before the store opens: all
	// of a small one.
	examineFirst = 4 << 20
	// examinePiece is how much is read at once afterwards. A transaction that
	// reads keeps pages from being used again, so it must be short.
	examinePiece = 256 << 10
	// examineRest is how long the examination rests after a piece, as a multiple
	// of the time that the piece took: the work of the store goes first.
	examineRest = 3
)

// examination is the reading of the whole file, to find damage while there is a
// backup of what was lost, and not when it is asked for. What it has not come
// to yet is judged by whoever reads it (find).
type examination struct {
	step int    // the table being read
	last []byte // the key that was read last
	done bool
}

// examine refuses a file at path that is not ours, not of our format or not
// sound, as far as that is seen at once: its first pages, its list of free
// pages, all pages that lead to others, and the first of the records. It opens
// the file for reading only: what is refused stays as it was, whatever state it
// is in. The examination that it returns is to be continued.
func examine(path string) (e *examination, err error) {
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
		return nil, explain(path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	meta, free, err := inspect(handle)
	if err != nil {
		return nil, damaged(path, err)
	}
	bones, err := newSkeleton(handle, meta, free)
	if err != nil {
		return nil, damaged(path, err)
	}
	e = &examination{}
	err = db.View(func(tx *bbolt.Tx) error {
		return guarded(tx, func(tx *bbolt.Tx) error { return sound(tx, path, bones, e) })
	})
	if isUnsound(err) {
		err = damaged(path, err)
	}
	return e, err
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
	if _, _, bad := inspect(f); bad != nil {
		return damaged(path, bad)
	}
	return err
}

// sound judges the tables, and begins to read them.
func sound(tx *bbolt.Tx, path string, bones *skeleton, e *examination) error {
	if isEmpty(tx) {
		e.done = true
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
	for _, table := range []*bbolt.Bucket{t.records, t.expiry} {
		if err := bones.table(uint64(table.Root())); err != nil {
			return damaged(path, err)
		}
	}
	if err := walkAll(t.meta, isNumber); err != nil {
		return damaged(path, err)
	}
	return e.next(t, examineFirst)
}

func isNumber(_, value []byte) bool { return len(value) == numberSize }

func isIndexed(key, value []byte) bool { return len(key) > numberSize && len(value) == 0 }

// next reads on, some budget of bytes.
func (e *examination) next(t tables, budget int) error {
	steps := []struct {
		table *bbolt.Bucket
		ok    func(key, value []byte) bool
	}{{t.records, whole}, {t.expiry, isIndexed}}
	for e.step < len(steps) && budget > 0 {
		var err error
		if e.last, budget, err = walk(steps[e.step].table, e.last, budget, steps[e.step].ok); err != nil {
			return err
		}
		if e.last == nil {
			e.step++
		}
	}
	e.done = e.step == len(steps)
	return nil
}

// walk reads a table from the key after last: its keys must ascend, and what
// they lead to must be as it should. It returns the key to go on from when the
// budget is used up, and nil at the end of the table.
func walk(table *bbolt.Bucket, last []byte, budget int, ok func(key, value []byte) bool) ([]byte, int, error) {
	c := table.Cursor()
	key, value := c.Seek(last)
	if last != nil && bytes.Equal(key, last) {
		key, value = c.Next()
	}
	for before := last; key != nil; key, value = c.Next() {
		if before != nil && bytes.Compare(before, key) >= 0 {
			return nil, 0, &unsoundError{what: fmt.Sprintf("key %q is out of order", key)}
		}
		if !ok(key, value) {
			return nil, 0, unsound(key)
		}
		if budget -= len(key) + len(value); budget <= 0 {
			return bytes.Clone(key), 0, nil
		}
		before = key
	}
	return nil, budget, nil
}

func walkAll(table *bbolt.Bucket, ok func(key, value []byte) bool) error {
	_, _, err := walk(table, nil, math.MaxInt, ok)
	return err
}

// examine continues e until all was read, the alarm is raised or Close.
func (s *Store) examine(e *examination) {
	defer close(s.examined)
	for !e.done {
		begin := time.Now()
		if s.view(func(tx *bbolt.Tx) error { return e.next(tablesOf(tx), examinePiece) }) != nil {
			return
		}
		select {
		case <-s.stop:
			return
		case <-time.After(max(time.Millisecond, examineRest*time.Since(begin))):
		}
	}
}
