package verify

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Stats is how a Verifier has fared since New. What counts only grows; the rest
// is of the moment.
type Stats struct {
	Verified   uint64            // tokens accepted
	Remembered uint64            // of these, those whose signature had been checked before
	Marked     uint64            // of these, those marked stale, see MaxStaleness
	Refused    map[Reason]uint64 // requests refused; every Reason is there

	Endings       uint64 // endings heard of
	Events        uint64 // messages of the stream taken in
	EventsRefused uint64 // and those that were not genuine, or did not follow
	ListsFetched  uint64 // good answers to requests for a list, "not modified" included
	ListsRefused  uint64 // and those that were not genuine
	Connected     uint64 // streams begun; one more than reconnects
	Refetched     uint64 // of these, those that could not resume the one before

	Streaming        bool          // the stream is being heard
	ListsHeld        int           // lists of which the bits are known
	Position         uint64        // as Verifier.Position
	KeysStaleness    time.Duration // as Verifier.Staleness
	EndingsStaleness time.Duration // as Verifier.EndingsStaleness
}

// Stats says how v has fared. It is cheap enough to be asked at every scrape,
// and counting costs requests no shared memory.
func (v *Verifier) Stats() Stats {
	v.start()
	e := v.endings
	e.mu.Lock()
	position := e.position
	e.mu.Unlock()
	s := Stats{
		Refused: make(map[Reason]uint64),
		Endings: e.told.Load(), Events: e.applied.Load(), EventsRefused: e.refusedEvents.Load(),
		ListsFetched: e.fetched.Load(), ListsRefused: e.refusedLists.Load(),
		Connected: e.connected.Load(), Refetched: e.refetched.Load(),
		Streaming: e.live.Load(), ListsHeld: e.held(), Position: position,
		KeysStaleness: v.keys.staleness(), EndingsStaleness: e.staleness(),
	}
	v.tally.read(&s)
	return s
}

// reasons is the closed list of them.
func reasons() []Reason {
	return []Reason{
		NoToken, InvalidRequest, TooLarge, Malformed, WrongType, AlgorithmRefused, UnknownKey, CriticalHeader,
		BadSignature, MissingClaim, MalformedClaim, WrongIssuer, WrongAudience, Expired, NotYetValid,
		SenderConstrained, Ended, EndingsStale, InsufficientScope, NotFresh, WeakSignIn, KeysUnavailable,
	}
}

// tally counts what becomes of requests. Each processor has a part of its own
// most of the time: one counter that all of them write to would cost more than
// the rest of the judgement of a remembered token.
type tally struct {
	parts  []part
	next   atomic.Uint32
	mine   sync.Pool // of *part; which one a processor has does not matter
	number map[Reason]int
}

type part struct {
	accepted, remembered, stale atomic.Uint64
	refused                     [32]atomic.Uint64
	_                           [64]byte // apart from its neighbour's cache line
}

func newTally() *tally {
	t := &tally{parts: make([]part, runtime.GOMAXPROCS(0)), number: make(map[Reason]int)}
	for i, r := range reasons() {
		t.number[r] = i
	}
	t.mine.New = func() any { return &t.parts[int(t.next.Add(1))%len(t.parts)] }
	return t
}

func (t *tally) accept(again bool) {
	p := t.mine.Get().(*part)
	p.accepted.Add(1)
	if again {
		p.remembered.Add(1)
	}
	t.mine.Put(p)
}

func (t *tally) marked() {
	p := t.mine.Get().(*part)
	p.stale.Add(1)
	t.mine.Put(p)
}

func (t *tally) refuse(r Reason) {
	p := t.mine.Get().(*part)
	p.refused[t.number[r]].Add(1)
	t.mine.Put(p)
}

func (t *tally) read(s *Stats) {
	for i := range t.parts {
		p := &t.parts[i]
		s.Verified += p.accepted.Load()
		s.Remembered += p.remembered.Load()
		s.Marked += p.stale.Load()
		for r, i := range t.number {
			s.Refused[r] += p.refused[i].Load()
		}
	}
}
