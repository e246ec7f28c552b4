package verify

import (
	"strconv"
	"testing"
)

// numbered are claims of the n-th token, which lives the longer the greater n.
func numbered(n int) *claims {
	return &claims{digest: digestOf(strconv.Itoa(n)), expiresAt: int64(n)}
}

func (m *memory) size() int {
	n := 0
	for i := range m.places {
		if m.places[i].Load() != nil {
			n++
		}
	}
	return n
}

func TestMemoryNeverHoldsMoreThanItsLimit(t *testing.T) {
	for _, limit := range []int{0, 1, 7, 8, 9, 100, 10_000} {
		m := newMemory(limit)
		for n := range 3 * limit {
			m.remember(numbered(n))
		}
		if got := m.size(); got > limit || got < limit*3/4 {
			t.Errorf("%d of at most %d are remembered", got, limit)
		}
		if n := 3*limit - 1; limit > 0 && m.recall(&numbered(n).digest) == nil {
			t.Errorf("with room for %d, the token just shown is forgotten", limit)
		}
	}
}

func TestHalfFullMemoryForgetsAlmostNothing(t *testing.T) {
	m := newMemory(10_000)
	for n := range 5_000 {
		m.remember(numbered(n))
	}
	forgotten := 0
	for n := range 5_000 {
		if m.recall(&numbered(n).digest) == nil {
			forgotten++
		}
	}
	if forgotten > 100 {
		t.Errorf("%d of 5000 are forgotten", forgotten)
	}
}

func TestFullMemoryForgetsTheTokenWithTheLeastTimeToLive(t *testing.T) {
	m := newMemory(ways)
	for n := range ways {
		m.remember(numbered(n))
	}
	m.remember(numbered(100))
	for n := range ways {
		if got, want := m.recall(&numbered(n).digest) != nil, n != 0; got != want {
			t.Errorf("token %d: remembered %v, want %v", n, got, want)
		}
	}
}

func TestMemoryRecallsNothingUnderAnotherDigest(t *testing.T) {
	m := newMemory(1)
	m.remember(numbered(1))
	if m.recall(&numbered(2).digest) != nil {
		t.Error("the token in the same place was taken for another")
	}
}

func TestTheMemoryOfUnknownKidsIsBounded(t *testing.T) {
	f := newFollower(nil, nil, nil)
	for n := range 5 * maxUnknown {
		f.markUnknown(strconv.Itoa(n))
	}
	if got := len(f.unknown); got > maxUnknown {
		t.Errorf("%d kids are remembered as unknown, want at most %d", got, maxUnknown)
	}
}
