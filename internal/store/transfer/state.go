package transfer

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// state is the record of stateKey, in a store that was filled by this package and
// that no server has used yet.
type state struct {
	By    string `json:"by"` // copy or restore
	Whole bool   `json:"whole"`
}

func readState(ctx context.Context, s store.Store) (found state, is bool, err error) {
	err = persist(ctx, func() error {
		recs, err := s.Get(ctx, stateKey)
		if err != nil || !recs[0].Exists() {
			return err
		}
		is = true
		return json.Unmarshal(recs[0].Value, &found)
	})
	if err != nil {
		return found, is, fmt.Errorf("reading whether the store is whole: %w", err)
	}
	return found, is, nil
}

func writeState(ctx context.Context, s store.Store, now state) error {
	value, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("writing whether the store is whole: %w", err)
	}
	if _, err := commit(ctx, s, store.Put(stateKey, value)); err != nil {
		return fmt.Errorf("writing whether the store is whole: %w", err)
	}
	return nil
}

// Admit lets a server use s: not while it is half a copy. A whole one is the
// server's from now on, and no longer a copy that may be brought up to date.
func Admit(ctx context.Context, s store.Store) error {
	found, is, err := readState(ctx, s)
	if err != nil || !is {
		return err
	}
	if !found.Whole {
		return fault.New(fault.Invalid, "the store is half filled: a %s into it was not finished; run it again, to its end", found.By)
	}
	if _, err := s.Commit(ctx, store.Delete(stateKey)); err != nil {
		return fmt.Errorf("taking the store into use: %w", err)
	}
	return nil
}

// claim makes s a target: it must be empty, or filled by us and not yet in use.
func claim(ctx context.Context, s store.Store, by string, force bool) error {
	_, was, err := readState(ctx, s)
	if err != nil {
		return err
	}
	if !was && !force {
		for r, err := range records(ctx, s, "") {
			if err != nil {
				return err
			}
			return fault.New(fault.Conflict, "the target holds records already (%q is one); choose an empty one, or have everything in it replaced by --force", r.Key)
		}
	}
	return writeState(ctx, s, state{By: by})
}
