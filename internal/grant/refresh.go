package grant

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/seal"
)

// refreshPrefix lets secret scanners find a leaked refresh token.
const refreshPrefix = "sgr_"

const refreshPurpose = "refresh"

// A refresh token is its prefix and the base64url of
//
//	key id 4 | subject 16 | session 16 | grant 16 | generation 4 | MAC 32
//
// It is a pure function of the grant's record: presenting one token twice in
// good faith yields the same successor, with nothing stored for it.
const (
	refreshBody = 4 + 3*ident.Size + 4
	refreshSize = refreshBody + 32
)

// Presented is a refresh token whose MAC is ours. What it names may be gone.
type Presented struct {
	Ref        Ref
	Generation uint32
}

// ErrNotARefreshToken means that we did not make the token.
var ErrNotARefreshToken = errors.New("grant: not a refresh token of ours")

// RefreshToken returns the token of g's current generation.
func (g Grant) RefreshToken(ring *seal.Ring) (string, error) {
	raw := make([]byte, 0, refreshSize)
	raw = binary.BigEndian.AppendUint32(raw, uint32(g.MACKey))
	for _, name := range []string{g.Subject, g.SessionID, g.ID} {
		b, ok := ident.Decode(name)
		if !ok {
			return "", errors.New("grant: a grant with a malformed name")
		}
		raw = append(raw, b[:]...)
	}
	raw = binary.BigEndian.AppendUint32(raw, g.Generation)
	mac, ok := ring.MAC(g.MACKey, refreshPurpose, raw)
	if !ok {
		return "", errors.New("grant: the key of its refresh tokens is gone")
	}
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(append(raw, mac[:]...)), nil
}

// ParseRefreshToken reads a token that a client presents, or fails with
// ErrNotARefreshToken before anything is looked up.
func ParseRefreshToken(ring *seal.Ring, token string) (Presented, error) {
	var p Presented
	if len(token) < len(refreshPrefix) || token[:len(refreshPrefix)] != refreshPrefix {
		return p, ErrNotARefreshToken
	}
	text := token[len(refreshPrefix):]
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	// The text's length counts as well: the decoder skips line breaks.
	if err != nil || len(raw) != refreshSize || len(text) != base64.RawURLEncoding.EncodedLen(refreshSize) {
		return p, ErrNotARefreshToken
	}
	key := seal.KeyID(binary.BigEndian.Uint32(raw))
	if !ring.CheckMAC(key, refreshPurpose, raw[:refreshBody], raw[refreshBody:]) {
		return p, ErrNotARefreshToken
	}
	part := func(i int) string {
		at := 4 + i*ident.Size
		return ident.Encode([ident.Size]byte(raw[at : at+ident.Size]))
	}
	p.Ref = Ref{Subject: part(0), SessionID: part(1), ID: part(2)}
	p.Generation = binary.BigEndian.Uint32(raw[refreshBody-4:])
	return p, nil
}

// Verdict is what a presented refresh token means to its grant.
type Verdict int

// A Current token is rotated. A Repeated one was rotated moments ago and its
// answer was lost, or two tabs raced: it yields the same successor. A Stolen
// one is in two hands (RFC 9700 §4.14.2): the grant ends. An Unknown one is of
// a generation that never was.
const (
	Unknown Verdict = iota
	Current
	Repeated
	Stolen
)

// Judge says what presenting generation at now means; window is how long the
// predecessor of the current generation may still be repeated.
func (g Grant) Judge(generation uint32, now time.Time, window time.Duration) Verdict {
	switch {
	case generation == g.Generation:
		return Current
	case generation > g.Generation:
		return Unknown
	case generation+1 == g.Generation && now.Sub(g.Rotated) <= window:
		return Repeated
	default:
		return Stolen
	}
}

// Next is g after its current refresh token was rotated at now. Its successor is
// made under key, the ring's newest: a grant that is refreshed for years outlives
// the key that it began with.
func (g Grant) Next(now time.Time, key seal.KeyID) Grant {
	g.Generation++
	g.Rotated, g.MACKey = now.UTC(), key
	return g
}
