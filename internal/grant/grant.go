// Package grant owns what one client may do for one user: the code that is
// redeemed into a grant, the grant's record, the refresh tokens that continue
// it, and the consent that a person gave.
//
//	authorize ──Seal──▶ Code (sealed, no record)
//	token     ──Redeem──▶ Grant + code/<digest>     one Commit, both or neither
//	refresh   ──Judge──▶ current: next generation · repeated: same successor
//	                     · older: stolen, the grant ends
//
// There is one record per grant however often it is refreshed. The package
// never signs a token and never ends a grant by itself (package ended does).
package grant

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/store"
)

const prefix = "grant/"

// Ref names a grant. Its three parts are its key, so that the grants of a
// session, and those of a user, are neighbours and no index is kept.
type Ref struct{ Subject, SessionID, ID string }

// Key is where the grant is stored.
func (r Ref) Key() string { return SessionPrefix(r.Subject, r.SessionID) + r.ID }

// SessionPrefix is what the keys of all grants of one session begin with.
func SessionPrefix(subject, sid string) string { return UserPrefix(subject) + sid + "/" }

// UserPrefix is what the keys of all grants of one user begin with.
func UserPrefix(subject string) string { return prefix + subject + "/" }

// Authentication is how and when the person behind a grant signed in. It never
// changes while the grant lives (OpenID Connect Core §12.2: a refreshed ID
// token keeps its auth_time).
type Authentication struct {
	Time time.Time `json:"t"`
	ACR  string    `json:"acr,omitempty"`
	AMR  []string  `json:"amr,omitempty"`
}

// Grant is the record.
type Grant struct {
	Ref            `json:"-"`
	ClientID       string         `json:"client"`
	Scopes         []string       `json:"scopes"`
	Audience       []string       `json:"aud"`
	Claims         Claims         `json:"claims,omitzero"` // asked for one by one
	Authentication Authentication `json:"auth"`
	Created        time.Time      `json:"created"`

	// Refresh is client.RefreshNone when the grant can't be continued.
	Refresh    client.Refresh `json:"refresh"`
	Generation uint32         `json:"gen,omitempty"`     // of the refresh token that is current
	Rotated    time.Time      `json:"rotated,omitzero"`  // when it became so
	MACKey     seal.KeyID     `json:"mac_key,omitempty"` // under which that refresh token is made

	// Epoch is the user's when the grant began: it is worth nothing in another one.
	Epoch uint32 `json:"epoch,omitempty"`
	// Hold is the slot that its access tokens carry; Former are those that they
	// carried before, while such a token could be alive.
	Hold   Hold   `json:"hold"`
	Former []Hold `json:"former,omitempty"`

	Version store.Version `json:"-"`
}

// Offline reports whether the grant survives its session.
func (g Grant) Offline() bool { return g.Refresh == client.RefreshOffline }

// Decode reads a grant's record.
func Decode(r store.Record) (Grant, error) {
	g := Grant{Version: r.Version}
	if err := json.Unmarshal(r.Value, &g); err != nil {
		return g, fmt.Errorf("reading %s: %w", r.Key, err)
	}
	const n = ident.Length
	at := len(prefix)
	if len(r.Key) != at+3*n+2 {
		return g, fmt.Errorf("reading %s: not a grant's key", r.Key)
	}
	g.Ref = Ref{Subject: r.Key[at : at+n], SessionID: r.Key[at+n+1 : at+2*n+1], ID: r.Key[at+2*n+2:]}
	return g, nil
}

// Put writes g, guarded by the version that it was read with (0 for a new one).
func (g Grant) Put(until time.Time) (store.Op, error) {
	value, err := json.Marshal(g)
	if err != nil {
		return store.Op{}, fmt.Errorf("writing a grant: %w", err)
	}
	return store.Put(g.Key(), value).Until(until).If(g.Version), nil
}

// TokenID makes the jti of an access token of the grant named id: the grant's
// name and 64 random bits. It names the grant to the issuer, which can so tell
// whether a token's grant has ended with no record per token; to others it is
// opaque.
func TokenID(id string) string {
	raw, _ := ident.Decode(id)
	var jti [ident.Size + 8]byte
	copy(jti[:], raw[:])
	rand.Read(jti[ident.Size:]) //nolint:errcheck // crypto/rand.Read never fails: it crashes the program instead
	return base64.RawURLEncoding.EncodeToString(jti[:])
}

// OfToken returns the grant of a user's access token, which its subject, session
// and jti name. ok is false for a token that has none.
func OfToken(subject, sid, jti string) (Ref, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(jti)
	if err != nil || len(raw) != ident.Size+8 || len(jti) != base64.RawURLEncoding.EncodedLen(len(raw)) || sid == "" {
		return Ref{}, false
	}
	return Ref{Subject: subject, SessionID: sid, ID: ident.Encode([ident.Size]byte(raw[:ident.Size]))}, true
}
