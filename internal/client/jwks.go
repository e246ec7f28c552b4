package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// The limits of a client's keys. An RSA key of more bits is no safer and costs
// whoever checks its signatures; one of fewer is refused by RFC 7518 §3.3.
const (
	maxJWKS = 16 << 10
	maxKeys = 32
	minRSA  = 2048
	maxRSA  = 8192
)

// Key is one public key of a client (RFC 7517 §4).
type Key struct {
	ID     string           // kid; may be empty
	Alg    string           // the one algorithm it is for; empty: any that it can do
	Public crypto.PublicKey // *ecdsa.PublicKey on P-256, ed25519.PublicKey or *rsa.PublicKey
}

// Signs reports whether the key can make signatures of the algorithm.
func (k Key) Signs(alg string) bool {
	if k.Alg != "" && k.Alg != alg {
		return false
	}
	switch k.Public.(type) {
	case *ecdsa.PublicKey:
		return alg == "ES256"
	case ed25519.PublicKey:
		return alg == "EdDSA"
	case *rsa.PublicKey:
		return alg == "RS256" || alg == "PS256"
	}
	return false
}

// ParseJWKS reads the keys of a JWK Set that signatures can be checked with. Keys of
// another kind or use are left out (RFC 7517 §5), and so are broken ones, as long
// as one is left. A set that holds a private or a symmetric key is refused whole:
// whoever wrote it gave the key away.
func ParseJWKS(raw []byte) ([]Key, error) {
	keys, broken, err := parseJWKS(raw)
	if err == nil && len(keys) == 0 {
		err = errors.Join(append(broken, errors.New("it has no public key for signatures: EC on P-256, OKP on Ed25519, or RSA"))...)
	}
	return keys, err
}

// parseJWKS returns the usable keys, and what is wrong with those that were meant
// to be.
func parseJWKS(raw []byte) (keys []Key, broken []error, err error) {
	var set map[string]json.RawMessage // exact names: encoding/json takes KEYS for keys
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, nil, fmt.Errorf("reading the JWK Set: %w", err)
	}
	var members []map[string]json.RawMessage
	if err := json.Unmarshal(set["keys"], &members); err != nil || members == nil {
		return nil, nil, errors.New(`it is no JWK Set: an object with an array "keys" (RFC 7517 §5)`)
	}
	if len(members) > maxKeys {
		return nil, nil, fmt.Errorf("it has %d keys, at most %d are read", len(members), maxKeys)
	}
	for i, m := range members {
		if holdsSecret(m) {
			return nil, nil, fmt.Errorf("key %d is private or symmetric: a client shows its public keys alone, and this one is lost", i+1)
		}
		k, err := parseKey(m)
		if err != nil {
			broken = append(broken, fmt.Errorf("key %d: %w", i+1, err))
		}
		if k.Public != nil {
			keys = append(keys, k)
		}
	}
	return keys, broken, nil
}

// holdsSecret looks for the members of private and symmetric keys (RFC 7518 §6.2.2,
// §6.3.2, §6.4.1), in whatever case somebody's encoder wrote them.
func holdsSecret(key map[string]json.RawMessage) bool {
	for name := range key {
		if slices.Contains([]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}, strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// parseKey returns a zero Key without error for what is no signature key of ours.
func parseKey(m map[string]json.RawMessage) (Key, error) {
	for _, name := range []string{"kty", "crv", "use", "alg", "kid"} {
		// Of another type it would read as absent, and absent means: no limit.
		if raw, ok := m[name]; ok && raw[0] != '"' {
			return Key{}, fmt.Errorf("%s is not a text", name)
		}
	}
	if raw, ok := m["key_ops"]; ok {
		var ops []string
		if err := json.Unmarshal(raw, &ops); err != nil {
			return Key{}, errors.New("key_ops is not a list of texts")
		}
		if !slices.Contains(ops, "verify") {
			return Key{}, nil
		}
	}
	if use := textOf(m, "use"); use != "" && use != "sig" {
		return Key{}, nil
	}
	k := Key{ID: textOf(m, "kid"), Alg: textOf(m, "alg")}
	var err error
	switch kty, crv := textOf(m, "kty"), textOf(m, "crv"); {
	case kty == "EC" && crv == "P-256":
		k.Public, err = parseEC(m)
	case kty == "OKP" && crv == "Ed25519":
		k.Public, err = parseEd25519(m)
	case kty == "RSA":
		k.Public, err = parseRSA(m)
	}
	if err != nil {
		return Key{}, err
	}
	return k, nil
}

func parseEC(m map[string]json.RawMessage) (crypto.PublicKey, error) {
	x, errX := bytesOf(m, "x")
	y, errY := bytesOf(m, "y")
	if err := errors.Join(errX, errY); err != nil {
		return nil, err
	}
	if len(x) != len(y) { // else another pair would spell the same point
		return nil, errors.New("x and y differ in length")
	}
	point := slices.Concat([]byte{4}, x, y) // SEC 1 §2.3.3, uncompressed
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, fmt.Errorf("x and y are no point of P-256: %w", err)
	}
	return public, nil
}

func parseEd25519(m map[string]json.RawMessage) (crypto.PublicKey, error) {
	x, err := bytesOf(m, "x")
	if err != nil {
		return nil, err
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("x has %d bytes, an Ed25519 key has %d", len(x), ed25519.PublicKeySize)
	}
	return ed25519.PublicKey(x), nil
}

func parseRSA(m map[string]json.RawMessage) (crypto.PublicKey, error) {
	n, errN := bytesOf(m, "n")
	e, errE := bytesOf(m, "e")
	if err := errors.Join(errN, errE); err != nil {
		return nil, err
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(n)}
	if bits := public.N.BitLen(); bits < minRSA || bits > maxRSA {
		return nil, fmt.Errorf("the modulus has %d bits: use %d to %d", bits, minRSA, maxRSA)
	}
	exponent := new(big.Int).SetBytes(e)
	if exponent.BitLen() > 31 || exponent.Bit(0) == 0 || exponent.Int64() < 3 || public.N.Bit(0) == 0 {
		return nil, errors.New("n and e are no RSA public key: both are odd, and e is from 3 to 2147483647")
	}
	public.E = int(exponent.Int64())
	return public, nil
}

func textOf(m map[string]json.RawMessage, name string) string {
	var s string
	if err := json.Unmarshal(m[name], &s); err != nil {
		return ""
	}
	return s
}

func bytesOf(m map[string]json.RawMessage, name string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(textOf(m, name))
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("%s is missing or not base64url", name)
	}
	return b, nil
}
