package keys

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"sync/atomic"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// material is one key pair. It is never changed once made (but for its cache of
// headers) and shared by all snapshots that hold the key.
type material struct {
	id        string
	algorithm Algorithm
	private   crypto.Signer
	public    crypto.PublicKey
	published jwk.Key // the public key as the JWKS shows it
	sealed    []byte  // the private key as it rests

	// headers holds the encoded JWS header of each typ in use, so that signing
	// need not make it. The map is replaced, never written.
	headers atomic.Pointer[map[string]string]
}

// maxHeaders bounds the cache. An issuer has some six kinds of token; this is for
// a caller who lets strangers choose typ.
const maxHeaders = 32

// Format keeps the private key out of every log and error, whatever the verb.
func (m *material) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, m.id) }

// newMaterial derives from a private key all that is public.
func newMaterial(alg Algorithm, private crypto.Signer) (*material, error) {
	if !alg.accepts(private) {
		return nil, fmt.Errorf("a %T is no key for %s", private, alg)
	}
	published, id, err := publish(alg, private.Public())
	if err != nil {
		return nil, err
	}
	m := &material{id: id, algorithm: alg, private: private, public: private.Public(), published: published}
	m.headers.Store(&map[string]string{})
	return m, nil
}

// makeMaterial generates a key for alg and seals it.
func makeMaterial(alg Algorithm, sealer Sealer) (*material, error) {
	private, err := alg.generate()
	if err != nil {
		return nil, fmt.Errorf("generating a key for %s: %w", alg, err)
	}
	m, err := newMaterial(alg, private)
	if err != nil {
		return nil, fmt.Errorf("making a key for %s: %w", alg, err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("encoding key %s: %w", m.id, err)
	}
	defer clear(plain)
	if m.sealed, err = sealer.Seal(sealPurpose(m.id), plain); err != nil {
		return nil, fmt.Errorf("sealing key %s: %w", m.id, err)
	}
	return m, nil
}

// openMaterial is the inverse of makeMaterial for what was stored.
func openMaterial(id string, alg Algorithm, sealed []byte, sealer Sealer) (*material, error) {
	plain, err := sealer.Open(sealPurpose(id), sealed)
	if err != nil {
		return nil, fmt.Errorf("opening key %s: %w: %w", id, ErrSealed, err)
	}
	defer clear(plain)
	// Neither parser's error is passed on: it could quote what it read.
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return nil, fmt.Errorf("decoding key %s: %w", id, ErrDamaged)
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("decoding key %s: %w: a %T cannot sign", id, ErrDamaged, parsed)
	}
	m, err := newMaterial(alg, private)
	if err != nil {
		return nil, fmt.Errorf("reading key %s: %w: %w", id, ErrDamaged, err)
	}
	// The ID is the key's own thumbprint: a Sealer that ignores the purpose
	// still cannot be made to yield one key for another.
	if m.id != id {
		return nil, fmt.Errorf("reading key %s: %w: it is key %s", id, ErrDamaged, m.id)
	}
	m.sealed = sealed
	return m, nil
}

func sealPurpose(id string) string { return "key/" + id }

// Header is the protected header of a JWS that the ring signs; it has these
// three members and no others (RFC 7515 §4.1).
type Header struct {
	Alg Algorithm `json:"alg"`
	Kid string    `json:"kid"`
	Typ string    `json:"typ,omitempty"`
}

// header returns the encoded header for typ.
func (m *material) header(typ string) (string, error) {
	known := m.headers.Load()
	if h, ok := (*known)[typ]; ok {
		return h, nil
	}
	text, err := json.Marshal(Header{Alg: m.algorithm, Kid: m.id, Typ: typ})
	if err != nil {
		return "", fmt.Errorf("encoding a header: %w", err)
	}
	h := base64.RawURLEncoding.EncodeToString(text)
	if len(*known) < maxHeaders {
		more := maps.Clone(*known)
		more[typ] = h
		m.headers.CompareAndSwap(known, &more) // who lost the race makes it once more
	}
	return h, nil
}

// signatureSize is how many bytes a signature has: that of an RSA key is as long
// as its modulus, the others have 64.
func (m *material) signatureSize() int {
	if public, ok := m.public.(*rsa.PublicKey); ok {
		return public.Size()
	}
	return 2 * p256Width
}
