package grant

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/store"
)

// CodeLifetime is how long a code may be redeemed (RFC 9700 §2.1.1 and the
// FAPI 2.0 Security Profile §5.3.2.1: at most 60 seconds).
const CodeLifetime = time.Minute

// spentFor is how long a spent code is remembered: longer than it could be
// redeemed on any node, clocks a minute apart included.
const spentFor = 5 * time.Minute

const codePurpose = "code"

// Code is an authorization code. It is all in the code itself, sealed, so that
// authorizing writes nothing; the PKCE challenge is inside as well, so that no
// failed attempt can drop it.
type Code struct {
	Ref            Ref            `json:"g"`
	ClientID       string         `json:"c"`
	RedirectURI    string         `json:"r"`
	Scopes         []string       `json:"s"`
	Audience       []string       `json:"a"`
	Nonce          string         `json:"n,omitempty"`
	Challenge      string         `json:"p,omitempty"` // S256, the only method we take
	Claims         Claims         `json:"cl,omitzero"`
	Authentication Authentication `json:"u"`
}

// ErrNotACode means that we did not make the code, or that it has expired.
var ErrNotACode = errors.New("grant: not a code of ours, or expired")

// NewCode begins a grant in the session named.
func NewCode(subject, sid string) Code {
	return Code{Ref: Ref{Subject: subject, SessionID: sid, ID: ident.New()}}
}

// Seal writes the code as the client receives it.
func (c Code) Seal(ring *seal.Ring, now time.Time) (string, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("writing a code: %w", err)
	}
	return ring.Seal(codePurpose, plain, now.Add(CodeLifetime))
}

// OpenCode reads a code that a client presents, or fails with ErrNotACode.
func OpenCode(ring *seal.Ring, code string) (Code, error) {
	var c Code
	plain, err := ring.Open(codePurpose, code)
	if err != nil {
		return c, fmt.Errorf("%w: %w", ErrNotACode, err)
	}
	if err := json.Unmarshal(plain, &c); err != nil {
		return c, fmt.Errorf("reading a code: %w", err)
	}
	return c, nil
}

// SpentKey is where it is written that a code was redeemed.
func SpentKey(code string) string {
	digest := sha256.Sum256([]byte(code))
	return "code/" + base64.RawURLEncoding.EncodeToString(digest[:])
}

// Spend marks the code as redeemed. Of any number of Commits that hold this op
// exactly one succeeds (RFC 6749 §4.1.2: a code is used once); the record names
// the grant, for whoever reads the store.
func Spend(code string, g Ref, now time.Time) store.Op {
	return store.Put(SpentKey(code), []byte(g.Key())).Until(now.Add(spentFor)).IfAbsent()
}

// ErrReplayed is what a second redemption of a code meets.
func ErrReplayed() error {
	return fault.New(fault.Consumed, "the code was redeemed already").On("code")
}
