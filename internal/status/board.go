package status

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

// Board is every bit that is set, as the journal has them up to Head, and which
// lists exist. Safe for concurrent use; readers take no lock.
type Board struct {
	issuer string
	quoted []byte // the issuer as JSON
	ttl    time.Duration
	sign   func(ctx context.Context, typ string, claims []byte) (string, error)
	count  Count
	log    *slog.Logger
	pulse  *pulse
	slots  *Slots
	hub    *Hub

	head  atomic.Uint64
	lists atomic.Pointer[map[uint64]*list] // replaced as a whole, under mu

	mu    sync.Mutex // of whoever changes anything
	sweep time.Time  // when to look for lists that are over
}

// list is one status list.
type list struct {
	number uint64
	bits   atomic.Pointer[bitmap] // nil: none is set

	// Guarded by the board's mu, but for alive, which readers take.
	alive    atomic.Int64  // Unix nanoseconds: until then a token in it may live; 0: nothing is leased yet
	needed   time.Time     // until then its bits are kept
	born     store.Version // of the first lease that is alive
	firstBit store.Version // the position of the first bit
	changed  atomic.Uint64 // counts the changes of the bits

	building  chan struct{} // holds one token: whoever put it there makes the JWT
	packed    packed        // of the builder alone
	published atomic.Pointer[Published]
}

// bitmap is the bits of a list, from the least significant one of the first word:
// little-endian, its words are the bytes of the wire (Token Status List §4.1).
type bitmap struct {
	words [slot.Size / 64]atomic.Uint64
	ones  atomic.Int64
}

func newBoard(o Options, issuer []byte, head store.Version, alive *pulse) *Board {
	b := &Board{issuer: o.Issuer, quoted: issuer, ttl: o.TTL, sign: o.Sign, count: o.Count, log: o.Log, pulse: alive}
	b.head.Store(uint64(head))
	b.lists.Store(&map[uint64]*list{})
	return b
}

// Head is the position in the journal up to which every ending is on the board.
func (b *Board) Head() store.Version { return store.Version(b.head.Load()) }

// Ended reports whether the bit of s is set.
func (b *Board) Ended(s slot.Slot) bool {
	l := (*b.lists.Load())[s.List()]
	if l == nil {
		return false
	}
	bits := l.bits.Load()
	return bits != nil && bits.words[s.Index()/64].Load()&(1<<(s.Index()%64)) != 0
}

// HasEnded is Ended for whoever passes the answer on as the truth of now. It fails
// (fault.Unavailable) while this node does not hear of its engine: others may have
// set a bit that is not set here.
func (b *Board) HasEnded(s slot.Slot) (bool, error) {
	if b.Ended(s) {
		return true, nil
	}
	if !b.pulse.sound(time.Now()) {
		return false, unavailable(missedEvery, "the store does not answer, so whether the token has ended is not known")
	}
	return false, nil
}

// apply takes endings in, in the order of the journal.
func (b *Board) apply(endings []ended.Ending) {
	b.mu.Lock()
	for i := range endings {
		b.end(&endings[i])
	}
	// Bits first, then the position: what says that it is complete up to a position
	// may have more, and never less.
	newest := endings[len(endings)-1].Position
	b.head.Store(max(b.head.Load(), uint64(newest)))
	b.retire(time.Now())
	b.mu.Unlock()
	for i := range endings {
		if e := &endings[i]; e.Kind == ended.KindClient {
			b.slots.drop(e.ClientID, e.Slots)
		}
	}
	b.hub.tell(endings)
}

func (b *Board) end(e *ended.Ending) {
	for _, r := range e.Slots {
		l := b.list(r.First.List())
		if l.needed.Before(e.Expires) {
			l.needed = e.Expires
		}
		if l.firstBit == 0 {
			l.firstBit = e.Position
		}
		bits := l.bits.Load()
		if bits == nil {
			bits = &bitmap{}
			l.bits.Store(bits)
		}
		bits.set(r)
		l.changed.Add(1) // after the bits: what was read before is read again
	}
}

