// Package token owns what the issuer's tokens say: access tokens (RFC 9068) and
// ID tokens (OpenID Connect Core §2), signed through the key ring.
//
//	Access, ID ──append claims──▶ JSON ──keys.Ring.Sign──▶ compact JWS
//	compact JWS ──keys.Ring.Verify──▶ ParseAccess, ParseHint
//
// It never decides who gets a token, and stores nothing: a token is gone from
// the issuer the moment it is written. One that comes back is remembered for a
// while, by its digest, because it comes again.
package token

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/signet-id/signet/internal/object"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/keys"
)

// The media types that say what a JWT is (RFC 9068 §2.1; OpenID Connect gives
// ID tokens none beyond JWT).
const (
	TypeAccess = "at+jwt"
	TypeID     = "JWT"
)

// Signer is all that this package needs of the key ring.
type Signer interface {
	Sign(ctx context.Context, alg keys.Algorithm, typ string, claims []byte) (string, error)
	Verify(compact string) (keys.Header, []byte, error)
	Holds(kid string) bool
	Refresh(ctx context.Context, age time.Duration) error
}

// Mint makes and reads the tokens of one issuer. Safe for concurrent use.
type Mint struct {
	Issuer         string
	Keys           Signer
	AccessAlg      keys.Algorithm
	AccessLifetime time.Duration
	IDLifetime     time.Duration
	Memory         *Memory // of the access tokens that were read
}

// Access is what an access token says. Fields that are zero are left out.
type Access struct {
	Subject  string
	Audience []string // never empty
	ClientID string
	Scopes   []string
	ID       string // jti
	IssuedAt time.Time
	Expires  time.Time
	// Slot is where the token's bit is: set once the token has ended (IETF Token
	// Status List §6.2).
	Slot slot.Slot

	// When a user is behind the token:
	AuthTime  time.Time
	ACR       string
	AMR       []string
	SessionID string
	Roles     []string
	Groups    []string
}

// Access signs a at now; its times are set here. It refuses to sign a token
// without an audience, which every service would have to accept, or none, and one
// without a slot, which nobody could end.
func (m *Mint) Access(ctx context.Context, a Access, now time.Time) (string, error) {
	if len(a.Audience) == 0 {
		return "", errors.New("signing an access token: it has no audience")
	}
	if a.Slot == 0 {
		return "", errors.New("signing an access token: it has no slot")
	}
	a.IssuedAt, a.Expires = now, now.Add(m.AccessLifetime)
	compact, err := m.Keys.Sign(ctx, m.AccessAlg, TypeAccess, a.payload(m.Issuer))
	if err != nil {
		return "", fmt.Errorf("signing an access token: %w", err)
	}
	return compact, nil
}

// ID is what an ID token says. Fields that are zero are left out.
type ID struct {
	Subject   string
	ClientID  string // the audience
	Nonce     string
	AuthTime  time.Time
	ACR       string
	AMR       []string
	SessionID string
	// AccessToken is the token issued beside this one; at_hash binds them
	// (OpenID Connect Core §3.1.3.6).
	AccessToken string
	// Claims are those that the client asked for by name (Core §5.5).
	Claims map[string]any
}

// ID signs id with alg at now.
func (m *Mint) ID(ctx context.Context, alg keys.Algorithm, id ID, now time.Time) (string, error) {
	claims := id.payload(m.Issuer, alg, now, now.Add(m.IDLifetime))
	compact, err := m.Keys.Sign(ctx, alg, TypeID, claims)
	if err != nil {
		return "", fmt.Errorf("signing an ID token: %w", err)
	}
	return compact, nil
}

// Userinfo signs a userinfo answer (OpenID Connect Core §5.3.2).
func (m *Mint) Userinfo(ctx context.Context, alg keys.Algorithm, claims map[string]any) (string, error) {
	compact, err := m.Keys.Sign(ctx, alg, TypeID, object.Of(claims))
	if err != nil {
		return "", fmt.Errorf("signing userinfo: %w", err)
	}
	return compact, nil
}

// leftHash is the left half of the digest that alg uses, as at_hash and c_hash
// want it. Ed25519 hashes with SHA-512 (RFC 8032 §5.1).
func leftHash(alg keys.Algorithm, token string) string {
	if alg == keys.EdDSA {
		d := sha512.Sum512([]byte(token))
		return base64.RawURLEncoding.EncodeToString(d[:len(d)/2])
	}
	d := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(d[:len(d)/2])
}
