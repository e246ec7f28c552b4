package seal

import (
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signet-id/signet/internal/store"
)

// The lifecycle of a seal key. A key is known to every node for publish before
// any node seals with it; it seals for lifetime, which keeps the random nonces
// of one key far from colliding (2³² messages, NIST SP 800-38D §8.3); it opens
// and checks for keep, which is longer than any refresh token may lie unused.
const (
	publish  = time.Minute
	lifetime = 7 * 24 * time.Hour
	keep     = 400 * 24 * time.Hour
)

const (
	recordPrefix = "seal/"
	recordKey    = recordPrefix + "ring"
)

// ErrWrongKey means that the ring in the store was sealed under another
// key-encryption key than the one configured.
var ErrWrongKey = errors.New("seal: the store was sealed under another key-encryption key")

// KeyID names a seal key inside what was sealed with it.
type KeyID uint32

// Ring seals what travels through strangers' hands. Its keys live in the store,
// sealed by a Box, and are the same on every node. Safe for concurrent use.
type Ring struct {
	store  store.Store
	box    *Box
	log    *slog.Logger
	mirror *store.Mirror[*keySet]
}

// document is the ring at rest.
type document struct {
	Keys []storedKey `json:"keys"` // oldest first
}

type storedKey struct {
	ID      KeyID     `json:"id"`
	Created time.Time `json:"created"`
	Sealed  []byte    `json:"sealed"`
}

// OpenRing reads the ring, makes its first key if there is none, and follows
// later changes until Close. The error is ErrWrongKey when box is not the one
// that sealed it.
func OpenRing(ctx context.Context, s store.Store, box *Box, log *slog.Logger) (*Ring, error) {
	r := &Ring{store: s, box: box, log: log}
	if err := r.rotate(ctx, time.Now()); err != nil {
		return nil, err
	}
	mirror, err := store.OpenMirror(ctx, s, recordPrefix, r.decode, log)
	if err != nil {
		return nil, fmt.Errorf("following the seal keys: %w", err)
	}
	r.mirror = mirror
	return r, nil
}

// Run makes new keys when they are due, until ctx ends.
func (r *Ring) Run(ctx context.Context) error {
	for {
		wait := time.Hour
		if set, ok := r.mirror.Get(recordKey); ok {
			wait = max(time.Second, time.Until(set.due()))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		if err := r.rotate(ctx, time.Now()); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "seal key rotation will be tried again", slog.Any("error", err))
		}
	}
}

// Close stops following the store.
func (r *Ring) Close() { r.mirror.Close() }

// Seal returns plaintext as text that is fit for a URL or a form field, which
// only Open with the same purpose reads, and only before until.
func (r *Ring) Seal(purpose string, plaintext []byte, until time.Time) (string, error) {
	set, ok := r.mirror.Get(recordKey)
	if !ok {
		return "", errors.New("seal: no key")
	}
	k := set.active(time.Now())
	// id | nonce | AES-GCM(until | plaintext), with purpose as additional data. It is
	// encrypted where it lies.
	n := 4 + k.aead.NonceSize()
	buf := make([]byte, n, n+8+len(plaintext)+k.aead.Overhead())
	binary.BigEndian.PutUint32(buf, uint32(k.id))
	rand.Read(buf[4:]) //nolint:errcheck // crypto/rand.Read never fails: it crashes the program instead
	buf = append(binary.BigEndian.AppendUint64(buf, uint64(until.Unix())), plaintext...)
	buf = k.aead.Seal(buf[:n], buf[4:n], buf[n:], []byte(purpose))
	return base64.RawURLEncoding.EncodeToString(buf), nil
}

// Open returns what Seal was given for purpose. It fails with ErrForged or
// ErrExpired; with the latter the plaintext is returned too, so that a caller
// may say whose it was.
func (r *Ring) Open(purpose, sealed string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	// The decoder skips line breaks, strict or not. What is spent by the digest
	// of its text, as a code is, must have one spelling only.
	if err != nil || len(raw) < 4 || len(sealed) != base64.RawURLEncoding.EncodedLen(len(raw)) {
		return nil, ErrForged
	}
	set, ok := r.mirror.Get(recordKey)
	if !ok {
		return nil, ErrForged
	}
	k, ok := set.byID(KeyID(binary.BigEndian.Uint32(raw)))
	if !ok || len(raw) < 4+k.aead.NonceSize() {
		return nil, ErrForged
	}
	n := 4 + k.aead.NonceSize()
	clear, err := k.aead.Open(raw[n:n], raw[4:n], raw[n:], []byte(purpose))
	if err != nil || len(clear) < 8 {
		return nil, ErrForged
	}
	if until := time.Unix(int64(binary.BigEndian.Uint64(clear)), 0); !time.Now().Before(until) {
		return clear[8:], ErrExpired
	}
	return clear[8:], nil
}

// MACKey names the key that new MACs should be made with.
func (r *Ring) MACKey() KeyID {
	set, ok := r.mirror.Get(recordKey)
	if !ok {
		return 0
	}
	return set.active(time.Now()).id
}