// set sets the bits of r, as far as they are in one list. One goroutine calls it.
func (m *bitmap) set(r slot.Range) {
	first, last := r.First.Index(), min(uint64(r.First.Index())+uint64(r.Len()), slot.Size)
	for i := uint64(first); i < last; i++ {
		word, bit := &m.words[i/64], uint64(1)<<(i%64)
		if old := word.Load(); old&bit == 0 {
			word.Store(old | bit)
			m.ones.Add(1)
		}
	}
}

// list finds a list or begins one; b.mu is held.
func (b *Board) list(number uint64) *list {
	lists := *b.lists.Load()
	if l := lists[number]; l != nil {
		return l
	}
	l := &list{number: number, building: make(chan struct{}, 1)}
	lists = maps.Clone(lists)
	lists[number] = l
	b.lists.Store(&lists)
	return l
}

// leased takes in that blocks were leased: so lists begin to exist, and live on.
func (b *Board) leased(records []store.Record) {
	var opened []uint64
	b.mu.Lock()
	now := time.Now()
	for _, r := range records {
		var d lease
		if err := json.Unmarshal(r.Value, &d); err != nil {
			b.log.Error("a lease can't be read", slog.String("key", r.Key), slog.Any("error", err))
			continue
		}
		l := b.list(d.First.List())
		if !l.exists(now) {
			l.born = r.Version
			opened = append(opened, l.number)
		}
		l.alive.Store(max(l.alive.Load(), r.Expires.UnixNano()))
		if l.needed.Before(r.Expires) {
			l.needed = r.Expires
		}
	}
	b.retire(now)
	b.mu.Unlock()
	if len(opened) > 0 {
		b.hub.open(opened)
	}
}

func (l *list) exists(now time.Time) bool { return now.UnixNano() < l.alive.Load() }

// retire forgets the lists in which nothing can be alive; b.mu is held. It looks
// now and then, whenever anything happens: so it needs no timer.
func (b *Board) retire(now time.Time) {
	if now.Before(b.sweep) {
		return
	}
	b.sweep = now.Add(time.Minute)
	lists := *b.lists.Load()
	over := func(_ uint64, l *list) bool { return !now.Before(l.needed) }
	for number, l := range lists {
		if over(number, l) {
			left := maps.Clone(lists)
			maps.DeleteFunc(left, over)
			b.lists.Store(&left)
			return
		}
	}
}

// Lists are the URIs of the lists that exist.
func (b *Board) Lists() []string {
	now := time.Now()
	lists := *b.lists.Load()
	uris := make([]string, 0, len(lists))
	for _, number := range slices.Sorted(maps.Keys(lists)) {
		if lists[number].exists(now) {
			uris = append(uris, slot.ListURI(b.issuer, number))
		}
	}
	return uris
}

// TTL is how long a list may be cached.
func (b *Board) TTL() time.Duration { return b.ttl }

// find returns the list of that number, if it exists.
func (b *Board) find(number uint64) (*list, error) {
	l := (*b.lists.Load())[number]
	if l == nil || !l.exists(time.Now()) {
		return nil, fault.New(fault.NotFound, "there is no status list %d; it never was, or everything in it has expired", number)
	}
	return l, nil
}

// bornAfter are the lists that exist since after position, so that no bit of them
// was set before it that matters.
func (b *Board) bornAfter(position store.Version) []uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var numbers []uint64
	now := time.Now()
	for number, l := range *b.lists.Load() {
		if l.born > position && l.exists(now) {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// empty leaves out the lists of which a bit was set up to position.
func (b *Board) empty(numbers []uint64, position store.Version) []uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	lists := *b.lists.Load()
	return slices.DeleteFunc(slices.Clone(numbers), func(number uint64) bool {
		l := lists[number]
		return l == nil || l.firstBit != 0 && l.firstBit <= position
	})
}
