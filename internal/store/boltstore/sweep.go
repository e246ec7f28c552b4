package boltstore

import (
	"bytes"
	"math"
	"time"
)

const (
	// sweepMax bounds what one transaction removes, so that a wave of expiries
	// never holds up the Commits behind it.
	sweepMax = 512
	// sweepSlack is how long an expired record may stay in the file. Nobody sees
	// it there; waiting lets its neighbours expire and leave with it, and a store
	// in which nothing expires never wakes.
	sweepSlack = 15 * time.Second
	// sweepPause lets Commits in between two transactions of a long sweep.
	sweepPause = 10 * time.Millisecond
	// sweepRetry is the wait after a failure of the disk.
	sweepRetry = time.Minute
)

// schedule sets the timer for sweepSlack after the next expiry, though not
// before rest ends, or stops it when nothing in the file expires.
func (w *writer) schedule() {
	if w.due == never || w.due > math.MaxInt64-int64(sweepSlack) {
		w.timer.Stop()
		return
	}
	at := time.Unix(0, w.due).Add(sweepSlack)
	if at.Before(w.rest) {
		at = w.rest
	}
	w.timer.Reset(time.Until(at))
}

// sweep removes what has expired: up to sweepMax entries of the index, and the
// records to which they lead.
func (w *writer) sweep() {
	var entries, removed int
	now := time.Now()
	err := w.update(func(t tables) (bool, error) {
		var err error
		entries, removed, err = t.clear(now.UnixNano())
		return entries > 0, err
	})
	if err != nil {
		w.rest = now.Add(sweepRetry)
		w.logger.Warn("removing expired records; trying again later", "path", w.path, "error", err)
		return
	}
	w.rest = now.Add(sweepPause)
	w.tally.swept.Add(uint64(removed))
}

// clear works off the entries of the index that are due at now, up to sweepMax,
// and returns how many that were and how many records left with them.
func (t tables) clear(now int64) (entries, removed int, err error) {
	// A bbolt cursor loses its place when the tree changes under it, so the
	// keys are copied first.
	var due [][]byte
	c := t.expiry.Cursor()
	for key, _ := c.First(); key != nil && int64(number(key)) <= now && len(due) < sweepMax; key, _ = c.Next() {
		due = append(due, bytes.Clone(key))
	}
	for _, entry := range due {
		gone, err := t.settle(entry, now)
		if err != nil {
			return 0, 0, err
		}
		if gone {
			removed++
		}
	}
	return len(due), removed, nil
}

// settle does what an entry that is due stands for. The record alone says
// whether it has expired: the entry may be older than the record's life, and
// then moves to where that ends, or than the record.
func (t tables) settle(entry []byte, now int64) (removed bool, err error) {
	key := entry[numberSize:]
	raw, err := t.find(key)
	if err != nil {
		return false, err
	}
	if err := t.expiry.Delete(entry); err != nil {
		return false, err
	}
	switch {
	case raw == nil || expiresOf(raw) == never:
		return false, nil
	case live(raw, now):
		return false, t.expiry.Put(indexKey(expiresOf(raw), key), nil)
	}
	return true, t.records.Delete(key)
}
