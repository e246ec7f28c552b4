package boltstore

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"

	"go.etcd.io/bbolt"
)

// alarm is raised, once and for good, when the file turns out not to hold what
// was written to it. From then on the store answers nothing and writes nothing:
// what is missing may be what was ended, or spent.
type alarm struct {
	path   string
	logger *slog.Logger
	cause  atomic.Pointer[error]
}

// raised returns the fault with which everything is answered once there is
// damage, and nil before.
func (a *alarm) raised() error {
	if cause := a.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

// judge raises the alarm when err tells of damage; any other error is worded
// by other.
func (a *alarm) judge(err error, other func(error) error) error {
	if err == nil {
		return nil
	}
	if !isUnsound(err) {
		return other(err)
	}
	bad := damaged(a.path, err)
	if a.cause.CompareAndSwap(nil, &bad) {
		a.logger.Error("the store is damaged and has stopped: it was left as it is; restore it from a backup",
			"path", a.path, "error", err)
	}
	return a.raised()
}

func isUnsound(err error) bool {
	var u *unsoundError
	return errors.As(err, &u)
}

// guarded runs fn on pages that nobody has vouched for. bbolt believes what a
// page says: a damaged one makes it panic, or touch memory that is not there,
// as does a disk that cannot read. All of that becomes an error.
func guarded(tx *bbolt.Tx, fn func(*bbolt.Tx) error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // for this goroutine only
	defer func() {
		if cause := recover(); cause != nil {
			err = &unsoundError{what: fmt.Sprintf("reading it through: %v", cause)}
		}
	}()
	return fn(tx)
}
