package keys

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// held is a key together with its material.
type held struct {
	Key
	*material
}

// snapshot is the ring at one version of its document. It is immutable: readers
// take it whole, without a lock.
type snapshot struct {
	version uint64
	keys    []held // by algorithm, then age, then ID
	active  map[Algorithm]*material
	byID    map[string]*material
	jwks    Document
}

// newSnapshot prepares all that the ring's readers ask for.
func newSnapshot(keys []held, version uint64, maxAge time.Duration) (*snapshot, error) {
	slices.SortFunc(keys, func(a, b held) int {
		return cmp.Or(a.Algorithm.compare(b.Algorithm), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	jwks, err := document(keys, maxAge)
	if err != nil {
		return nil, err
	}
	s := &snapshot{
		version: version, keys: keys, jwks: jwks,
		active: make(map[Algorithm]*material), byID: make(map[string]*material),
	}
	for _, k := range keys {
		s.byID[k.ID] = k.material
		if k.State == Active {
			s.active[k.Algorithm] = k.material
		}
	}
	return s, nil
}

// list returns the keys without their material.
func (s *snapshot) list() []Key { return described(s.keys) }

func described(keys []held) []Key {
	out := make([]Key, len(keys))
	for i, k := range keys {
		out[i] = k.Key
	}
	return out
}

// format is the version of the stored document's shape. Code that meets another
// refuses the document, lest it drop what it does not know when it saves.
const format = 1

// stored is the document at rest.
type stored struct {
	Format int         `json:"format"`
	Keys   []storedKey `json:"keys"`
}

type storedKey struct {
	ID        string    `json:"kid"`
	Algorithm Algorithm `json:"alg"`
	Created   time.Time `json:"created"`
	Activates time.Time `json:"activates"`
	Activated time.Time `json:"activated,omitzero"`
	Retired   time.Time `json:"retired,omitzero"`
	Sealed    []byte    `json:"sealed"`
}

func encode(keys []held) ([]byte, error) {
	doc := stored{Format: format, Keys: make([]storedKey, len(keys))}
	for i, k := range keys {
		doc.Keys[i] = storedKey{
			ID: k.ID, Algorithm: k.Algorithm, Created: k.Created, Activates: k.Activates,
			Activated: k.Activated, Retired: k.Retired, Sealed: k.sealed,
		}
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encoding the ring: %w", err)
	}
	return text, nil
}

// decode reads a document. Material of known keys whose sealed bytes did not
// change is taken from known: opening an RSA key costs milliseconds.
func decode(text []byte, sealer Sealer, known map[string]*material) ([]held, error) {
	var doc stored
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%w: decoding it: %w", ErrDamaged, err)
	}
	if doc.Format != format {
		return nil, fmt.Errorf("%w: it has format %d, this version knows %d", ErrDamaged, doc.Format, format)
	}
	if err := doc.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	keys := make([]held, len(doc.Keys))
	for i, s := range doc.Keys {
		m := known[s.ID]
		if m == nil || m.algorithm != s.Algorithm || !slices.Equal(m.sealed, s.Sealed) {
			var err error
			if m, err = openMaterial(s.ID, s.Algorithm, s.Sealed, sealer); err != nil {
				return nil, err
			}
		}
		keys[i] = held{Key: s.describe(), material: m}
	}
	return keys, nil
}

// describe returns what may be known of s, its state derived.
func (s storedKey) describe() Key {
	k := Key{
		ID: s.ID, Algorithm: s.Algorithm, Created: s.Created, Activates: s.Activates,
		Activated: s.Activated, Retired: s.Retired,
	}
	k.State = k.state()
	return k
}

// check refuses a document that contradicts itself: signing with the wrong one of two
// active keys cannot be taken back.
func (d stored) check() error {
	ids := make(map[string]bool)
	active := make(map[Algorithm]string)
	for _, s := range d.Keys {
		k := s.describe()
		if _, err := ParseAlgorithm(string(k.Algorithm)); err != nil {
			return fmt.Errorf("key %q: %w", k.ID, err)
		}
		if ids[k.ID] {
			return fmt.Errorf("key %q is there twice", k.ID)
		}
		ids[k.ID] = true
		if k.Created.IsZero() || (!k.Retired.IsZero() && k.Activated.IsZero()) {
			return fmt.Errorf("key %q has an impossible history", k.ID)
		}
		if other := active[k.Algorithm]; k.State == Active {
			if other != "" {
				return fmt.Errorf("keys %q and %q both sign %s", other, k.ID, k.Algorithm)
			}
			active[k.Algorithm] = k.ID
		}
	}
	return nil
}
