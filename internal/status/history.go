package status

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

const (
	// most is how many slots and ranges one message has, and how many a listener may
	// have missed: beyond that, the lists are cheaper.
	most = 4096
	// skew is by how much the clocks of nodes may disagree.
	skew = 5 * time.Second
	// keepMargin is for an ending that got its time well before it was committed.
	keepMargin = time.Minute
)

// told is what the stream says of an ending.
type told struct {
	position store.Version
	at       int64 // Unix milliseconds
	slots    []slot.Range
	keys     bool
}

func toldOf(e *ended.Ending) told {
	return told{position: e.Position, at: e.Time.UnixMilli(), slots: e.Slots, keys: e.Kind == ended.KindKey}
}

func (t told) weight() int { return max(1, len(t.slots)) }

// history is the newest endings, as many as a listener may have missed.
type history struct {
	endings []told        // by position
	weight  int           // of all of them
	since   store.Version // it has everything after this position
}

func (h *history) add(t told) {
	h.endings = append(h.endings, t)
	h.weight += t.weight()
	for h.weight > most {
		oldest := h.endings[0]
		h.endings[0] = told{}
		h.endings, h.weight, h.since = h.endings[1:], h.weight-oldest.weight(), oldest.position
	}
}

// id is where a listener was: what the stream calls a message.
type id struct {
	position store.Version
	at       int64 // Unix milliseconds
}

func (i id) append(b []byte) []byte {
	b = strconv.AppendUint(b, uint64(i.position), 10)
	return strconv.AppendInt(append(b, '-'), i.at, 10)
}

// parseID reads a Last-Event-ID.
func parseID(text string) (id, bool) {
	position, at, ok := strings.Cut(text, "-")
	if !ok {
		return id{}, false
	}
	p, err := strconv.ParseUint(position, 10, 64)
	if err != nil {
		return id{}, false
	}
	ms, err := strconv.ParseInt(at, 10, 64)
	return id{store.Version(p), ms}, err == nil && ms > 0
}

// missed returns what was told in (from, head], and whether that is all there was:
// the journal has to reach back so far, and it has to be the one that the listener
// followed. After a restore from a backup the positions begin again at an older
// one; then what is up to from was not told before the time of from.
func (h *history) missed(from id, head store.Version, now time.Time, keep time.Duration) ([]told, bool) {
	age := now.Sub(time.UnixMilli(from.at))
	if from.position > head || from.position < h.since || age > keep-keepMargin || age < -skew {
		return nil, false
	}
	after := func(p store.Version) int {
		i, _ := slices.BinarySearchFunc(h.endings, p+1, func(t told, p store.Version) int {
			if t.position < p {
				return -1
			}
			return 1
		})
		return i
	}
	first := after(from.position)
	if first > 0 && h.endings[first-1].at > from.at+skew.Milliseconds() {
		return nil, false
	}
	return slices.Clone(h.endings[first:max(first, after(head))]), true
}
