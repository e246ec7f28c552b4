package verify

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync/atomic"
)

// Algorithm is a JWS signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
type Algorithm string

// The algorithms that a token may be signed with. There are no others: no
// symmetric one, because whoever checks could then also sign, and not "none".
const (
	ES256 Algorithm = "ES256"
	EdDSA Algorithm = "EdDSA"
	RS256 Algorithm = "RS256"
	PS256 Algorithm = "PS256"
)

// key is a published key with the one algorithm it may be used with (RFC 8725
// §3.1). Only the field that belongs to alg is set.
type key struct {
	kid string
	alg Algorithm
	ec  *ecdsa.PublicKey
	ed  ed25519.PublicKey
	rsa *rsa.PublicKey

	// header is an encoded JOSE header that has come with a good signature by
	// this key, and so has passed every check of the header. An issuer writes
	// the same bytes each time, so all its later tokens skip those checks.
	header atomic.Pointer[string]
}

// jwk is RFC 7517 §4 and RFC 7518 §6, as far as public signature keys go.
type jwk struct {
	Kty, Kid, Alg, Use string
	KeyOps             []string `json:"key_ops"`
	Crv, X, Y, N, E    string
	D, K               json.RawMessage // private or symmetric: must be absent
}

// parseKeys reads a JWKS. Keys that cannot be used are left out, each with its
// reason, so that one odd key does not take the others down (RFC 7517 §5).
func parseKeys(document []byte) (keys map[string]*key, skipped []error, err error) {
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, nil, fmt.Errorf("reading the JWKS: %w", err)
	}
	if set.Keys == nil {
		return nil, nil, errors.New("reading the JWKS: it has no keys member")
	}
	keys = make(map[string]*key, len(set.Keys))
	seen := make(map[string]bool, len(set.Keys))
	for _, raw := range set.Keys {
		var j jwk
		if err := json.Unmarshal(raw, &j); err != nil {
			skipped = append(skipped, fmt.Errorf("reading a key: %w", err))
			continue
		}
		if seen[j.Kid] {
			// Two keys of one name cannot be told apart: neither is trusted.
			delete(keys, j.Kid)
			skipped = append(skipped, fmt.Errorf("key %q: the kid is used twice", j.Kid))
			continue
		}
		seen[j.Kid] = true
		k, err := j.parse()
		if err != nil {
			skipped = append(skipped, fmt.Errorf("key %q: %w", j.Kid, err))
			continue
		}
		keys[j.Kid] = k
	}
	return keys, skipped, nil
}

func (j jwk) parse() (*key, error) {
	switch {
	case j.Kid == "":
		return nil, errors.New("it has no kid")
	case j.D != nil || j.K != nil:
		return nil, errors.New("its secret half is published")
	case j.Use != "" && j.Use != "sig":
		return nil, fmt.Errorf("its use is %q", j.Use)
	case j.KeyOps != nil && !slices.Contains(j.KeyOps, "verify"):
		return nil, errors.New("its key_ops leave out verify")
	}
	switch {
	case j.Kty == "EC" && j.Crv == "P-256" && (j.Alg == "" || j.Alg == string(ES256)):
		return j.parseEC()
	case j.Kty == "OKP" && j.Crv == "Ed25519" && (j.Alg == "" || j.Alg == string(EdDSA)):
		return j.parseEd25519()
	case j.Kty == "RSA" && (j.Alg == string(RS256) || j.Alg == string(PS256)):
		return j.parseRSA()
	}
	return nil, fmt.Errorf("kty %q, crv %q, alg %q is nothing to check tokens with", j.Kty, j.Crv, j.Alg)
}

func (j jwk) parseEC() (*key, error) {
	point := []byte{4} // uncompressed, SEC 1 §2.3.3
	for _, coordinate := range []string{j.X, j.Y} {
		b, err := strictBase64.DecodeString(coordinate)
		if err != nil || len(b) != 32 { // the full size is a MUST in RFC 7518 §6.2.1.2
			return nil, errors.New("a coordinate is not 32 bytes of base64url")
		}
		point = append(point, b...)
	}
	// This also refuses points off the curve, the door to invalid-curve attacks.
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, fmt.Errorf("reading the point: %w", err)
	}
	return &key{kid: j.Kid, alg: ES256, ec: pub}, nil
}

