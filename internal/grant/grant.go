// Package grant owns what one client may do for one user: the code that is
// redeemed into a grant, the grant's record, the refresh tokens that continue
// it, and the consent that a person gave.
//
//	authorize ──Seal──▶ Code (sealed, no record)
//	token     ──Redeem──▶ Grant + code/<minute>/<digest>     one Commit, both or neither
//	refresh   ──Judge──▶ current: next generation · repeated: same successor
//	                     · older: stolen, the grant ends
//
// There is one record per grant however often it is refreshed. The package
// never signs a token and never ends a grant by itself (package ended does).
package grant

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
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
func (r Ref) Key() string { return prefix + r.Subject + "/" + r.SessionID + "/" + r.ID }

// Beside is a key next to all grants of subject that is none of theirs: for a
// record that changes with them.
func Beside(subject string) string { return prefix + subject + "0" } // '0' follows '/'

// IsBeside reports whether key is one that Beside makes.
func IsBeside(key string) bool {
	rest, of := strings.CutPrefix(key, prefix)
	return of && !strings.Contains(rest, "/")
}

// SessionPrefix is what the keys of all grants of one session begin with.
func SessionPrefix(subject, sid string) string { return UserPrefix(subject) + sid + "/" }

// UserPrefix is what the keys of all grants of one user begin with.
func UserPrefix(subject string) string { return prefix + subject + "/" }

// Authentication is how and when the person behind a grant signed in. It never
// changes while the grant lives (OpenID Connect Core §12.2: a refreshed ID
// token keeps its auth_time).
type Authentication struct {
	Time time.Time
	ACR  string
	AMR  []string
}

// Grant is the record.
type Grant struct {
	Ref
	ClientID       string
	Scopes         []string
	Audience       []string
	Claims         Claims // asked for one by one
	Authentication Authentication
	Created        time.Time

	// Refresh is client.RefreshNone when the grant can't be continued.
	Refresh    client.Refresh
	Generation uint32     // of the refresh token that is current
	Rotated    time.Time  // when it became so
	MACKey     seal.KeyID // under which that refresh token is made

	// Epoch is the user's when the grant began: it is worth nothing in another one.
	Epoch uint32
	// Hold is the slot that its access tokens carry; Former are those that they
	// carried before, while such a token could be alive.
	Hold   Hold
	Former []Hold

	Version store.Version

	unknown string // fields that a newer release wrote, for Put
}

// Offline reports whether the grant survives its session.
func (g Grant) Offline() bool { return g.Refresh == client.RefreshOffline }

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
