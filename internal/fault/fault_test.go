package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/fault"
)

func TestKindSurvivesWrapping(t *testing.T) {
	err := fmt.Errorf("redeeming: %w", fault.New(fault.Consumed, "the code was used"))
	if got := fault.KindOf(err); got != fault.Consumed {
		t.Errorf("KindOf = %v, want consumed", got)
	}
}

func TestAnUnclassifiedErrorIsInternal(t *testing.T) {
	if got := fault.KindOf(errors.New("disk on fire")); got != fault.Internal {
		t.Errorf("KindOf = %v, want internal", got)
	}
}

func TestTheCauseNeverReachesAStranger(t *testing.T) {
	secret := errors.New("password=hunter2")
	for _, err := range []error{
		secret,
		fault.Wrap(fault.Internal, secret, "opening the store with hunter2"),
		fault.Wrap(fault.Invalid, secret, "the code is not valid").On("code"),
	} {
		field, message := fault.Public(err)
		if strings.Contains(field+message, "hunter2") {
			t.Errorf("Public(%T) shows the cause: %q", err, message)
		}
	}
}

func TestEveryKindHasItsOwnName(t *testing.T) {
	for k := fault.Internal; k <= fault.Unavailable; k++ {
		if fault.ParseKind(k.String()) != k {
			t.Errorf("kind %d does not survive its name %q", k, k)
		}
	}
}
