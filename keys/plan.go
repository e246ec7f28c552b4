package keys

import (
	"slices"
	"time"
)

// Action is what a [Step] does.
type Action string

// The actions.
const (
	// Create makes a key of Step.Algorithm and publishes it. It signs from
	// Step.Activates: at once when that is not in the future, for then no key of
	// its algorithm signs.
	Create Action = "create"
	// Activate lets the key Step.ID sign; in the same moment the key of its
	// algorithm that signed until then retires.
	Activate Action = "activate"
	// Remove takes the key Step.ID out of the ring, for ever.
	Remove Action = "remove"
)

// Step is one change of the ring that the policy asks for.
type Step struct {
	Action    Action
	Algorithm Algorithm
	ID        string    // the key to activate or remove; empty for Create
	Due       time.Time // since when the step is due
	Activates time.Time // of Create: when the new key is to begin signing
}

// Plan returns the steps that are due at now, the longest due first; carrying
// them out leaves nothing to do at that moment. It is a pure function.
//
// Every algorithm of algorithms, and every other that has a key which signs or
// is about to, gets a successor to its active key in time. The first key of an
// algorithm is active at once: nobody can hold a JWKS with an older key of it,
// and there is nothing else to sign with. When a step was missed (no process
// ran) the successor is still published for p.Publish before it signs; the old
// key signs on meanwhile.
//
// An algorithm whose active key was taken away (see [Ring.Compromise]) has its
// next key activated at once.
func Plan(keys []Key, algorithms []Algorithm, p Policy, now time.Time) []Step {
	return slices.DeleteFunc(ahead(keys, algorithms, p, now), func(s Step) bool { return s.Due.After(now) })
}

// NextDue returns when [Plan] will next have something to do: now or earlier
// if it has already, and the zero Time if it never will, because there is
// neither a key nor an algorithm. It is a pure function.
func NextDue(keys []Key, algorithms []Algorithm, p Policy, now time.Time) time.Time {
	steps := ahead(keys, algorithms, p, now)
	if len(steps) == 0 {
		return time.Time{}
	}
	return steps[0].Due
}

// ahead returns the next step of each algorithm and the end of each retiring
// key, due or not, by due time.
func ahead(keys []Key, algorithms []Algorithm, p Policy, now time.Time) []Step {
	var steps []Step
	for _, alg := range inUse(keys, algorithms) {
		steps = append(steps, nextStep(keys, alg, p, now))
	}
	for _, k := range keys {
		if k.State == Retiring {
			steps = append(steps, Step{Action: Remove, Algorithm: k.Algorithm, ID: k.ID, Due: k.Retired.Add(p.Linger)})
		}
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return a.Due.Compare(b.Due) })
	return steps
}

// nextStep is the lifecycle of one algorithm up to the moment when a key retires.
func nextStep(keys []Key, alg Algorithm, p Policy, now time.Time) Step {
	active, next := standingOf(keys, alg)
	switch {
	case active == nil && next == nil:
		return Step{Action: Create, Algorithm: alg, Due: now, Activates: now}
	case active == nil:
		return Step{Action: Activate, Algorithm: alg, ID: next.ID, Due: now}
	case next == nil:
		ends := active.Activated.Add(p.Lifetime)
		return Step{
			Action: Create, Algorithm: alg,
			Due:       ends.Add(-p.Publish),
			Activates: later(ends, now.Add(p.Publish)),
		}
	default:
		return Step{Action: Activate, Algorithm: alg, ID: next.ID, Due: next.signsFrom(p)}
	}
}

// signsFrom is when a next key may begin to sign. The policy may have
// become more patient since the key was made (a longer cache, say), and the
// caches that count are those of today; so the plan of that day is not enough.
func (k Key) signsFrom(p Policy) time.Time {
	return later(k.Activates, k.Created.Add(p.Publish))
}

// standingOf returns the active key of alg and the next one, or nil.
func standingOf(keys []Key, alg Algorithm) (active, next *Key) {
	for i, k := range keys {
		if k.Algorithm != alg {
			continue
		}
		switch k.State {
		case Active:
			active = &keys[i]
		case Next:
			if next == nil || k.Created.Before(next.Created) {
				next = &keys[i]
			}
		case Retiring:
		}
	}
	return active, next
}

// inUse returns algorithms and those of the keys that sign or will, each once.
// An algorithm in use is never dropped: tokens of it would be signed by a first
// key again, which cached JWKSs lack.
func inUse(keys []Key, algorithms []Algorithm) []Algorithm {
	used := slices.Clone(algorithms)
	for _, k := range keys {
		if k.State != Retiring {
			used = append(used, k.Algorithm)
		}
	}
	slices.SortFunc(used, Algorithm.compare)
	return slices.Compact(used)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
