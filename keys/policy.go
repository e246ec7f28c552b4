package keys

import (
	"errors"
	"fmt"
	"time"
)

// Policy says how long a key stays in each state. All durations are positive
// and MaxAge < Publish < Lifetime; there is no other constraint and no zero default:
// start from [DefaultPolicy].
type Policy struct {
	// Publish is how long a key is in the JWKS before it signs. What it exceeds
	// MaxAge by is the margin for everything that is not instant: the commit, the
	// news reaching the other nodes, clocks that differ.
	Publish time.Duration

	// Lifetime is how long a key signs. Its successor is published Publish
	// before the end, and takes over at the end.
	Lifetime time.Duration

	// Linger is how long a key stays in the JWKS after its last signature. Set it
	// to the life of the longest-lived token that the ring signs, plus a minute or
	// more for a node that hears late of a rotation, and for verifiers' leeway.
	Linger time.Duration

	// MaxAge is how long a verifier may cache the JWKS: the max-age of its
	// Cache-Control header (RFC 9111 §5.2.2.1), and [Document.MaxAge].
	MaxAge time.Duration
}

// DefaultPolicy caches for 10 minutes, publishes 15 minutes ahead, signs for 30
// days and lingers for 24 hours.
func DefaultPolicy() Policy {
	return Policy{
		Publish:  15 * time.Minute,
		Lifetime: 30 * 24 * time.Hour,
		Linger:   24 * time.Hour,
		MaxAge:   10 * time.Minute,
	}
}

// Validate returns every problem of the policy, joined, or nil.
func (p Policy) Validate() error {
	var problems []error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"Publish", p.Publish}, {"Lifetime", p.Lifetime}, {"Linger", p.Linger}, {"MaxAge", p.MaxAge}} {
		if d.value <= 0 {
			problems = append(problems, fmt.Errorf("keys: policy: %s must be positive, got %s", d.name, d.value))
		}
	}
	if p.MaxAge >= p.Publish {
		problems = append(problems, fmt.Errorf(
			"keys: policy: Publish (%s) must exceed MaxAge (%s): a verifier's cached JWKS would lack a key that signs",
			p.Publish, p.MaxAge))
	}
	if p.Publish >= p.Lifetime {
		problems = append(problems, fmt.Errorf(
			"keys: policy: Lifetime (%s) must exceed Publish (%s): a key's successor is published during its life",
			p.Lifetime, p.Publish))
	}
	return errors.Join(problems...)
}

// margin is how late the news of a key may reach the last node before a
// verifier could notice.
func (p Policy) margin() time.Duration { return p.Publish - p.MaxAge }