// MAC authenticates message for purpose under the key named. Equal arguments
// give equal MACs. ok is false when the key is gone.
func (r *Ring) MAC(id KeyID, purpose string, message []byte) (mac [32]byte, ok bool) {
	set, have := r.mirror.Get(recordKey)
	if !have {
		return mac, false
	}
	k, ok := set.byID(id)
	if !ok {
		return mac, false
	}
	h := hmac.New(sha256.New, k.mac)
	h.Write([]byte(purpose))
	h.Write([]byte{0}) // no purpose contains it: (purpose, message) is unambiguous
	h.Write(message)
	h.Sum(mac[:0])
	return mac, true
}

// CheckMAC reports, in constant time, whether mac is MAC(id, purpose, message).
func (r *Ring) CheckMAC(id KeyID, purpose string, message, mac []byte) bool {
	want, ok := r.MAC(id, purpose, message)
	return ok && hmac.Equal(want[:], mac)
}

// rotate adds a key when one is due and drops those that nobody needs. Any node
// may do it: the compare-and-swap decides, and who loses has nothing to do.
func (r *Ring) rotate(ctx context.Context, now time.Time) error {
	recs, err := r.store.Get(ctx, recordKey)
	if err != nil {
		return fmt.Errorf("reading the seal keys: %w", err)
	}
	var doc document
	if recs[0].Exists() {
		set, err := r.decode(recs[0])
		if err != nil {
			return err
		}
		if now.Before(set.due()) {
			return nil
		}
		if err := json.Unmarshal(recs[0].Value, &doc); err != nil {
			return fmt.Errorf("reading the seal keys: %w", err)
		}
	}
	key, err := r.newKey(now)
	if err != nil {
		return err
	}
	doc.Keys = append(doc.Keys, key)
	for len(doc.Keys) > 1 && now.Sub(doc.Keys[0].Created) > keep {
		doc.Keys = doc.Keys[1:]
	}
	value, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("writing the seal keys: %w", err)
	}
	if _, err := r.store.Commit(ctx, store.Put(recordKey, value).If(recs[0].Version)); err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("writing the seal keys: %w", err)
	}
	return nil
}

func (r *Ring) newKey(now time.Time) (storedKey, error) {
	material := make([]byte, KeySize)
	rand.Read(material) //nolint:errcheck // crypto/rand.Read never fails: it crashes the program instead
	var id [4]byte
	rand.Read(id[:]) //nolint:errcheck // as above
	k := storedKey{ID: KeyID(binary.BigEndian.Uint32(id[:])), Created: now.UTC()}
	sealed, err := r.box.Seal(k.purpose(), material)
	if err != nil {
		return k, fmt.Errorf("sealing a seal key: %w", err)
	}
	k.Sealed = sealed
	return k, nil
}

// purpose binds a stored key to its place, so that keys at rest can't be swapped.
func (k storedKey) purpose() string { return fmt.Sprintf("seal/%08x", uint32(k.ID)) }

// keySet is the ring in memory, immutable.
type keySet struct{ keys []liveKey } // oldest first, at least one

type liveKey struct {
	id      KeyID
	created time.Time
	aead    cipher.AEAD
	mac     []byte
}

func (r *Ring) decode(rec store.Record) (*keySet, error) {
	var doc document
	if err := json.Unmarshal(rec.Value, &doc); err != nil {
		return nil, fmt.Errorf("reading the seal keys: %w", err)
	}
	if len(doc.Keys) == 0 {
		return nil, errors.New("seal: the ring in the store is empty")
	}
	set := &keySet{}
	for _, k := range doc.Keys {
		material, err := r.box.Open(k.purpose(), k.Sealed)
		if err != nil {
			return nil, ErrWrongKey
		}
		aead, err := derive(material, "signet seal v1")
		if err != nil {
			return nil, err
		}
		mac, err := hkdf.Key(sha256.New, material, nil, "signet mac v1", KeySize)
		if err != nil {
			return nil, fmt.Errorf("deriving the MAC key: %w", err)
		}
		set.keys = append(set.keys, liveKey{k.ID, k.Created, aead, mac})
	}
	return set, nil
}

// active is the newest key that every node knows; a ring's first key is active
// at once, since no node can have read an older ring.
func (s *keySet) active(now time.Time) liveKey {
	for i := len(s.keys) - 1; i > 0; i-- {
		if now.Sub(s.keys[i].created) >= publish {
			return s.keys[i]
		}
	}
	return s.keys[0]
}

func (s *keySet) byID(id KeyID) (liveKey, bool) {
	for i := len(s.keys) - 1; i >= 0; i-- {
		if s.keys[i].id == id {
			return s.keys[i], true
		}
	}
	return liveKey{}, false
}

// due is when the next key must be made: publish before the newest one is spent.
func (s *keySet) due() time.Time {
	return s.keys[len(s.keys)-1].created.Add(lifetime - publish)
}
