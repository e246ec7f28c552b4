package lease_test

import (
	"testing"
	"time"

	"github.com/signet-id/signet/internal/lease"
	"github.com/signet-id/signet/internal/store"
)

func TestVoidRemovesTheLeasesOfTheDeadAndNothingElse(t *testing.T) {
	s := newStore(t)
	if _, err := s.Commit(t.Context(), store.Put("lease/outbox", []byte(`{"node":"dead"}`)).Until(time.Now().Add(time.Hour)), store.Put("leased", nil)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // there may be none
		if err := lease.Void(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	recs, err := s.Get(t.Context(), "lease/outbox", "leased")
	if err != nil {
		t.Fatal(err)
	}
	if recs[0].Exists() || !recs[1].Exists() {
		t.Errorf("the lease is there: %t, something else is: %t", recs[0].Exists(), recs[1].Exists())
	}
}
