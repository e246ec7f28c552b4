package boltstore

import (
	"bytes"
	"context"
	"time"

	"go.etcd.io/bbolt"

	"github.com/signet-id/signet/internal/store"
)

// Get implements store.Store. All keys are read in one transaction, and their
// values share one allocation.
func (s *Store) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	if err := store.CheckKeys(keys...); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	records := make([]store.Record, len(keys))
	err := s.view(func(tx *bbolt.Tx) error {
		return read(tx.Bucket(nameRecords()).Cursor(), keys, records, time.Now().UnixNano())
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// view runs fn in one transaction that only reads.
func (s *Store) view(fn func(tx *bbolt.Tx) error) error {
	if err := s.alarm.raised(); err != nil {
		return err
	}
	tx, err := s.db.Begin(false)
	if err != nil {
		return readFault(err)
	}
	s.resident.touched()
	err = guarded(tx, fn)
	_ = tx.Rollback() // which ends it, and can only say that it has ended
	return s.alarm.judge(err, readFault)
}

func read(c *bbolt.Cursor, keys []string, records []store.Record, now int64) error {
	var size int
	var space [store.MaxKey]byte
	for i, key := range keys {
		records[i].Key = key
		raw, err := find(c, append(space[:0], key...))
		if err != nil {
			return err
		}
		if !live(raw, now) {
			continue
		}
		records[i].Value = valueOf(raw)
		records[i].Version = versionOf(raw)
		records[i].Expires = toTime(expiresOf(raw))
		size += len(records[i].Value)
	}
	// The values are pieces of the memory map and die with the transaction. The
	// copies are cut to their length, so that appending to one cannot reach into
	// the next.
	values := make([]byte, 0, size)
	for i := range records {
		if records[i].Exists() {
			start := len(values)
			values = append(values, records[i].Value...)
			records[i].Value = values[start:len(values):len(values)]
		}
	}
	return nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	if err := store.CheckList(prefix, after, limit); err != nil {
		return nil, err
	}
	var records []store.Record
	err := s.view(func(tx *bbolt.Tx) error {
		var err error
		records, err = list(ctx, tx.Bucket(nameRecords()).Cursor(), prefix, after, limit, time.Now().UnixNano())
		return err
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

func list(ctx context.Context, c *bbolt.Cursor, prefix, after string, limit int, now int64) ([]store.Record, error) {
	from := []byte(prefix)
	if after != "" && after >= prefix {
		from = append([]byte(after), 0) // the least key that is greater than after
	}
	if _, err := find(c, from); err != nil { // that the list begins where it should
		return nil, err
	}
	var records []store.Record
	var last []byte
	wanted, passed := []byte(prefix), 0
	for key, raw := c.Seek(from); key != nil && len(records) < limit; key, raw = c.Next() {
		// A long run of expired records must not hold a caller who has left.
		if passed%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		passed++
		if bytes.Compare(last, key) >= 0 || !whole(key, raw) {
			return nil, unsound(key)
		}
		if last = key; !bytes.HasPrefix(key, wanted) {
			break // which is whole, too: the list ends where it should
		}
		if live(raw, now) {
			records = append(records, record(string(key), raw))
		}
	}
	return records, ctx.Err()
}
