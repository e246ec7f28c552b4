package keys

import (
	"context"
	"crypto"
)

// SignInput lets tests sign what the ring never would.
func SignInput(alg Algorithm, key crypto.Signer, input []byte) ([]byte, error) {
	return alg.sign(key, input)
}

// TakeTurn lets tests stand for a storage call that hangs.
func (r *Ring) TakeTurn(ctx context.Context) (release func(), err error) { return r.takeTurn(ctx) }

// Headers is how many headers the active key of alg remembers.
func (r *Ring) Headers(alg Algorithm) int { return len(*r.current.Load().active[alg].headers.Load()) }

// Held lets tests try to print what holds the private keys.
func (r *Ring) Held() any { return r.current.Load().keys }
