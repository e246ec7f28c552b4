package keys

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

// Document is the published JWK Set (RFC 7517 §5), ready to be served as
// application/jwk-set+json or application/json. Its bytes are shared: they must
// not be changed.
type Document struct {
	Body   []byte        // {"keys":[…]}: of each key kty, its public members, use "sig", alg and kid
	ETag   string        // a strong entity tag, quotes included (RFC 9110 §8.8.3)
	MaxAge time.Duration // how long it may be cached: Policy.MaxAge
}

// JWKS returns the JWK Set of all keys of the ring, whatever their state. It is
// made when the set of keys changes, not when it is asked for. Keys are ordered
// by algorithm and age, not by state: body and ETag change when a key comes or
// goes, and only then, the same on every node.
func (r *Ring) JWKS() Document { return r.current.Load().jwks }

// publish returns the JWK of a public key, and its ID.
func publish(alg Algorithm, public crypto.PublicKey) (jwk.Key, string, error) {
	key, err := jwk.FromRaw(public)
	if err != nil {
		return nil, "", fmt.Errorf("making a JWK: %w", err)
	}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, "", fmt.Errorf("computing a thumbprint: %w", err)
	}
	id := base64.RawURLEncoding.EncodeToString(thumbprint)
	for name, value := range map[string]any{
		jwk.KeyIDKey:     id,
		jwk.AlgorithmKey: jwa.SignatureAlgorithm(alg),
		jwk.KeyUsageKey:  jwk.ForSignature,
	} {
		if err := key.Set(name, value); err != nil {
			return nil, "", fmt.Errorf("setting %s of a JWK: %w", name, err)
		}
	}
	return key, id, nil
}

// document encodes the set. An empty ring has an empty array: "keys" is not
// optional (RFC 7517 §5.1).
func document(keys []held, maxAge time.Duration) (Document, error) {
	set := struct {
		Keys []jwk.Key `json:"keys"`
	}{Keys: make([]jwk.Key, 0, len(keys))}
	for _, k := range keys {
		set.Keys = append(set.Keys, k.published)
	}
	body, err := json.Marshal(set)
	if err != nil {
		return Document{}, fmt.Errorf("encoding the JWKS: %w", err)
	}
	digest := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(digest[:16]) + `"`
	return Document{Body: body, ETag: tag, MaxAge: maxAge}, nil
}
