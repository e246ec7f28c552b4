package grant_test

import (
	"slices"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/user"
)

// epoch is when the holds of these tests are taken.
func epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func TestAGrantHoldsItsSlotForItsTermAndInTheEpochsItWasTakenIn(t *testing.T) {
	now := epoch()
	hold := grant.Hold{Slot: 7, Until: now.Add(time.Hour), User: 3, Client: 4}
	for name, tt := range map[string]struct {
		hold grant.Hold
		at   time.Time
		u    uint32
		c    uint32
		want bool
	}{
		"within its term":         {hold, now.Add(time.Hour - 1), 3, 4, true},
		"when its term is over":   {hold, now.Add(time.Hour), 3, 4, false},
		"after a loss of roles":   {hold, now, 4, 4, false},
		"of an older user record": {hold, now, 2, 4, false},
		"after the client ended":  {hold, now, 3, 5, false},
		"none was taken":          {grant.Hold{Until: now.Add(time.Hour), User: 3, Client: 4}, now, 3, 4, false},
	} {
		if got := (grant.Grant{Hold: tt.hold}).Holds(tt.at, user.User{TokenEpoch: tt.u}, client.Client{TokenEpoch: tt.c}); got != tt.want {
			t.Errorf("%s: Holds = %t, want %t", name, got, tt.want)
		}
	}
}

func slotsOf(g grant.Grant) []slot.Slot {
	var slots []slot.Slot
	for _, r := range g.Slots() {
		slots = append(slots, r.First)
	}
	slices.Sort(slots)
	return slots
}

// A former slot is kept exactly as long as a token on it may live.
func TestAGrantKeepsItsFormerSlotsWhileATokenOnThemMayLive(t *testing.T) {
	const lifetime = 10 * time.Minute
	now := epoch()
	take := func(g grant.Grant, s slot.Slot, at time.Time) grant.Grant {
		return g.Take(grant.Hold{Slot: s, Until: at.Add(time.Hour)}, at, at.Add(lifetime))
	}
	first := take(grant.Grant{}, 1, now)
	if got := slotsOf(first); !slices.Equal(got, []slot.Slot{1}) {
		t.Errorf("after the first hold: %v", got)
	}
	second := take(first, 2, now.Add(time.Minute))
	third := take(second, 3, now.Add(2*time.Minute))
	if got := slotsOf(third); !slices.Equal(got, []slot.Slot{1, 2, 3}) {
		t.Errorf("three holds within minutes: %v", got)
	}
	if got := slotsOf(take(third, 4, now.Add(time.Minute+lifetime-1))); !slices.Equal(got, []slot.Slot{1, 2, 3, 4}) {
		t.Errorf("when a token on the first may still live: %v", got)
	}
	if got := slotsOf(take(third, 4, now.Add(time.Minute+lifetime))); !slices.Equal(got, []slot.Slot{2, 3, 4}) {
		t.Errorf("when none on the first lives: %v", got)
	}
	take(third, 5, now.Add(5*time.Hour)) // all former ones leave
	if got := slotsOf(third); !slices.Equal(got, []slot.Slot{1, 2, 3}) {
		t.Errorf("taking another slot changed the grant that it was taken from: %v", got)
	}
	if got := slotsOf(second); !slices.Equal(got, []slot.Slot{1, 2}) {
		t.Errorf("taking another slot changed the grant that it was taken from: %v", got)
	}
}

func TestAGrantWithoutASlotHasNone(t *testing.T) {
	if got := (grant.Grant{}).Slots(); len(got) != 0 {
		t.Errorf("Slots = %v", got)
	}
}
