package boltstore

import (
	"context"
	"log/slog"
	"time"

	"go.etcd.io/bbolt"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/group"
)

// One transaction carries at most this much, so that memory stays bounded and
// the first in the queue does not wait for a crowd.
const (
	maxBatch      = 1024
	maxBatchBytes = 16 << 20
)

// request is one Commit on its way through the writer.
type request = group.Request[[]change]

// change is one op. It shares no memory with the caller: when the caller's
// context ends, Commit returns while the writer still holds the change.
type change struct {
	key     []byte
	raw     []byte // the stored form; nil for a deletion
	keep    bool   // neither: only the guard counts
	guarded bool
	must    store.Version
	before  int64 // when what the change replaces expires; judge finds it
}

// changesOf copies all that the caller owns into one piece of memory, which lives
// until the transaction has ended.
func changesOf(ops []store.Op) ([]change, int) {
	changes, length := make([]change, len(ops)), 0
	for i := range ops {
		length += len(ops[i].Key)
		if !ops[i].Delete && !ops[i].Keep {
			length += headerSize + len(ops[i].Value)
		}
	}
	memory := make([]byte, 0, length)
	for i := range ops {
		op, c := &ops[i], &changes[i]
		start := len(memory)
		memory = append(memory, op.Key...)
		*c = change{key: memory[start:len(memory):len(memory)], keep: op.Keep, guarded: op.Guarded, must: op.Must}
		if !op.Delete && !op.Keep {
			start = len(memory)
			memory = encode(memory, op.Value, op.Expires)
			c.raw = memory[start:len(memory):len(memory)]
		}
	}
	return changes, length
}

// Commit implements store.Store.
func (s *Store) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	return s.queue.Commit(ctx, ops, changesOf)
}

// writer is the one goroutine that changes the file. Its fields are its own.
type writer struct {
	*Store
	path   string
	logger *slog.Logger
	last   store.Version // of the newest durable Commit
	due    int64         // the next expiry in the file, or never
	rest   time.Time     // the sweeper rests until then
	timer  *time.Timer   // fires when there is something to sweep
	halted error         // set when the disk broke a promise: nothing is written any more
}

// run serves Commits and the sweeper until Close.
func (w *writer) run() {
	defer close(w.stopped)
	defer w.timer.Stop()
	w.schedule()
	for {
		select {
		case <-w.stop:
			return
		case first := <-w.queue.Waiting():
			w.commit(w.queue.Gather(first, maxBatch, maxBatchBytes))
		case <-w.timer.C:
			w.sweep()
		}
		w.schedule()
	}
}

// commit makes batch durable and tells everybody: the watchers first, so that
// who returns from Commit knows that the event is under way.
func (w *writer) commit(batch []*request) {
	applied := 0
	err := w.update(func(t tables) (bool, error) {
		var err error
		applied, err = w.apply(t, batch)
		return applied > 0, err
	})
	for _, r := range batch {
		if err != nil {
			r.Version, r.Err = 0, err // a conflict with what was never stored is no conflict
		}
	}
	if applied > 0 && err == nil {
		w.last += store.Version(applied)
		w.tally.commits.Add(uint64(applied))
		if w.watchers.watched() {
			w.watchers.dispatch(batch)
		}
	}
	for _, r := range batch {
		r.Done()
	}
}

// apply judges each request against the state that its predecessors in batch
// leave behind, and returns how many were applied.
func (w *writer) apply(t tables, batch []*request) (int, error) {
	now := time.Now().UnixNano() // after the batch was gathered: no caller has seen a later state
	applied := 0
	for _, r := range batch {
		if r.Err = r.Ctx.Err(); r.Err != nil {
			continue // nobody waits for it any more
		}
		if r.Err = t.judge(r.Work, now); r.Err != nil {
			if isUnsound(r.Err) {
				return 0, r.Err
			}
			continue
		}
		applied++
		r.Version = w.last + store.Version(applied)
		for i := range r.Work {
			if err := t.change(&r.Work[i], r.Version); err != nil {
				return 0, err
			}
		}
	}
	if applied == 0 {
		return 0, nil
	}
	return applied, t.meta.Put(keyVersion(), encodeNumber(uint64(w.last)+uint64(applied)))
}

