package keys

import (
	"context"
	"errors"
)

// Storage keeps the one document that is the ring. Implementations must be safe
// for concurrent use, by any number of rings in any number of processes.
//
// Version numbers identify states of the document: 0 means that it is absent,
// and two different states never have the same version. Any error but
// ErrConflict is taken for a fault that may pass; the ring goes on with what it
// has, and tries again.
type Storage interface {
	// Load returns the document as the latest Save anywhere left it, and its
	// version. An absent document is (nil, 0, nil).
	Load(ctx context.Context) (doc []byte, version uint64, err error)

	// Save replaces the document if it still has the given version, where 0
	// demands that it is absent, and returns its new version. The check and the
	// change must be one atomic step, and durable when Save returns: of any
	// number of concurrent Saves of one version exactly one succeeds. The others
	// fail with an error wrapping [ErrConflict] and change nothing. It does not
	// keep doc.
	Save(ctx context.Context, doc []byte, version uint64) (uint64, error)

	// Changes returns a channel that yields after the document changed, whoever
	// changed it, this process included. Changes may be merged (one value may stand for many) but none
	// that happens after Changes has returned may go unreported. The channel is
	// closed when ctx ends, and when the subscription is lost; the ring then
	// subscribes again and loads.
	Changes(ctx context.Context) (<-chan struct{}, error)
}

// Sealer encrypts what rests in the Storage. It must authenticate the purpose
// together with the plaintext: Open fails for anything but what Seal returned for
// the same purpose under a key that the Sealer still has. Implementations must
// be safe for concurrent use.
//
// The ring seals each private key, as PKCS #8, for the purpose "key/" + its ID.
// It seals a key once: a Sealer that rotates keys of its own must be able to open
// with an old one for as long as a ring's key lives (Publish + Lifetime + Linger).
type Sealer interface {
	Seal(purpose string, plaintext []byte) ([]byte, error)
	Open(purpose string, sealed []byte) ([]byte, error)
}

// The errors of this package; match them with [errors.Is].
var (
	// ErrConflict is what a [Storage] returns from Save when the version moved.
	// No method of the Ring returns it.
	ErrConflict = errors.New("keys: the stored ring has changed meanwhile")

	// ErrSealed means that a stored private key does not open. The ring is left
	// as it is: new keys over it would end every token that the old ones signed.
	ErrSealed = errors.New("keys: a stored key does not open; is this the key-encryption key that sealed it?")

	// ErrDamaged means that the stored ring is not one that this version wrote:
	// unreadable, contradictory, or vanished while in use.
	ErrDamaged = errors.New("keys: the stored ring is damaged")

	// ErrAlgorithm means that the ring does not know an algorithm of that name.
	ErrAlgorithm = errors.New("keys: unknown algorithm")

	// ErrRunning means that [Ring.Run] was called while it runs.
	ErrRunning = errors.New("keys: the ring is running already")

	// ErrMalformed means that a token is not a compact JWS such as the ring makes.
	ErrMalformed = errors.New("keys: malformed token")

	// ErrUnknownKey means that no key of that ID is in the ring: never, or no more.
	ErrUnknownKey = errors.New("keys: unknown key")

	// ErrSignature means that the token's key did not make its signature, or not
	// with the algorithm that the token claims.
	ErrSignature = errors.New("keys: wrong signature")
)
