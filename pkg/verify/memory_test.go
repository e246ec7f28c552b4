package verify

import (
	"crypto/sha256"
	"strconv"
	"testing"
)

// numbered are claims of the n-th token, which lives the longer the greater n.
func numbered(n int) *claims {
	return &claims{name: sha256.Sum256([]byte(strconv.Itoa(n))), expiresAt: int64(n)}
}

func (m *memory) size() int {
	n := 0
	for i := range m.places {
		if m.places[i].claims.Load() != nil {
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
		if n := 3*limit - 1; limit > 0 && m.recall(&numbered(n).name) == nil {
			t.Errorf("with room for %d, the token just shown is forgotten", limit)
		}
	}
}

func TestHalfFullMemoryForgetsNothing(t *testing.T) {
	for _, limit := range []int{2_000, 10_000, 100_000} {
		if forgotten := forgottenOf(limit, limit/2); forgotten != 0 {
			t.Errorf("with room for %d, %d of half as many are forgotten", limit, forgotten)
		}
	}
}

func TestMemoryThatIsNearlyFullForgetsLessThanOneTokenInAHundred(t *testing.T) {
	if forgotten := forgottenOf(10_000, 9_000); forgotten > 90 {
		t.Errorf("with room for 10000, %d of 9000 are forgotten", forgotten)
	}
}

// forgottenOf is how many of so many tokens are not remembered where there is
// room for limit.
func forgottenOf(limit, tokens int) (forgotten int) {
	m := newMemory(limit)
	for n := range tokens {
		m.remember(numbered(n))
	}
	for n := range tokens {
		if m.recall(&numbered(n).name) == nil {
			forgotten++
		}
	}
	return forgotten
}

func TestFullMemoryForgetsTheTokenWithTheLeastTimeToLive(t *testing.T) {
	m := newMemory(ways)
	for n := range ways {
		m.remember(numbered(n))
	}
	m.remember(numbered(100))
	for n := range ways {
		if got, want := m.recall(&numbered(n).name) != nil, n != 0; got != want {
			t.Errorf("token %d: remembered %v, want %v", n, got, want)
		}
	}
}

func TestMemoryRecallsNothingUnderAnotherDigest(t *testing.T) {
	m := newMemory(1)
	m.remember(numbered(1))
	near := numbered(1).name // the tag is a part of the digest, and no more than a hint
	near[0] ^= 1
	if m.recall(&near) != nil {
		t.Error("a token was taken for another whose digest differs in one bit")
	}
	if m.recall(&numbered(2).name) != nil {
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
