package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

func TestCheckAcceptsTheLimitsThemselves(t *testing.T) {
	key, value := strings.Repeat("k", store.MaxKey), make([]byte, store.MaxValue)
	rest := make([]byte, store.MaxCommit-store.MaxValue-store.MaxKey-1)
	if err := store.Check(store.Put(key, value), store.Put("b", rest)); err != nil {
		t.Errorf("Check refuses a Commit of exactly MaxCommit bytes: %v", err)
	}
	if err := store.Check(store.Put(key, value), store.Put("b", append(rest, 0))); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Check lets a Commit of one byte more pass: %v", err)
	}
	if err := store.CheckList(key, key, store.MaxList); err != nil {
		t.Errorf("CheckList refuses the limits: %v", err)
	}
	if err := store.CheckKeys(make([]string, 0)...); err != nil {
		t.Errorf("CheckKeys refuses no keys: %v", err)
	}
}

func TestADuplicateKeyIsInvalidAndHasItsOwnError(t *testing.T) {
	err := store.Check(store.Put("a", nil), store.Delete("a"))
	if !errors.Is(err, store.ErrDuplicateKey) || fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v of kind %s, want ErrDuplicateKey of kind invalid", err, fault.KindOf(err))
	}
}
