package assertion

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
)

type nobody struct{}

func (nobody) Fetch(context.Context, string) ([]byte, time.Duration, error) {
	return nil, 0, errors.New("nobody is there")
}

func TestTheMemoryOfKeysIsBoundedAndTheOldestLeaves(t *testing.T) {
	k, now := newKeySets(nobody{}), time.Now()
	holds := func([]client.Key) bool { return true }
	for i := range maxSets + 10 {
		if _, err := k.find(t.Context(), fmt.Sprint(i), "https://x.example/", now.Add(time.Duration(i)*time.Millisecond), holds); err == nil {
			t.Fatal("keys out of nowhere")
		}
	}
	_, first := k.sets["0"]
	_, last := k.sets[fmt.Sprint(maxSets+9)]
	if len(k.sets) != maxSets || first || !last {
		t.Errorf("%d sets, the first still there: %t, the last: %t", len(k.sets), first, last)
	}
}
