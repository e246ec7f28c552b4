package keys

import (
	"fmt"
	"slices"
	"time"
)

// draft is the ring while it is being changed. It becomes the ring when its
// document is saved, and nothing when that conflicts.
type draft struct {
	keys   []held
	now    time.Time
	policy Policy
	sealer Sealer
	done   []Step // what was carried out, for the log; Create's have their ID
	edited bool
}

// list describes the keys as they stand in the draft.
func (d *draft) list() []Key { return described(d.keys) }

// due is Plan, for the draft as it stands.
func (d *draft) due(algorithms []Algorithm) []Step {
	return Plan(d.list(), algorithms, d.policy, d.now)
}

// dueFor is what Plan asks for one algorithm alone.
func (d *draft) dueFor(alg Algorithm) []Step {
	return slices.DeleteFunc(d.due([]Algorithm{alg}), func(s Step) bool { return s.Algorithm != alg })
}

// carryOut applies steps in order.
func (d *draft) carryOut(steps []Step) error {
	for _, s := range steps {
		switch s.Action {
		case Create:
			id, err := d.create(s)
			if err != nil {
				return err
			}
			s.ID = id
		case Activate:
			d.activate(s.ID)
		case Remove:
			d.keys = slices.DeleteFunc(d.keys, func(k held) bool { return k.ID == s.ID })
		default:
			return fmt.Errorf("keys: no such action: %q", s.Action)
		}
		d.done, d.edited = append(d.done, s), true
	}
	return nil
}

// create adds a new key and returns its ID.
func (d *draft) create(s Step) (string, error) {
	m, err := makeMaterial(s.Algorithm, d.sealer)
	if err != nil {
		return "", err
	}
	d.keys = append(d.keys, held{material: m, Key: Key{
		ID: m.id, Algorithm: s.Algorithm, State: Next, Created: d.now, Activates: s.Activates.UTC(),
	}})
	if !s.Activates.After(d.now) {
		d.activate(m.id)
	}
	return m.id, nil
}

// activate makes the key id the one that signs its algorithm. The key that did
// retires in the same moment: there is never a second active key, nor a gap.
func (d *draft) activate(id string) {
	at := slices.IndexFunc(d.keys, func(k held) bool { return k.ID == id })
	chosen := &d.keys[at]
	for i := range d.keys {
		if k := &d.keys[i]; k.Algorithm == chosen.Algorithm && k.State == Active {
			k.State, k.Retired = Retiring, d.now
		}
	}
	chosen.State, chosen.Activated = Active, d.now
}

// bringForward lets a next key sign as soon as the policy allows.
func (d *draft) bringForward(id string) {
	for i := range d.keys {
		k := &d.keys[i]
		if earliest := k.Created.Add(d.policy.Publish); k.ID == id && k.Activates.After(earliest) {
			k.Activates, d.edited = earliest, true
		}
	}
}