// judge checks all guards of one Commit before any of its changes apply, and
// finds out what they replace.
func (t tables) judge(changes []change, now int64) error {
	for i := range changes {
		c := &changes[i]
		raw, err := t.find(c.key)
		if err != nil {
			return err
		}
		c.before = never
		var have store.Version
		if raw != nil {
			c.before = expiresOf(raw)
		}
		if live(raw, now) {
			have = versionOf(raw)
		}
		if !c.guarded {
			continue
		}
		if have != c.must {
			return &store.ConflictError{Key: string(c.key)}
		}
	}
	return nil
}

// change writes one record and keeps the promise of the expiry index: for
// each record that expires it has an entry, never later than the expiry.
//
// A record that lives longer than before keeps the entry that it has, wherever
// that is: a refresh, the most frequent change, writes nothing to the index.
// The sweeper, when it comes to the entry, moves it.
func (t tables) change(c *change, v store.Version) error {
	if c.keep {
		return nil
	}
	after := int64(never)
	if c.raw != nil {
		after = expiresOf(c.raw)
	}
	earlier := c.before != never && (after == never || after < c.before)
	if earlier {
		// The entry is here if the record never lived longer than it was meant to at
		// first. Elsewhere it does no harm: the sweeper drops it.
		if err := t.expiry.Delete(indexKey(c.before, c.key)); err != nil {
			return err
		}
	}
	if c.raw == nil {
		return t.records.Delete(c.key)
	}
	if after != never && (earlier || c.before == never) {
		if err := t.expiry.Put(indexKey(after, c.key), nil); err != nil {
			return err
		}
	}
	stamp(c.key, c.raw, v)
	return t.records.Put(c.key, c.raw)
}

// update runs one transaction. fn reports whether it changed anything; if not,
// the disk is left alone. So it is when the file turns out to be damaged.
func (w *writer) update(fn func(tables) (bool, error)) error {
	if w.halted != nil {
		return w.halted
	}
	if err := w.alarm.raised(); err != nil {
		return err
	}
	tx, err := w.db.Begin(true)
	if err != nil {
		return writeFault(err)
	}
	w.resident.touched()
	id, due, changed := tx.ID(), int64(never), false
	err = guarded(tx, func(tx *bbolt.Tx) error {
		var err error
		t := tablesOf(tx)
		if changed, err = fn(t); err == nil && changed {
			due = t.earliest()
		}
		return err
	})
	if err != nil || !changed {
		if undo := tx.Rollback(); err == nil {
			err = undo
		}
		return w.alarm.judge(err, writeFault)
	}
	if err := guarded(tx, (*bbolt.Tx).Commit); err != nil {
		if isUnsound(err) {
			_ = tx.Rollback() // what bbolt's panic left open; nothing was written
			return w.alarm.judge(err, writeFault)
		}
		return w.failed(id, err)
	}
	w.due = due
	w.tally.transactions.Add(1)
	return nil
}

// failed finds out what a failed transaction left behind. Mostly nothing: it
// never reached the page that makes it current, and the next one may succeed.
// If it did, only its last fsync failed, and nobody knows what the disk holds.
// Writing on would reuse pages that the state on disk may still need, so
// writing stops until an operator has seen to the disk.
func (w *writer) failed(id int, cause error) error {
	err := writeFault(cause)
	var current int
	if look := w.db.View(func(tx *bbolt.Tx) error { current = tx.ID(); return nil }); look == nil && current < id {
		return err
	}
	w.halted = err
	w.watchers.gap()
	w.logger.Error("the store has stopped writing: the disk did not confirm a change; check the disk, then restart",
		"path", w.path, "error", cause)
	return err
}
