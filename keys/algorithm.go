package keys

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Algorithm is a JWS signature algorithm, by its registered name (RFC 7518 §3.1).
type Algorithm string

// The algorithms that a ring signs with.
const (
	ES256 Algorithm = "ES256" // ECDSA on P-256 with SHA-256 (RFC 7518 §3.4)
	EdDSA Algorithm = "EdDSA" // Ed25519 (RFC 8037 §3.1)
	RS256 Algorithm = "RS256" // RSA 2048, PKCS #1 v1.5, SHA-256 (RFC 7518 §3.3)
	PS256 Algorithm = "PS256" // RSA 2048, PSS, SHA-256 (RFC 7518 §3.5)
)

const rsaBits = 2048 // the least that RFC 7518 §3.3 and §3.5 allow, and what everybody verifies fast

// Algorithms returns all algorithms, in the order in which the ring lists them.
func Algorithms() []Algorithm { return []Algorithm{ES256, EdDSA, RS256, PS256} }

// ParseAlgorithm returns the algorithm of that registered name, which is case
// sensitive (RFC 7515 §4.1.1), or an error wrapping [ErrAlgorithm].
func ParseAlgorithm(name string) (Algorithm, error) {
	if a := Algorithm(name); slices.Contains(Algorithms(), a) {
		return a, nil
	}
	return "", fmt.Errorf("%w: %q is not one of %v", ErrAlgorithm, name, Algorithms())
}

// compare orders algorithms as Algorithms does, and unknown ones by name.
func (a Algorithm) compare(b Algorithm) int {
	known := Algorithms()
	return cmp.Or(cmp.Compare(slices.Index(known, a), slices.Index(known, b)), cmp.Compare(a, b))
}

// generate makes a private key for a.
func (a Algorithm) generate() (crypto.Signer, error) {
	switch a {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case RS256, PS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	default:
		return nil, fmt.Errorf("%w: %q", ErrAlgorithm, string(a))
	}
}

// accepts reports whether key is of the kind that a signs with.
func (a Algorithm) accepts(key crypto.Signer) bool {
	switch a {
	case ES256:
		k, ok := key.(*ecdsa.PrivateKey)
		return ok && k.Curve == elliptic.P256()
	case EdDSA:
		_, ok := key.(ed25519.PrivateKey)
		return ok
	case RS256, PS256:
		k, ok := key.(*rsa.PrivateKey)
		return ok && k.N.BitLen() >= rsaBits
	default:
		return false
	}
}

// sign returns the signature of input as a JWS has it.
func (a Algorithm) sign(key crypto.Signer, input []byte) ([]byte, error) {
	switch a {
	case ES256:
		der, err := key.Sign(rand.Reader, digest(input), crypto.SHA256)
		if err != nil {
			return nil, err
		}
		return fixedWidth(der)
	case EdDSA:
		return key.Sign(rand.Reader, input, crypto.Hash(0))
	case RS256:
		return key.Sign(rand.Reader, digest(input), crypto.SHA256)
	case PS256:
		return key.Sign(rand.Reader, digest(input), pss())
	default:
		return nil, fmt.Errorf("%w: %q", ErrAlgorithm, string(a))
	}
}

// verifies reports whether signature is a's signature of input by the owner of key.
func (a Algorithm) verifies(key crypto.PublicKey, input, signature []byte) bool {
	switch public := key.(type) {
	case *ecdsa.PublicKey:
		if a != ES256 || len(signature) != 2*p256Width {
			return false
		}
		r := new(big.Int).SetBytes(signature[:p256Width])
		s := new(big.Int).SetBytes(signature[p256Width:])
		return ecdsa.Verify(public, digest(input), r, s)
	case ed25519.PublicKey:
		return a == EdDSA && ed25519.Verify(public, input, signature)
	case *rsa.PublicKey:
		switch a {
		case RS256:
			return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest(input), signature) == nil
		case PS256:
			return rsa.VerifyPSS(public, crypto.SHA256, digest(input), signature, pss()) == nil
		case ES256, EdDSA:
		}
	}
	return false
}

func digest(input []byte) []byte {
	sum := sha256.Sum256(input)
	return sum[:]
}

// pss is PS256's choice of parameters: a salt as long as the hash, and MGF1
// with the same hash (RFC 7518 §3.5).
func pss() *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
}

const p256Width = 32 // octets of a P-256 coordinate or scalar

// fixedWidth turns the ASN.1 signature that Go makes into R || S, each padded to
// the width of the curve (RFC 7518 §3.4). One in 128 signatures has a short R or
// S, so what forgets the padding fails rarely.
func fixedWidth(der []byte) ([]byte, error) {
	var sequence cryptobyte.String
	var r, s []byte
	input := cryptobyte.String(der)
	if !input.ReadASN1(&sequence, asn1.SEQUENCE) || !input.Empty() ||
		!sequence.ReadASN1Integer(&r) || !sequence.ReadASN1Integer(&s) || !sequence.Empty() ||
		len(r) > p256Width || len(s) > p256Width {
		return nil, errors.New("the signer returned no P-256 signature")
	}
	out := make([]byte, 2*p256Width)
	copy(out[p256Width-len(r):], r)
	copy(out[2*p256Width-len(s):], s)
	return out, nil
}
