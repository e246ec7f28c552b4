package transfer_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/transfer"
)

// twists writes one record otherwise than it was given, or not at all.
type twists struct {
	store.Store
	key string
	how string
}

func (w twists) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	kept := make([]store.Op, 0, len(ops))
	for _, op := range ops {
		if op.Key == w.key {
			switch w.how {
			case "lost":
				continue
			case "with another end":
				op = op.Until(time.Now().Add(2 * time.Hour))
			case "altered":
				op.Value = append(bytes.Clone(op.Value), '?')
			}
		}
		kept = append(kept, op)
	}
	if len(kept) == 0 {
		return 0, nil
	}
	return w.Store.Commit(ctx, kept...)
}

// The order of a journal is compared apart from the records, and a restore apart
// from a copy: each must notice.
func TestWhateverDiffersIsNotCalledWhole(t *testing.T) {
	source, key := open(t), newKey()
	fill(t, source, 100)
	put(t, source, store.Put("j/a", []byte("an ending")), store.Put("k/a", []byte("with it")))
	file, _ := backup(t, source, key)
	into := map[string]func(store.Store) error{
		"a copy": func(target store.Store) error {
			_, err := transfer.Copy(t.Context(), source, target, transfer.CopyOptions{Journals: journals(), Alone: true})
			return err
		},
		"a restore": func(target store.Store) error {
			_, err := restore(t, file, key, target)
			return err
		},
	}
	for name, move := range into {
		for _, at := range []string{"r/2", "j/a"} {
			for _, how := range []string{"altered", "lost", "with another end"} {
				target := open(t)
				if err := move(twists{target, at, how}); err == nil || !strings.Contains(err.Error(), `"`+at+`"`) {
					t.Errorf("%s with %s %s = %v, want it to name the record", name, at, how, err)
				}
				if err := transfer.Admit(t.Context(), target); fault.KindOf(err) != fault.Invalid {
					t.Errorf("a server is let onto %s with %s %s: %v", name, at, how, err)
				}
			}
		}
	}
}

// Chunks are sealed under counted nonces, so a key that two files shared would seal
// two texts under one nonce: whoever has both reads both (NIST SP 800-38D §8).
func TestTwoBackupsUnderOneKeyAreSealedUnderKeysOfTheirOwn(t *testing.T) {
	source, key := open(t), newKey()
	put(t, source, store.Put("r/1", bytes.Repeat([]byte("x"), 1000)))
	one, _ := backup(t, source, key)
	two, _ := backup(t, source, key)
	const header = 80
	for at := header; at+16 < min(len(one), len(two)); at += 16 {
		if bytes.Equal(one[at:at+16], two[at:at+16]) {
			t.Fatalf("two backups are the same at byte %d", at)
		}
	}
}
