// Package keys owns the signing keys of an issuer: it plans their rotation,
// keeps them sealed in a store, signs with the active one of each algorithm and
// publishes all of them as a JWK Set (RFC 7517).
//
//	next ──Publish──▶ active ──Lifetime──▶ retiring ──Linger──▶ gone
//	(in the JWKS,     (in the JWKS,        (in the JWKS,
//	 signs nothing)    signs)               signs nothing)
//
// A verifier may cache the JWKS for [Policy.MaxAge], so a key is published for
// longer than that before it signs: no rotation lets a token name a key that a
// verifier cannot know. (The first key of an algorithm, and the successor of a
// compromised one, sign at once.) A key stays published for [Policy.Linger] after its last
// signature, so that every token can be verified as long as it lives.
//
// The package never decides what a token says, never serves HTTP and never
// shows private material: a [Key] describes a key, and only the [Ring] signs.
//
// # How it works
//
//	Plan(keys, algorithms, policy, now) ──steps──▶ Ring ──Save──▶ Storage
//	     pure                                       ▲               │
//	                                                └──── Changes ──┘
//
// The whole ring is one document in a [Storage]. Each step is one
// compare-and-swap of it, so any number of nodes may run the same ring: one of
// them carries out a step, the others read the outcome. Within the document
// every private key rests sealed by a [Sealer] under its own purpose, so that
// whoever can write the document can neither read a key nor put one in the place of
// another.
//
// # Algorithms
//
// [ES256], [EdDSA], [RS256] and [PS256], each with keys of its own: a key is
// used with one algorithm only (RFC 8725 §3.1), also where two could share it. A
// key's ID is its thumbprint (RFC 7638), so that equal IDs mean equal keys. An
// algorithm that has keys goes on having them: its keys rotate whether or not
// [Open] named it.
package keys

import "time"

// State is where a key stands in its life. A key that is gone has no state: it
// is in no list.
type State string

// The states, in the order in which a key passes through them.
const (
	Next     State = "next"     // published, does not sign yet
	Active   State = "active"   // signs; one per algorithm
	Retiring State = "retiring" // signs no more, published until its tokens are dead
)

// Key describes one key of the ring. It holds nothing secret and may be logged.
// Times are UTC; those that have not come are zero.
type Key struct {
	ID        string // kid: the base64url SHA-256 thumbprint of the public key (RFC 7638)
	Algorithm Algorithm
	State     State
	Created   time.Time // published since
	Activates time.Time // when it was planned to begin signing
	Activated time.Time // signing since; zero while Next
	Retired   time.Time // when it stopped signing; zero until Retiring
}

// state derives the state from the times, which alone are stored: the two
// can never contradict each other.
func (k Key) state() State {
	switch {
	case !k.Retired.IsZero():
		return Retiring
	case !k.Activated.IsZero():
		return Active
	default:
		return Next
	}
}
