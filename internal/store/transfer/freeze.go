package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// MaxFreeze is how long a store may be frozen by one command: a mistake ends by
// itself.
const MaxFreeze = 15 * time.Minute

// frozen is the record of freezeKey.
type frozen struct {
	Until time.Time `json:"until"`
}

// Freeze makes every node refuse to change s until that moment, as soon as it
// hears of it. The record expires, so a command that dies thaws the store.
func Freeze(ctx context.Context, s store.Store, until time.Time) error {
	if time.Until(until) > MaxFreeze {
		return fault.New(fault.Invalid, "a store is frozen for at most %s", MaxFreeze)
	}
	value, err := json.Marshal(frozen{until.UTC()})
	if err != nil {
		return fmt.Errorf("writing the freeze: %w", err)
	}
	if _, err := commit(ctx, s, store.Put(freezeKey, value).Until(until)); err != nil {
		return fmt.Errorf("freezing the store: %w", err)
	}
	return nil
}

// Thaw ends a freeze.
func Thaw(ctx context.Context, s store.Store) error {
	if _, err := commit(ctx, s, store.Delete(freezeKey)); err != nil {
		return fmt.Errorf("thawing the store: %w", err)
	}
	return nil
}

// Gate is a store that refuses changes while it is frozen. Reads go through.
type Gate struct {
	store.Store
	freezes *store.Mirror[frozen]
}

// OpenGate follows the freezes of s until Shut; it does not close s.
func OpenGate(ctx context.Context, s store.Store, logger *slog.Logger) (*Gate, error) {
	freezes, err := store.OpenMirror(ctx, s, freezeKey, func(r store.Record) (frozen, error) {
		var f frozen
		err := json.Unmarshal(r.Value, &f)
		return f, err
	}, logger)
	if err != nil {
		return nil, err
	}
	return &Gate{s, freezes}, nil
}

// Commit implements store.Store.
func (g *Gate) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	if f, is := g.freezes.Get(freezeKey); is && !Ours(ops...) {
		refused := fault.New(fault.Unavailable, "the store is being moved and takes no changes for a moment; try again")
		refused.RetryAfter = max(time.Second, time.Until(f.Until).Round(time.Second))
		return 0, refused
	}
	return g.Store.Commit(ctx, ops...)
}

// Shut ends the following, not the store.
func (g *Gate) Shut() { g.freezes.Close() }
