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

// digestOf hashes without putting a copy of a token of ordinary size on the heap.
func digestOf(s string) digest {
	var buf [2048]byte
	return sha256.Sum256(append(buf[:0], s...))
}

// ways is how many places there are for a token. With eight, half-full memory
// almost never drops anything.
const ways = 8

// memory remembers the tokens that were verified, so that their signature is
// paid for once. It is a fixed number of places, a few of which a digest may
// take, so it is bounded, and it has no lock: a place is read and replaced
// atomically. It judges nothing: who recalls a token checks its key and times.
type memory struct{ places []atomic.Pointer[claims] }

// newMemory makes room for at most n tokens.
func newMemory(n int) *memory {
	if n > ways {
		n -= n % ways
	}
	return &memory{places: make([]atomic.Pointer[claims], n)}
}

// choices are the places that d may take.
func (m *memory) choices(d *digest) []atomic.Pointer[claims] {
	if len(m.places) <= ways {
		return m.places
	}
	first := ways * (binary.LittleEndian.Uint64(d[:]) % uint64(len(m.places)/ways))
	return m.places[first : first+ways]
}

// recall returns the claims remembered under d, or nil.
func (m *memory) recall(d *digest) *claims {
	places := m.choices(d)
	for i := range places {
		if c := places[i].Load(); c != nil && c.digest == *d {
			return c
		}
	}
	return nil
}

// remember keeps c. Where no place is free it takes that of the token with the
// least time to live, which is worth the least.
func (m *memory) remember(c *claims) {
	var place *atomic.Pointer[claims]
	var least int64
	places := m.choices(&c.digest)
	for i := range places {
		old := places[i].Load()
		if old == nil || old.digest == c.digest {
			place = &places[i]
			break
		}
		if place == nil || old.expiresAt < least {
			place, least = &places[i], old.expiresAt
		}
	}
	if place != nil {
		place.Store(c)
	}
}
