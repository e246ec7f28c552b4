// Package storetest owns the contract of package store in code: one suite, one
// named test per promise, the same for every engine.
//
//	engine's own test ──Run(t, open)──▶ every promise of store.go
//	                  ──RunReopen(t, open)──▶ what must outlive a Close
//
// An engine is finished when it passes. The suite knows no engine and uses real
// time, because an engine behind a network cannot follow a virtual clock: where
// something has to happen later it asks again until a deadline.
package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// patience is how long the suite waits for what must happen soon.
const patience = 30 * time.Second

// promise is one sentence of the contract and its proof.
type promise struct {
	name  string
	prove func(t *testing.T, s store.Store)
}

// Run proves every promise, each on a store of its own.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, p := range slices.Concat(
		getPromises(), listPromises(), commitPromises(), guardPromises(), demandPromises(), limitPromises(),
		contentionPromises(), expiryPromises(), watchPromises(), watchEndPromises(), closePromises(),
	) {
		t.Run(p.name, func(t *testing.T) { p.prove(t, open(t)) })
	}
}

// within is a context that ends when the suite's patience does.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// commit commits ops, which must succeed.
func commit(t *testing.T, s store.Store, ops ...store.Op) store.Version {
	t.Helper()
	v, err := s.Commit(within(t), ops...)
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if v == 0 {
		t.Fatal("Commit returned version 0, which means absent")
	}
	return v
}

// get reads one key.
func get(t *testing.T, s store.Store, key string) store.Record {
	t.Helper()
	records, err := s.Get(within(t), key)
	if err != nil {
		t.Fatalf("Get(%q): %v", key, err)
	}
	if len(records) != 1 {
		t.Fatalf("Get(%q) returned %d records, want 1", key, len(records))
	}
	return records[0]
}

// wantValue fails unless key has the value.
func wantValue(t *testing.T, s store.Store, key, want string) {
	t.Helper()
	if r := get(t, s, key); !r.Exists() || string(r.Value) != want {
		t.Errorf("%q holds %q (version %d), want %q", key, r.Value, r.Version, want)
	}
}

// wantAbsent fails unless key is absent in every respect.
func wantAbsent(t *testing.T, s store.Store, key string) {
	t.Helper()
	r := get(t, s, key)
	if r.Exists() || r.Value != nil || !r.Expires.IsZero() || r.Key != key {
		t.Errorf("%q is %+v, want an absent record with its key alone", key, r)
	}
}

// wantConflict fails unless err is a conflict on key.
func wantConflict(t *testing.T, err error, key string) {
	t.Helper()
	var conflict *store.ConflictError
	if !errors.Is(err, store.ErrConflict) || !errors.As(err, &conflict) {
		t.Fatalf("got error %v, want a conflict on %q", err, key)
	}
	if conflict.Key != key {
		t.Errorf("the conflict names %q, want %q", conflict.Key, key)
	}
}

// wantInvalid fails unless err says that the caller asked for something wrong.
func wantInvalid(t *testing.T, what string, err error) {
	t.Helper()
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("%s: got error %v, want one of kind invalid", what, err)
	}
}

// keys returns the keys that List yields.
func keys(t *testing.T, s store.Store, prefix, after string, limit int) []string {
	t.Helper()
	records, err := s.List(within(t), prefix, after, limit)
	if err != nil {
		t.Fatalf("List(%q, %q, %d): %v", prefix, after, limit, err)
	}
	names := []string{}
	for _, r := range records {
		names = append(names, r.Key)
	}
	return names
}

// wantKeys fails unless List yields want.
func wantKeys(t *testing.T, s store.Store, prefix, after string, limit int, want ...string) {
	t.Helper()
	if got := keys(t, s, prefix, after, limit); !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("List(%q, %q, %d) = %q, want %q", prefix, after, limit, got, want)
	}
}

// eventually fails unless holds becomes true before patience ends.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}
