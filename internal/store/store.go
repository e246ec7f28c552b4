// Package store is the contract of persistence: versioned values under ordered
// string keys, changed all-or-nothing, watched in order.
//
// It owns the words (Record, Op, Version, Event) and the promises; engines keep
// them (boltstore, later pgstore and etcdstore), storetest proves that they do.
// It never knows what a record means: each room owns a prefix, keeps its record
// types to itself, and nobody reads another's.
//
//	room ──Get/List──▶ engine          reads: one round trip each
//	room ──Commit(ops)──▶ engine       judged together, applied together
//	room ◀──Watch(prefix)── engine     what was committed, in order
//
// Nothing above the store needs a lock: what must happen once is one Commit
// with a precondition, on every engine and from any number of nodes.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Version orders changes. Every Commit has a version greater than all before
// it, and every record that it puts carries that version. 0 means absent.
type Version uint64

// Record is one value under one key. A Record with Version 0 is absent (or has
// expired, which is the same) and has only its Key. The Value belongs to the
// caller once returned.
type Record struct {
	Key     string
	Value   []byte
	Version Version
	Expires time.Time // zero: never
}

// Exists reports whether the record is there.
func (r Record) Exists() bool { return r.Version != 0 }

// Op is one change within a Commit, or one demand; make it with Put, Delete or
// Unchanged.
type Op struct {
	Key     string
	Value   []byte // of a put; the engine does not keep the slice
	Expires time.Time
	Delete  bool
	// Keep leaves the record as it is, version included: the op is its guard.
	Keep bool
	// Guarded means that the op demands that the record has version Must, where
	// 0 demands that it is absent or has expired.
	Guarded bool
	Must    Version
}

// Put sets key to value, whatever was there, and never lets it expire.
func Put(key string, value []byte) Op { return Op{Key: key, Value: value} }

// Delete removes key. Deleting what is absent is no error.
func Delete(key string) Op { return Op{Key: key, Delete: true} }

// Unchanged demands that the record of key still has version v, 0 for absent,
// and changes nothing: what was decided by reading it holds when the Commit does.
func Unchanged(key string, v Version) Op { return Op{Key: key, Keep: true}.If(v) }

// Until lets the record expire at t: from then on it is absent to every read
// and every precondition, whether or not the engine has removed it yet.
func (o Op) Until(t time.Time) Op { o.Expires = t; return o }

// IfAbsent demands that the record does not exist. This is how single-use
// things are consumed.
func (o Op) IfAbsent() Op { return o.If(0) }

// If demands that the record still has version v, as a read returned it.
func (o Op) If(v Version) Op { o.Guarded, o.Must = true, v; return o }

// Event is one committed change, as Watch reports it.
type Event struct {
	Key     string
	Value   []byte // nil for a deletion
	Version Version
	Expires time.Time
	Deleted bool
	// More says that another change of the same Commit follows: what the Commit made
	// true is true only after the last one.
	More bool
}

// Store is what every engine gives. All methods are safe for concurrent use,
// return promptly with ctx's error when it ends, and fail with ErrClosed after
// Close. A failure of the engine itself (disk, network) is a fault.Unavailable.
type Store interface {
	// Get returns a Record per key, in the order asked: one round trip, and one
	// consistent view of all of them. Absent keys yield Version 0, not an error.
	Get(ctx context.Context, keys ...string) ([]Record, error)

	// List returns up to limit records whose key begins with prefix and is
	// greater than after (when not empty), in byte order of their keys. Expired
	// records are left out and do not count. Fewer than limit means the end.
	// limit must be in 1..MaxList.
	List(ctx context.Context, prefix, after string, limit int) ([]Record, error)

	// Commit applies all ops or none, and returns the version that every record
	// it put now has. It is durable when it returns (fsync, or the engine's
	// quorum): after a power cut an acknowledged Commit is there in full.
	//
	// Every guard is judged against one state, at one moment, that no other
	// Commit can change before the ops apply (serializable). When a guard
	// fails, nothing is applied and the error is a *ConflictError naming the
	// first key that failed; errors.Is(err, ErrConflict) holds. Naming one key
	// twice in a Commit is ErrDuplicateKey.
	//
	// When ctx ends while a Commit is under way the outcome is unknown: it may
	// have happened. Callers retry single-use Commits by reading.
	Commit(ctx context.Context, ops ...Op) (Version, error)

	// Watch reports every Commit that touches prefix from now on: when Watch
	// has returned, no later change is missed. Events arrive in the order of
	// their versions; those of one Commit are neighbours. An event may arrive
	// twice, never out of order for its key. Expiry is not an event: who keeps
	// a copy judges Expires by itself.
	//
	// A watcher that cannot keep up, or whose engine lost the thread, gets a
	// closed channel and Err() == ErrGap: it must List anew and Watch again
	// (Mirror does). When ctx ends the channel closes and Err is ctx's error.
	Watch(ctx context.Context, prefix string) (Watch, error)

	// Close waits for Commits under way, closes every Watch, and releases the
	// engine. A second Close does nothing.
	Close() error
}

// Watch is a running subscription. Events must be drained by one goroutine;
// Err is valid once the channel is closed.
type Watch interface {
	Events() <-chan Event
	Err() error
}

// The limits that every engine accepts; beyond them a call fails with
// fault.Invalid before it touches the engine (Check does that for them).
const (
	MaxKey    = 512       // bytes in a key, at least 1
	MaxValue  = 512 << 10 // bytes in a value
	MaxOps    = 128       // ops in one Commit, at least 1
	MaxGet    = 128       // keys in one Get
	MaxList   = 1000      // records in one List
	MaxCommit = 1 << 20   // bytes of keys and values in one Commit
)

// Sentinels of the contract.
var (
	ErrConflict     = errors.New("store: a precondition failed")
	ErrClosed       = errors.New("store: closed")
	ErrGap          = errors.New("store: watch lost the thread; list anew")
	ErrDuplicateKey = errors.New("store: one Commit names a key twice")
)

// ConflictOn returns the key whose guard failed, "" for every other error.
func ConflictOn(err error) string {
	var conflict *ConflictError
	if errors.As(err, &conflict) {
		return conflict.Key
	}
	return ""
}

// ConflictError says which key's guard failed.
type ConflictError struct{ Key string }

func (e *ConflictError) Error() string { return fmt.Sprintf("%v: %q", ErrConflict, e.Key) }

// Is makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }
