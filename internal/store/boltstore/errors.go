package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	berrors "go.etcd.io/bbolt/errors"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// unsoundError says that what the file holds is not what was written to it.
type unsoundError struct{ what string }

func (e *unsoundError) Error() string { return e.what }

// unsound reports the record of key, or the page around it.
func unsound(key []byte) error {
	return &unsoundError{what: fmt.Sprintf("what key %q leads to is not what was stored there", key)}
}

// readFault gives a failed transaction the errors of the contract.
func readFault(err error) error {
	switch {
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return store.ErrClosed
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fault.Wrap(fault.Unavailable, err, "the store cannot be read")
}

// writeFault is readFault for changes. It tells the operator's errors apart,
// because the disk that is full or has turned read-only is what happens.
func writeFault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return store.ErrClosed
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Wrap(fault.Unavailable, err, "the store cannot be written: its disk is full")
	case errors.Is(err, syscall.EROFS):
		return fault.Wrap(fault.Unavailable, err, "the store cannot be written: its disk is read-only")
	}
	return fault.Wrap(fault.Unavailable, err, "the store cannot be written")
}

// openFault says why path cannot be opened, and what to do.
func openFault(path string, err error) error {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.Is(err, berrors.ErrTimeout):
		return fault.Wrap(fault.Unavailable, err,
			"the store %s is in use by another process: stop that one first, or let it do the work", path)
	case errors.Is(err, fs.ErrPermission):
		return fault.Wrap(fault.Invalid, err,
			"the store %s cannot be opened: this process may not write it or its folder %s; change their owner or mode", path, filepath.Dir(path))
	case errors.Is(err, syscall.EROFS):
		return fault.Wrap(fault.Invalid, err,
			"the store %s cannot be opened: its disk is read-only; mount it writable, or choose another path", path)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.Wrap(fault.Unavailable, err,
			"the store %s cannot be opened: its disk is full; make room first", path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return damaged(path, err)
	}
	return fault.Wrap(fault.Unavailable, err, "the store %s cannot be opened", path)
}

// damaged reports a file that is not whole. It is left as it is: a backup or a
// salvage needs it unchanged.
func damaged(path string, cause error) error {
	return fault.Wrap(fault.Unavailable, cause,
		"the store %s is damaged, or is not a store: it was left unchanged; restore it from a backup, or choose another path", path)
}
