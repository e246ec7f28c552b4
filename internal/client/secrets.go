package client

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/signet-id/signet/internal/secret"
)

// Secret is a client secret at rest. It was random with 256 bits, so its plain
// SHA-256 can't be searched for, and checking it costs a microsecond.
type Secret struct {
	Digest  []byte    `json:"sha256"`
	Sealed  []byte    `json:"sealed,omitempty"` // the secret itself, of a client that makes MACs with it
	Created time.Time `json:"created"`
}

// MaxSecrets may be valid at once, so that a secret is rotated without downtime.
const MaxSecrets = 2

// secretPrefix lets secret scanners find a leaked client secret.
const secretPrefix = "sgs_"

// NewSecret makes a client secret; Rotate puts it into a client.
func NewSecret() secret.Value {
	var b [32]byte
	rand.Read(b[:]) //nolint:errcheck // crypto/rand.Read never fails: it crashes the program instead
	return secret.New(secretPrefix + base64.RawURLEncoding.EncodeToString(b[:]))
}

// Rotate adds s; beyond MaxSecrets the oldest leaves. It is for a client that
// sends its secret; for one that makes MACs with it see RotateSealed.
func (c *Client) Rotate(s secret.Value, now time.Time) { c.rotate(s, nil, now) }

// Sealer seals what must be read again under a purpose, which binds it to its
// place; seal.Box is one.
type Sealer interface {
	Seal(purpose string, plaintext []byte) ([]byte, error)
}

// Opener opens what a Sealer sealed for the same purpose.
type Opener interface {
	Open(purpose string, sealed []byte) ([]byte, error)
}

// RotateSealed is Rotate for whatever method the client has: a client_secret_jwt
// proves its secret by a MAC (OpenID Connect Core §9), which nobody checks with a
// digest, so the secret is kept as well, sealed by box. No other client's is.
func (c *Client) RotateSealed(s secret.Value, box Sealer, now time.Time) error {
	var sealed []byte
	if c.AuthMethod == AuthSecretJWT {
		var err error
		if sealed, err = box.Seal(c.purpose(), []byte(s.Reveal())); err != nil {
			return fmt.Errorf("sealing a secret of client %s: %w", c.ID, err)
		}
	}
	c.rotate(s, sealed, now)
	return nil
}

func (c *Client) rotate(s secret.Value, sealed []byte, now time.Time) {
	digest := s.Digest()
	c.Secrets = append(slices.Clone(c.Secrets), Secret{Digest: digest[:], Sealed: sealed, Created: now.UTC()})
	if n := len(c.Secrets) - MaxSecrets; n > 0 {
		c.Secrets = c.Secrets[n:]
	}
}

// OpenSecrets returns the secrets that were kept sealed, oldest first.
func (c Client) OpenSecrets(box Opener) ([]secret.Value, error) {
	var open []secret.Value
	for _, s := range c.Secrets {
		if len(s.Sealed) == 0 {
			continue
		}
		plain, err := box.Open(c.purpose(), s.Sealed)
		if err != nil {
			return nil, fmt.Errorf("opening a secret of client %s: %w", c.ID, err)
		}
		open = append(open, secret.New(string(plain)))
	}
	return open, nil
}

// purpose binds a sealed secret to its client: within another's record it is noise.
func (c Client) purpose() string { return "client/" + c.ID }

// SetAuthMethod changes how the client authenticates, and drops what the new
// method has no use for: no secret outlives its purpose, and none that can't be
// opened pretends that a client_secret_jwt has one.
func (c *Client) SetAuthMethod(method string) {
	c.AuthMethod = method
	c.Public = method == AuthNone
	switch method {
	case AuthNone, AuthKeyJWT:
		c.Secrets = nil
	case AuthSecretJWT:
		c.Secrets = slices.DeleteFunc(slices.Clone(c.Secrets), func(s Secret) bool { return len(s.Sealed) == 0 })
	default:
		c.Secrets = slices.Clone(c.Secrets)
		for i := range c.Secrets {
			c.Secrets[i].Sealed = nil
		}
	}
	if c.AuthSigningAlg != "" && !slices.Contains(assertionAlgs(method), c.AuthSigningAlg) {
		c.AuthSigningAlg = ""
	}
}

// HasSecrets reports whether clients of this method have secrets of ours.
func (c Client) HasSecrets() bool {
	return slices.Contains([]string{AuthBasic, AuthPost, AuthSecretJWT}, c.AuthMethod)
}

// Asserts reports whether the client authenticates by an assertion (RFC 7521 §4.2).
func (c Client) Asserts() bool { return c.AuthMethod == AuthKeyJWT || c.AuthMethod == AuthSecretJWT }

// AssertionAlgs are the algorithms that the client's assertions may have: of its
// method, and narrowed to the one that it registered. For a secret there is no
// public key, for a key no MAC: a public key must never serve as a secret
// (RFC 8725 §2.1).
func (c Client) AssertionAlgs() []string {
	if c.AuthSigningAlg != "" && slices.Contains(assertionAlgs(c.AuthMethod), c.AuthSigningAlg) {
		return []string{c.AuthSigningAlg}
	}
	return assertionAlgs(c.AuthMethod)
}

func assertionAlgs(method string) []string {
	switch method {
	case AuthKeyJWT:
		return []string{"ES256", "EdDSA", "PS256", "RS256"}
	case AuthSecretJWT:
		return []string{"HS256"}
	}
	return nil
}

// CheckSecret reports whether presented is one of the client's secrets. Every
// registered one is compared in constant time, whichever matches. No secret is
// never the secret, even of a record that somebody filled with the absent one.
func (c Client) CheckSecret(presented string) bool {
	if presented == "" {
		return false
	}
	digest := sha256.Sum256([]byte(presented))
	found := 0
	for _, s := range c.Secrets {
		found |= subtle.ConstantTimeCompare(s.Digest, digest[:])
	}
	return found == 1
}
