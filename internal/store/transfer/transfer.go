// Package transfer moves records: from one engine to another, into a sealed file
// and back, and past somebody who checks them. It works over the contract alone,
// so it needs nothing of an engine, and serves every pair of them.
//
//	                ┌─ List, page by page ─┐                ┌──▶ another engine (Copy)
//	source engine ──┤                      ├──▶ one state ──┼──▶ a sealed file (Backup) ──▶ Restore
//	                └─ Watch, from before ─┘                └──▶ the rooms' decoders (Check)
//
// A List of many pages shows each page at another moment. So the Watch begins
// before the first page and is followed up to a mark, a Commit of our own: what
// was listed, with every change up to the mark, is the store as it was at the
// mark's version, exactly, while everybody else goes on writing.
//
// It never knows what a record means. The one thing that it is told of the rooms
// is which prefixes are journals: what follows those counts on the order of their
// versions, so they arrive in it. Versions themselves are the target's own.
//
// Its own records stand under Prefix and are never moved.
package transfer

import (
	"context"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// Prefix is of the records that belong to a store and not to what is in it: the
// mark, the freeze, and whether a copy into it is whole.
const Prefix = "transfer/"

const (
	markKey   = Prefix + "mark"
	freezeKey = Prefix + "freeze"
	stateKey  = Prefix + "state"
)

// Progress is how far a transfer is, for people.
type Progress struct {
	Stage   string // what is being done: a phrase such as "copying"
	Records int    // looked at in this stage
	Changed int    // of which so many were written
	At      string // the last key
}

// Tell receives progress, now and then; nil is nobody.
type Tell func(Progress)

func (t Tell) say(p Progress) {
	if t != nil {
		t(p)
	}
}

// ours reports whether key is of a store rather than of what is in it.
func ours(key string) bool { return strings.HasPrefix(key, Prefix) }

// Ours reports whether all ops are about this package's own records: those may be
// committed by whoever moves a store that is frozen, and that he may read only.
func Ours(ops ...store.Op) bool {
	for i := range ops {
		if !ours(ops[i].Key) {
			return false
		}
	}
	return true
}

// Journals are prefixes below which records keep the order of their versions.
type Journals []string

func (j Journals) has(key string) bool { return j.of(key) != "" }

// How long an engine in trouble is waited for. All that a transfer does may be
// done twice.
const (
	patience   = 30 * time.Second
	backoffMin = 50 * time.Millisecond
	backoffMax = 2 * time.Second
)

// persist repeats work while the engine is away, up to its patience.
func persist(ctx context.Context, work func() error) error {
	deadline := time.Now().Add(patience)
	for backoff := backoffMin; ; backoff = min(2*backoff, backoffMax) {
		err := work()
		if fault.KindOf(err) != fault.Unavailable || time.Now().After(deadline) {
			return err
		}
		pause := time.NewTimer(backoff)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

// commit makes changes that may be made twice.
func commit(ctx context.Context, s store.Store, ops ...store.Op) (v store.Version, err error) {
	err = persist(ctx, func() error {
		v, err = s.Commit(ctx, ops...)
		return err
	})
	return v, err
}
