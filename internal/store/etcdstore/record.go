package etcdstore

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/signet-id/signet/internal/store"
)

// The value of a record in etcd is expires (8 bytes, big endian) | layout (1) |
// value. The expiry comes first so that etcd itself can compare it with a time,
// within the transaction; the byte after it makes every value longer than 8
// bytes, so that such a comparison is never between equals.
const (
	expiresSize = 8
	headerSize  = expiresSize + 1
	layout      = 1
)

// never is the expiry of a record that has none: later than every other.
const never = math.MaxUint64

// space names the keys of one deployment. All are under one prefix, so that a
// role of etcd's can be confined to it.
type space struct{ prefix string }

func (s space) records() string { return s.prefix + "/r/" }

func (s space) record(key string) string { return s.records() + key }

// format holds the version of all that is said here, as text.
func (s space) format() string { return s.prefix + "/format" }

// pulse is put by a Commit that might change nothing else, for its version.
func (s space) pulse() string { return s.prefix + "/pulse" }

// span is the range of the records whose key begins with prefix.
func (s space) span(prefix string) (from, end string) {
	from = s.record(prefix)
	return from, clientv3.GetPrefixRangeEnd(from)
}

// encode makes the stored form of a value.
func encode(value []byte, expires time.Time) string {
	var b strings.Builder
	b.Grow(headerSize + len(value))
	b.Write(encodeExpiry(fromTime(expires)))
	b.WriteByte(layout)
	b.Write(value)
	return b.String()
}

func encodeExpiry(expires uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, expiresSize), expires)
}

// stored is a record as etcd holds it, expired or not.
type stored struct {
	store.Record
	expires uint64
}

// live reports whether the record is there and has not expired at now. Expiry
// is judged here and by the comparison alive, because removal comes later.
func (r stored) live(now time.Time) bool { return r.Exists() && fromTime(now) < r.expires }

// decode takes a record out of an answer of etcd's, which nobody else holds.
func (s space) decode(kv *mvccpb.KeyValue) (stored, error) {
	key, ours := strings.CutPrefix(string(kv.Key), s.records())
	if !ours || len(kv.Value) < headerSize || kv.Value[expiresSize] != layout {
		return stored{}, fmt.Errorf("the value of %q in etcd was not written by this release", kv.Key)
	}
	expires := binary.BigEndian.Uint64(kv.Value)
	return stored{
		Record: store.Record{
			Key: key,
			// Cut to its length: nobody may append into what a neighbour holds.
			Value:   kv.Value[headerSize:len(kv.Value):len(kv.Value)],
			Version: store.Version(kv.ModRevision),
			Expires: toTime(expires),
		},
		expires: expires,
	}, nil
}

// alive demands of etcd that the record is there and has not expired at now.
func (s space) alive(key string, now time.Time) clientv3.Cmp {
	return clientv3.Compare(clientv3.Value(s.record(key)), ">", string(encodeExpiry(fromTime(now)+1)))
}

// has demands of etcd that the record has the version, 0 for none.
func (s space) has(key string, v store.Version) clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(s.record(key)), "=", int64(v))
}

// clamped moves what lies outside the range of nanoseconds since 1970 to its
// nearer end, so that "the year 9999" stays in the future.
func clamped(t time.Time) time.Time {
	switch first, last := time.Unix(0, 1), time.Unix(0, math.MaxInt64); {
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t
}

func fromTime(t time.Time) uint64 {
	if t.IsZero() {
		return never
	}
	return uint64(clamped(t).UnixNano())
}

func toTime(expires uint64) time.Time {
	if expires == never {
		return time.Time{}
	}
	return time.Unix(0, int64(expires)).UTC()
}
