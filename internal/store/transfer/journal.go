package transfer

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/store"
)

// inOrder are all records of the journals in s up to version upTo, in the order in
// which they were committed. One that was committed before the listing began is
// in it; so upTo is a version of then.
func (j Journals) inOrder(ctx context.Context, s store.Store, upTo store.Version) ([]store.Record, error) {
	var all []store.Record
	for _, prefix := range j {
		for r, err := range records(ctx, s, prefix) {
			if err != nil {
				return nil, err
			}
			if upTo == 0 || r.Version <= upTo {
				all = append(all, r)
			}
		}
	}
	sortByVersion(all)
	return all, nil
}

func sortByVersion(recs []store.Record) {
	slices.SortFunc(recs, func(a, b store.Record) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), strings.Compare(a.Key, b.Key))
	})
}

// rewrite makes the journals of target those of want, in its order. What target
// holds already, as far as it is the beginning of want, stays.
func (j Journals) rewrite(ctx context.Context, want []store.Record, target store.Store, tell Tell) error {
	have, err := j.inOrder(ctx, target, 0)
	if err != nil {
		return err
	}
	now := time.Now()
	want = slices.DeleteFunc(want, func(r store.Record) bool { return leaves(r, now) })
	have = slices.DeleteFunc(have, func(r store.Record) bool { return leaves(r, now) })
	kept := 0
	for kept < len(want) && kept < len(have) && identical(want[kept], have[kept]) {
		kept++
	}
	wanted := make(map[string]struct{}, len(want))
	for _, r := range want {
		wanted[r.Key] = struct{}{}
	}
	w := newWriter(ctx, target)
	for _, r := range have[kept:] {
		if _, is := wanted[r.Key]; is {
			continue // it is put again
		}
		if err := w.add(store.Delete(r.Key)); err != nil {
			break // flush knows why
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	return j.appendInOrder(ctx, target, want[kept:], tell)
}

func identical(a, b store.Record) bool {
	return a.Key == b.Key && bytes.Equal(a.Value, b.Value) && sameTime(a.Expires, b.Expires)
}

// appendInOrder puts records so that their followers meet them in this order: by
// version, and by key where the version is one. So neighbours of one journal whose
// keys ascend, as those of a journal by time do, share a Commit.
func (j Journals) appendInOrder(ctx context.Context, target store.Store, recs []store.Record, tell Tell) error {
	p := Progress{Stage: "copying the journals"}
	for len(recs) > 0 {
		ops, size := []store.Op{putOf(recs[0])}, len(recs[0].Key)+len(recs[0].Value)
		for i := 1; i < len(recs) && len(ops) < store.MaxOps; i++ {
			r, before := recs[i], recs[i-1]
			size += len(r.Key) + len(r.Value)
			together := r.Version == before.Version || r.Key > before.Key && j.of(r.Key) == j.of(before.Key)
			if !together || size > store.MaxCommit {
				break
			}
			ops = append(ops, putOf(r))
		}
		if _, err := commit(ctx, target, ops...); err != nil {
			return fmt.Errorf("writing the journal at %q: %w", ops[0].Key, err)
		}
		p.At, recs = ops[len(ops)-1].Key, recs[len(ops):]
		p.Records += len(ops)
		p.Changed = p.Records
		tell.say(p)
	}
	return nil
}

// of is the journal to which key belongs.
func (j Journals) of(key string) string {
	for _, prefix := range j {
		if strings.HasPrefix(key, prefix) {
			return prefix
		}
	}
	return ""
}

// differ returns keys of which want and have are not the same, in value or in order.
// Those that but knows are passed over.
func differ(want, have []store.Record, but map[string]struct{}) []string {
	soon := time.Now().Add(expiring)
	counts := func(recs []store.Record) []store.Record {
		return slices.DeleteFunc(slices.Clone(recs), func(r store.Record) bool {
			_, is := but[r.Key]
			return is || leaves(r, soon)
		})
	}
	want, have = counts(want), counts(have)
	var keys []string
	for i := range max(len(want), len(have)) {
		switch {
		case i >= len(want):
			keys = append(keys, have[i].Key)
		case i >= len(have) || !identical(want[i], have[i]):
			keys = append(keys, want[i].Key)
		}
	}
	return keys
}
