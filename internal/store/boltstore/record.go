package boltstore

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"

	"go.etcd.io/bbolt"

	"github.com/signet-id/signet/internal/store"
)

// On disk a record is version (8 bytes) | expires (8) | checksum (4) | value,
// and its entry in the expiry index is expires (8) | key, without a value. All
// numbers are big endian, so that the index is in order of time. The checksum
// covers the key and all else of the record: bbolt has none for its pages, and
// would hand out a value that the disk has garbled.
const (
	numberSize = 8
	checksumAt = 2 * numberSize
	headerSize = checksumAt + 4
)

// indexFill is how full a page of the expiry index gets before it is split.
const indexFill = 0.9

// never is the expiry of a record that has none; it has no index entry.
const never = 0

// tables are the buckets of one bbolt transaction.
type tables struct {
	meta, records, expiry *bbolt.Bucket

	at *bbolt.Cursor // in records, for find
}

// Names of the buckets, and of the keys in meta. Functions, because Go has no
// constant byte slices and a variable could be changed.
func nameMeta() []byte    { return []byte("meta") }
func nameRecords() []byte { return []byte("records") }
func nameExpiry() []byte  { return []byte("expiry") }
func keyFormat() []byte   { return []byte("format") }
func keyVersion() []byte  { return []byte("version") }

func tablesOf(tx *bbolt.Tx) tables {
	t := tables{meta: tx.Bucket(nameMeta()), records: tx.Bucket(nameRecords()), expiry: tx.Bucket(nameExpiry())}
	if t.records != nil {
		t.at = t.records.Cursor()
	}
	if t.expiry != nil {
		// Entries arrive in order of time, mostly: a page that is cut in half would
		// stay half empty for ever.
		t.expiry.FillPercent = indexFill
	}
	return t
}

// find returns the stored form of the record of key, nil when there is none.
func (t tables) find(key []byte) ([]byte, error) { return find(t.at, key) }

// find looks key up with c, a cursor in the records, and believes neither what
// it finds nor that it finds nothing: bbolt has no checksums, and searches a
// garbled page as if it were in order. What is there must be whole. What is
// absent must have whole neighbours, one before its place and one after:
// wherever the garbling led the search, one of the two then gives it away.
func find(c *bbolt.Cursor, key []byte) ([]byte, error) {
	next, raw := c.Seek(key)
	if next != nil && bytes.Equal(next, key) {
		if !whole(next, raw) {
			return nil, unsound(next)
		}
		return raw, nil
	}
	if next != nil && (bytes.Compare(next, key) < 0 || !whole(next, raw)) {
		return nil, unsound(next)
	}
	before, raw := c.Prev()
	if before != nil && (bytes.Compare(before, key) >= 0 || !whole(before, raw)) {
		return nil, unsound(before)
	}
	return nil, nil
}

// lastVersion is the version of the newest Commit in the file.
func (t tables) lastVersion() store.Version {
	return store.Version(number(t.meta.Get(keyVersion())))
}

// earliest is the time of the next expiry, or never.
func (t tables) earliest() int64 {
	key, _ := t.expiry.Cursor().First()
	return int64(number(key))
}

// number reads the leading big-endian number of b, 0 when b is too short.
func number(b []byte) uint64 {
	if len(b) < numberSize {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func encodeNumber(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// encode appends the stored form of a value to b, but for what stamp adds.
func encode(b, value []byte, expires time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(fromTime(expires)))
	b = binary.BigEndian.AppendUint32(b, 0)
	return append(b, value...)
}

// stamp adds the version, which only the writer knows, and the checksum.
func stamp(key, raw []byte, v store.Version) {
	binary.BigEndian.PutUint64(raw, uint64(v))
	binary.BigEndian.PutUint32(raw[checksumAt:], checksum(key, raw))
}

// whole reports whether raw is what was once put under key.
func whole(key, raw []byte) bool {
	return len(raw) >= headerSize && binary.BigEndian.Uint32(raw[checksumAt:]) == checksum(key, raw)
}

func checksum(key, raw []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // made once by the library
	sum := crc32.Update(0, table, key)
	sum = crc32.Update(sum, table, raw[:checksumAt])
	return crc32.Update(sum, table, valueOf(raw))
}

func versionOf(raw []byte) store.Version { return store.Version(number(raw)) }

func expiresOf(raw []byte) int64 { return int64(number(raw[numberSize:])) }

func valueOf(raw []byte) []byte { return raw[headerSize:] }

// live reports whether raw is a record that has not expired at now. Expiry is
// judged here, by every read and every guard, because removal comes later.
func live(raw []byte, now int64) bool {
	if raw == nil {
		return false
	}
	expires := expiresOf(raw)
	return expires == never || now < expires
}

// indexKey is the key of a record in the expiry index.
func indexKey(expires int64, key []byte) []byte {
	k := make([]byte, numberSize, numberSize+len(key))
	binary.BigEndian.PutUint64(k, uint64(expires))
	return append(k, key...)
}

// fromTime turns a time into what the file holds: nanoseconds since 1970. What
// lies outside their range is clamped, so that "the year 9999" stays in the
// future and "the year 1" in the past.
func fromTime(t time.Time) int64 {
	switch {
	case t.IsZero():
		return never
	case t.Before(time.Unix(0, 1)):
		return 1
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

func toTime(ns int64) time.Time {
	if ns == never {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// record copies a stored record out of the transaction: raw is a piece of the
// memory map and dies with it.
func record(key string, raw []byte) store.Record {
	return store.Record{
		Key:     key,
		Value:   bytes.Clone(valueOf(raw)),
		Version: versionOf(raw),
		Expires: toTime(expiresOf(raw)),
	}
}
