package verify

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	listSize = 1 << 20 // entries of one status list, and so the end of every idx
	pageSize = 1 << 12 // entries of one page of it
	never    = time.Duration(math.MaxInt64)
)

// moment is a point in time by both clocks. The monotonic one stands still while
// a machine is suspended, the other one may be set back: knowledge is as old as
// the clock says that has counted more.
type moment struct{ wall, mono time.Duration }

// since is how long before m then was.
func (m moment) since(then moment) time.Duration {
	return max(0, m.wall-then.wall, m.mono-then.mono)
}

func (m moment) before(age time.Duration) *moment {
	return &moment{m.wall - age, m.mono - age}
}

// span is the stream without a gap: a list that was complete to the position
// from, and has had all that was told since, is complete to the position to.
// Each of its messages confirms every list that belongs to it.
type span struct {
	from  uint64
	to    atomic.Uint64
	heard atomic.Pointer[moment] // never nil once the span can be seen
}

// page is 512 bytes of bits; words are set atomically and never cleared.
type page [pageSize / 64]atomic.Uint64

// list is one status list as far as it is known. Its bits only ever get set: a
// list and an event, or an old list and a new one, cannot undo one another. So
// they may be applied in any order, while requests read them without a lock.
type list struct {
	uri    string
	bits   atomic.Pointer[[listSize / pageSize]atomic.Pointer[page]] // nil while nothing has ended
	span   atomic.Pointer[span]                                      // whose messages confirm it
	polled atomic.Pointer[moment]                                    // when a fetch last did
	last   atomic.Int64                                              // exp of the longest-lived token that was seen

	// The rest is guarded by endings.mu.
	since    uint64        // everything told after this position was applied to bits
	position uint64        // what the last good answer was complete to
	expires  int64         // its exp
	etag     string        // what brings a 304 instead of it
	signer   *key          // what signed it
	pause    time.Duration // how old knowledge may grow before it is asked for again
	next     time.Duration // not asked for again before, by the monotonic clock
	lagging  int           // good answers in a row that were too old
	named    bool          // the aggregation names it
	born     moment
	fetching chan struct{} // closed when the fetch under way ends
	tried    bool          // a fetch has ended
	err      error         // why the last one brought nothing
}

// age is how old the knowledge of l is at now: never, when there is none.
func (l *list) age(now moment) time.Duration {
	age := never
	if s := l.span.Load(); s != nil {
		age = now.since(*s.heard.Load())
	}
	if p := l.polled.Load(); p != nil {
		age = min(age, now.since(*p))
	}
	return age
}

// known reports whether l was ever complete.
func (l *list) known() bool { return l.span.Load() != nil || l.polled.Load() != nil }

// ended reads one bit.
func (l *list) ended(index uint32) bool {
	pages := l.bits.Load()
	if pages == nil {
		return false
	}
	p := pages[index/pageSize].Load()
	return p != nil && p[index%pageSize/64].Load()>>(index%64)&1 == 1
}

// set sets count bits from index on and returns how many were not set before.
// The caller has seen to it that they are within the list.
func (l *list) set(index, count uint32) (fresh int) {
	pages := l.bits.Load()
	if pages == nil {
		l.bits.CompareAndSwap(nil, new([listSize / pageSize]atomic.Pointer[page]))
		pages = l.bits.Load()
	}
	for end := index + count; index < end; index++ {
		place := &pages[index/pageSize]
		if place.Load() == nil {
			place.CompareAndSwap(nil, new(page))
		}
		bit := uint64(1) << (index % 64)
		if place.Load()[index%pageSize/64].Or(bit)&bit == 0 {
			fresh++
		}
	}
	return fresh
}

// use notes that a token of l lives until expiry.
func (l *list) use(expiry int64) {
	for {
		last := l.last.Load()
		if expiry <= last || l.last.CompareAndSwap(last, expiry) {
			return
		}
	}
}

// used reports whether a token that was seen may still be alive at now.
func (l *list) used(now moment) bool {
	return now.wall-leeway < time.Duration(l.last.Load())*time.Second
}