func (j jwk) parseEd25519() (*key, error) {
	x, err := strictBase64.DecodeString(j.X)
	if err != nil || len(x) != ed25519.PublicKeySize {
		return nil, errors.New("x is not 32 bytes of base64url")
	}
	return &key{kid: j.Kid, alg: EdDSA, ed: x}, nil
}

func (j jwk) parseRSA() (*key, error) {
	n, err := strictBase64.DecodeString(j.N)
	if err != nil {
		return nil, errors.New("n is not base64url")
	}
	e, err := strictBase64.DecodeString(j.E)
	if err != nil || len(e) == 0 || len(e) > 4 {
		return nil, errors.New("e is not a small number in base64url")
	}
	pub := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	// RFC 7518 §3.3 wants 2048 bits; the upper bound keeps one check affordable.
	if bits := pub.N.BitLen(); bits < 2048 || bits > 8192 {
		return nil, fmt.Errorf("its modulus has %d bits, not 2048 to 8192", bits)
	}
	if pub.E < 65537 || pub.E > 1<<31-1 || pub.E%2 == 0 || pub.N.Bit(0) == 0 {
		return nil, errors.New("its modulus or exponent is not that of an RSA key")
	}
	return &key{kid: j.Kid, alg: Algorithm(j.Alg), rsa: pub}, nil
}

// equal reports whether both are the same key, under the same name, for the
// same use.
func (k *key) equal(other *key) bool {
	if other == nil || k.kid != other.kid || k.alg != other.alg {
		return false
	}
	switch k.alg {
	case ES256:
		return k.ec.Equal(other.ec)
	case EdDSA:
		return k.ed.Equal(other.ed)
	case RS256, PS256:
		return k.rsa.Equal(other.rsa)
	}
	return false
}

// signed reports whether sig is this key's signature over input. Both may be on
// the stack; crypto/ed25519 would let them escape, so it gets copies.
func (k *key) signed(input, sig []byte) bool {
	switch k.alg {
	case EdDSA:
		return ed25519.Verify(k.ed, bytes.Clone(input), bytes.Clone(sig))
	case ES256:
		digest := sha256.Sum256(input)
		der, ok := derSignature(sig)
		return ok && ecdsa.VerifyASN1(k.ec, digest[:], der)
	case RS256:
		digest := sha256.Sum256(input)
		return rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, digest[:], sig) == nil
	case PS256:
		digest := sha256.Sum256(input)
		// RFC 7518 §3.5: the salt is as long as the hash.
		return rsa.VerifyPSS(k.rsa, crypto.SHA256, digest[:], sig, &rsa.PSSOptions{SaltLength: sha256.Size}) == nil
	}
	return false
}

// derSignature turns the fixed-size R||S of RFC 7518 §3.4 into the ASN.1 that
// crypto/ecdsa reads; the detour through big.Int would cost more.
func derSignature(sig []byte) ([]byte, bool) {
	if len(sig) != 64 {
		return nil, false
	}
	der := make([]byte, 2, 72)
	for _, n := range [...][]byte{sig[:32], sig[32:]} {
		for len(n) > 1 && n[0] == 0 {
			n = n[1:]
		}
		pad := n[0] >> 7 // a leading 1 bit would read as a minus sign
		der = append(der, 0x02, byte(len(n))+pad)
		if pad == 1 {
			der = append(der, 0)
		}
		der = append(der, n...)
	}
	der[0], der[1] = 0x30, byte(len(der)-2)
	return der, true
}

// remember keeps an encoded header that has proved good, see key.header.
func (k *key) remember(encoded string) {
	own := strings.Clone(encoded) // not a window on somebody's whole token
	k.header.CompareAndSwap(nil, &own)
}
