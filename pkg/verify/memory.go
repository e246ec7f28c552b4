package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
)

// digest names a token in memory. It is SHA-256 because the bytes come from
// strangers: with a weaker hash, a forged token could be made to meet the name
// of a good one.
type digest [sha256.Size]byte

// ways is how many places a bucket has, and a token may be in either of two. With
// one bucket, memory that is half full would drop one token in a hundred; with
// the emptier of two it drops none, and as few only when nine tenths are full.
const ways = 8

// memory remembers the tokens that were verified, so that their signature is
// paid for once. It is a fixed number of places, a few of which a name may
// take, so it is bounded, and it has no lock: a place is read and replaced
// atomically. It judges nothing: who recalls a token checks its key and times.
type memory struct{ places []place }

// place is where one token is remembered. The tag spares readers the claims of
// other tokens, which are all over the heap. It is no more than a hint: two
// tokens that come to a place at once may leave it with the tag of one and the
// claims of the other, and then neither is found until it is verified again.
type place struct {
	tag    atomic.Uint64
	claims atomic.Pointer[claims] // nil while the place is free
}

func tagOf(name *digest) uint64 { return binary.LittleEndian.Uint64(name[16:]) }

// newMemory makes room for at most n tokens.
func newMemory(n int) *memory {
	if n > ways {
		n -= n % ways
	}
	return &memory{places: make([]place, n)}
}

// buckets are the places that a token may take: two times ways, where there are
// as many.
func (m *memory) buckets(name *digest) [2][]place {
	count := uint64(len(m.places) / ways)
	if count < 2 {
		return [2][]place{m.places}
	}
	first := binary.LittleEndian.Uint64(name[:]) % count
	second := (first + 1 + binary.LittleEndian.Uint64(name[8:])%(count-1)) % count // another one
	return [2][]place{
		m.places[ways*first : ways*(first+1)],
		m.places[ways*second : ways*(second+1)],
	}
}

// recall returns the claims remembered under name, or nil.
func (m *memory) recall(name *digest) *claims {
	tag := tagOf(name)
	for _, bucket := range m.buckets(name) {
		for i := range bucket {
			if bucket[i].tag.Load() != tag {
				continue
			}
			if c := bucket[i].claims.Load(); c != nil && c.name == *name {
				return c
			}
		}
	}
	return nil
}

// remember keeps c in the emptier of its buckets. Where no place is free it takes
// that of the token with the least time to live, which is worth the least.
func (m *memory) remember(c *claims) {
	tag := tagOf(&c.name)
	var free *place
	most := 0 // free places in one bucket
	for _, bucket := range m.buckets(&c.name) {
		var last *place
		count := 0
		for i := range bucket {
			switch p := &bucket[i]; {
			case p.claims.Load() == nil:
				last = p
				count++
			case p.tag.Load() == tag: // it was remembered before, and its key has changed
				p.claims.Store(c)
				return
			}
		}
		if count > most {
			free, most = last, count
		}
	}
	if free == nil {
		free = m.leastWorth(&c.name)
	}
	if free != nil {
		free.claims.Store(c)
		free.tag.Store(tag)
	}
}

// leastWorth returns the place of the token that expires first.
func (m *memory) leastWorth(name *digest) *place {
	var worst *place
	var least int64
	for _, bucket := range m.buckets(name) {
		for i := range bucket {
			p := &bucket[i]
			if old := p.claims.Load(); old != nil && (worst == nil || old.expiresAt < least) {
				worst, least = p, old.expiresAt
			}
		}
	}
	return worst
}
