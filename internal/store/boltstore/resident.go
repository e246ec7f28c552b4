package boltstore

import (
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// lately is for how long pages of the file stay in this process once they were
// read. Each that comes back then costs a microsecond, and no disk.
const lately = time.Minute

// resident keeps the process from holding every page of the file that it ever
// read: what the system reports as its memory is then what it used lately, and the
// cache of files stays the system's to share out (ADR 17).
type resident struct {
	due   atomic.Bool // the timer runs
	timer *time.Timer
}

// touched is called for each transaction.
func (r *resident) touched() {
	if !r.due.Load() && r.due.CompareAndSwap(false, true) {
		r.timer.Reset(lately)
	}
}

// leave gives the pages back. It does not wait for readers, nor they for it.
func (s *Store) leave() {
	s.resident.due.Store(false)
	_ = s.db.View(func(tx *bbolt.Tx) error { // whose map stays where it is until it ends
		giveBack(s.db.Info().Data, uintptr(tx.Size()))
		return nil
	}) // it fails once the store is closed, and then there is no map
}
