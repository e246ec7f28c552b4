package grant

import (
	"slices"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/user"
)

// Hold is a slot in the hands of a grant: all access tokens of the grant carry
// it, so that one bit ends them and none needs a record. A grant that is
// continued for months takes another slot from time to time: so the lists of
// long ago run empty and retire.
type Hold struct {
	Slot slot.Slot
	// Until is when the hold ends: of the current one, no token is issued on it
	// afterwards; of a former one, none is alive.
	Until time.Time
	// The epochs in which it was taken. In a later one its bit may be set.
	User   uint32
	Client uint32

	unknown string // fields that a newer release wrote, for Put
}

// Holds reports whether g's next access token may carry the slot that g has.
func (g Grant) Holds(now time.Time, u user.User, c client.Client) bool {
	return g.Hold.Slot != 0 && now.Before(g.Hold.Until) && g.Hold.User == u.TokenEpoch && g.Hold.Client == c.TokenEpoch
}

// Take gives g another slot for its next access tokens. Those issued before may
// live until alive, and so long the old slot is kept.
func (g Grant) Take(next Hold, now, alive time.Time) Grant {
	former := slices.DeleteFunc(slices.Clone(g.Former), func(h Hold) bool { return !now.Before(h.Until) })
	if g.Hold.Slot != 0 {
		former = append(former, Hold{Slot: g.Hold.Slot, Until: alive})
	}
	g.Hold, g.Former = next, former
	return g
}

// Slots are those of all access tokens of g that may be alive.
func (g Grant) Slots() []slot.Range {
	slots := make([]slot.Range, 0, 1+len(g.Former))
	for _, h := range append(slices.Clip(g.Former), g.Hold) {
		if h.Slot != 0 {
			slots = append(slots, slot.Only(h.Slot))
		}
	}
	return slots
}
