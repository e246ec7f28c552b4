package status

import (
	"context"
	"time"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

// Encode makes a lst of bytes.
func Encode(raw []byte, level int) (string, error) { return encode(raw, level) }

// Set sets a bit without the journal, for a benchmark.
func (b *Board) Set(s slot.Slot) {
	b.apply([]ended.Ending{{
		Position: b.Head() + store.Version(1), Time: time.Now(), Expires: time.Now().Add(time.Hour), Slots: []slot.Range{slot.Only(s)},
	}})
}

// Say says something at once.
func (h *Hub) Say(ctx context.Context) error { return h.say(ctx, eventBeat) }
