package token

import (
	"crypto/sha256"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Memory holds access tokens that were read not long ago, so that one that is
// presented again and again is checked once. What may change about it (its time,
// whether its key is still in the ring) is judged at each presentation; what else
// may have ended it is the caller's to ask. Safe for concurrent use; nil remembers
// nothing.
type Memory struct{ tokens *lru.Cache[digest, seen] }

// digest names a token in memory: it comes from strangers, so it is a hash that
// nobody can steer.
type digest [sha256.Size]byte

// seen is what reading a token said. Its slices are shared by all who read it.
type seen struct {
	kid    string
	access Access
}

// NewMemory makes room for n tokens, at least 1. One takes about a kilobyte.
func NewMemory(n int) *Memory {
	tokens, err := lru.New[digest, seen](max(1, n))
	if err != nil { // only for a size below 1
		return nil
	}
	return &Memory{tokens}
}

func (m *Memory) recall(d digest) (seen, bool) {
	if m == nil {
		return seen{}, false
	}
	return m.tokens.Get(d)
}

func (m *Memory) remember(d digest, s seen) {
	if m != nil {
		m.tokens.Add(d, s)
	}
}
