package lease

import (
	"context"
	"fmt"

	"github.com/signet-id/signet/internal/store"
)

// Void removes every lease. It is for a node that has just opened a store of which
// it is the only user: whoever held them is dead, however long they would last.
func Void(ctx context.Context, s store.Store) error {
	recs, err := s.List(ctx, prefix, "", store.MaxList)
	if err != nil || len(recs) == 0 {
		return err
	}
	ops := make([]store.Op, 0, len(recs))
	for _, r := range recs[:min(len(recs), store.MaxOps)] {
		ops = append(ops, store.Delete(r.Key))
	}
	if _, err := s.Commit(ctx, ops...); err != nil {
		return fmt.Errorf("removing the leases of a dead process: %w", err)
	}
	return nil
}
