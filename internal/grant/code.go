package grant

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/record"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/store"
)

// CodeLifetime is how long a code may be redeemed (RFC 9700 §2.1.1 and the
// FAPI 2.0 Security Profile §5.3.2.1: at most 60 seconds).
const CodeLifetime = time.Minute

// spentFor is how long a spent code is remembered beyond the minute in which it is
// over: longer than it could be redeemed on any node, clocks a minute apart included.
const spentFor = 4 * time.Minute

const (
	codePurpose = "code"
	spentPrefix = "code/"
)

// Code is an authorization code. It is all in the code itself, sealed, so that
// authorizing writes nothing; the PKCE challenge is inside as well, so that no
// failed attempt can drop it.
type Code struct {
	Ref            Ref
	ClientID       string
	RedirectURI    string
	Scopes         []string
	Audience       []string
	Nonce          string
	Challenge      string // S256, the only method we take
	Claims         Claims
	Authentication Authentication

	// Of a code that was opened: where it is written that it is spent, and until when.
	spentKey   string
	spentUntil time.Time
}

// The fields of a code. It lives for a minute, so a release that needs another
// layout has both for that long.
const (
	codeExpires   record.Number = 2 // in seconds since 1970, as the seal has it
	codeSubject   record.Number = 3
	codeSession   record.Number = 4
	codeGrant     record.Number = 5
	codeClient    record.Number = 6
	codeRedirect  record.Number = 7
	codeScopes    record.Number = 8
	codeAudience  record.Number = 9
	codeNonce     record.Number = 10
	codeChallenge record.Number = 11
	codeAuthTime  record.Number = 12
	codeACR       record.Number = 13
	codeAMR       record.Number = 14
	codeUserinfo  record.Number = 15 // claims that were asked for one by one
	codeIDToken   record.Number = 16
)

// usualCodeSize is what a code takes before it is sealed, with two long addresses.
const usualCodeSize = 384

// ErrNotACode means that we did not make the code, or that it has expired.
var ErrNotACode = errors.New("grant: not a code of ours, or expired")

// NewCode begins a grant in the session named.
func NewCode(subject, sid string) Code {
	return Code{Ref: Ref{Subject: subject, SessionID: sid, ID: ident.Ordered(time.Now())}}
}

// Seal writes the code as the client receives it.
func (c Code) Seal(ring *seal.Ring, now time.Time) (string, error) {
	until := now.Add(CodeLifetime)
	w := record.Write(layout, usualCodeSize)
	w.Number(codeExpires, uint64(until.Unix()))
	w.Text(codeSubject, c.Ref.Subject)
	w.Text(codeSession, c.Ref.SessionID)
	w.Text(codeGrant, c.Ref.ID)
	w.Text(codeClient, c.ClientID)
	w.Text(codeRedirect, c.RedirectURI)
	w.Texts(codeScopes, c.Scopes)
	w.Texts(codeAudience, c.Audience)
	w.Text(codeNonce, c.Nonce)
	w.Text(codeChallenge, c.Challenge)
	w.Time(codeAuthTime, c.Authentication.Time)
	w.Text(codeACR, c.Authentication.ACR)
	w.Texts(codeAMR, c.Authentication.AMR)
	w.Texts(codeUserinfo, c.Claims.Userinfo)
	w.Texts(codeIDToken, c.Claims.IDToken)
	return ring.Seal(codePurpose, w.Value(), until)
}

// OpenCode reads a code that a client presents, or fails with ErrNotACode.
func OpenCode(ring *seal.Ring, code string) (Code, error) {
	plain, err := ring.Open(codePurpose, code)
	if err != nil {
		return Code{}, fmt.Errorf("%w: %w", ErrNotACode, err)
	}
	c, expires, err := readCode(plain)
	if err != nil {
		return Code{}, fmt.Errorf("reading a code: %w", err)
	}
	if c.spentKey, c.spentUntil, err = spent(c.Ref.ID, expires); err != nil {
		return Code{}, fmt.Errorf("reading a code: %w", err)
	}
	return c, nil
}

func readCode(plain []byte) (c Code, expires uint64, err error) {
	r := record.Read(plain, layout)
	for r.Next() {
		switch r.Field() {
		case codeExpires:
			expires = r.Number(math.MaxUint32 * 60)
		case codeSubject:
			c.Ref.Subject = r.Text()
		case codeSession:
			c.Ref.SessionID = r.Text()
		case codeGrant:
			c.Ref.ID = r.Text()
		case codeClient:
			c.ClientID = r.Text()
		case codeRedirect:
			c.RedirectURI = r.Text()
		case codeScopes:
			c.Scopes = r.Texts(c.Scopes)
		case codeAudience:
			c.Audience = r.Texts(c.Audience)
		case codeNonce:
			c.Nonce = r.Text()
		case codeChallenge:
			c.Challenge = r.Text()
		case codeAuthTime:
			c.Authentication.Time = r.Time()
		case codeACR:
			c.Authentication.ACR = r.Text()
		case codeAMR:
			c.Authentication.AMR = r.Texts(c.Authentication.AMR)
		case codeUserinfo:
			c.Claims.Userinfo = r.Texts(c.Claims.Userinfo)
		case codeIDToken:
			c.Claims.IDToken = r.Texts(c.Claims.IDToken)
		}
	}
	if err := r.Err(); err != nil {
		return Code{}, 0, err
	}
	if expires == 0 {
		return Code{}, 0, errors.New("it does not say when it is over, and so not where it is spent")
	}
	return c, expires, nil
}

// spent is where it is written that a code was redeemed, and until when. Both
// follow from what is sealed in it, so that every node writes the same record for
// it. A code and the grant that it begins have one name, which begins with the
// moment it was made: what is spent at about the same time are neighbours in the
// store and leave it together, where digests would touch a page each.
func spent(grantID string, expires uint64) (key string, until time.Time, err error) {
	id, ok := ident.Decode(grantID)
	if !ok {
		return "", time.Time{}, errors.New("it names no grant")
	}
	raw := append(make([]byte, 0, len(spentPrefix)+2*len(id)), spentPrefix...)
	minute := int64((expires + 59) / 60)
	return string(hex.AppendEncode(raw, id[:])), time.Unix(minute*60, 0).UTC().Add(spentFor), nil
}

// SpentKey is where it is written that the code, which was opened, was redeemed.
func (c Code) SpentKey() string { return c.spentKey }

// Spend marks the code, which was opened, as redeemed. Of any number of Commits
// that hold this op exactly one succeeds (RFC 6749 §4.1.2: a code is used once);
// the record names the grant, for whoever reads the store.
func (c Code) Spend() store.Op {
	return store.Put(c.spentKey, []byte(c.Ref.Key())).Until(c.spentUntil).IfAbsent()
}
