// Package session owns what a signed-in browser is: the cookie outside, the
// record inside, and when it is over.
//
//	sign-in ──Policy.Begin──▶ (record, cookie)      new secret, new sid
//	prompt=login ──Policy.Renew──▶ same sid, new secret, new auth_time
//	request ──ParseHandle──▶ Handle.Key ──one Get──▶ Handle.Open
//
// The cookie carries 256 random bits that the store knows only by digest, and
// the names under which the record is found, so that one read finds it and no
// index is kept. The package never ends a session (package ended does) and
// never says how somebody authenticated (package authn does).
package session

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/store"
)

const prefix = "session/"

// seenEvery bounds how often a request writes that it happened.
const seenEvery = time.Minute

// Session is one browser, signed in.
type Session struct {
	Subject  string // in the key
	ID       string // sid, its public name; in the key
	Digest   [sha256.Size]byte
	AuthTime time.Time
	ACR      string
	AMR      []string
	// Epoch is the person's when they proved themselves: the session is worth
	// nothing in another one.
	Epoch   uint32
	Created time.Time
	Seen    time.Time
	Address string
	Agent   string
	// Clients are those that the person used in the session, in the order of their
	// first sign-in: who is told when it ends.
	Clients []string

	Version store.Version

	unknown string // fields that a newer release wrote, for Put
}

// Policy says how long a session lives: Idle after it was last seen, and never
// beyond Absolute after the person last authenticated. Most is how many one
// person may have at once, 0 for any number.
type Policy struct {
	Idle, Absolute time.Duration
	Most           int
}

// Origin is where a session was begun, for the person's own list of sessions.
type Origin struct{ Address, Agent string }

// maxAgent bounds what a stranger's User-Agent can make us store.
const maxAgent = 200

// Begin makes a session for somebody who has just authenticated.
func (p Policy) Begin(who authn.Result, from Origin) (Session, Handle) {
	s := Session{
		Subject: who.Subject, ID: ident.New(), Created: who.Time.UTC(),
		Address: from.Address, Agent: strings.ToValidUTF8(from.Agent[:min(len(from.Agent), maxAgent)], ""),
	}
	return p.Renew(s, who)
}

// Renew gives s a new secret after its person authenticated again: the sid
// stays, so grants live on, and the old cookie is dead (no session fixation).
func (p Policy) Renew(s Session, who authn.Result) (Session, Handle) {
	h := Handle{Subject: s.Subject, ID: s.ID}
	rand.Read(h.secret[:]) //nolint:errcheck // crypto/rand.Read never fails: it crashes the program instead
	s.Digest = sha256.Sum256(h.secret[:])
	s.AuthTime, s.Seen = who.Time.UTC(), who.Time.UTC()
	s.ACR, s.AMR = who.ACR, who.AMR
	return s, h
}

// Expires is when s is over unless it is seen again.
func (p Policy) Expires(s Session) time.Time {
	idle, absolute := s.Seen.Add(p.Idle), s.AuthTime.Add(p.Absolute)
	if idle.Before(absolute) {
		return idle
	}
	return absolute
}

// Join adds a client to the session. ok is false when it is there already.
func (s Session) Join(clientID string) (joined Session, ok bool) {
	if slices.Contains(s.Clients, clientID) {
		return s, false
	}
	s.Clients = append(slices.Clip(s.Clients), clientID)
	return s, true
}

// Touch marks s as seen now. ok is false when that was written less than a
// minute ago: most requests write nothing.
func (s Session) Touch(now time.Time) (touched Session, ok bool) {
	if now.Sub(s.Seen) < seenEvery {
		return s, false
	}
	s.Seen = now.UTC()
	return s, true
}

// Key is where the session is stored; Prefix is where all of a user's are.
func Key(subject, id string) string { return Prefix(subject) + id }

// Prefix is what the keys of all sessions of subject begin with.
func Prefix(subject string) string { return prefix + subject + "/" }

// Handle is what the cookie says: which session, and the proof. It prints only
// its public part.
type Handle struct {
	Subject, ID string
	secret      [sha256.Size]byte
}

const handleSize = 2*ident.Size + sha256.Size

// Cookie is the handle as the browser keeps it.
func (h Handle) Cookie() string {
	var raw [handleSize]byte
	sub, _ := ident.Decode(h.Subject)
	id, _ := ident.Decode(h.ID)
	copy(raw[:], sub[:])
	copy(raw[ident.Size:], id[:])
	copy(raw[2*ident.Size:], h.secret[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// ParseHandle reads a cookie, which has one spelling only: the length of the
// text is checked, since the decoder skips line breaks. It proves nothing yet:
// Open does.
func ParseHandle(cookie string) (Handle, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cookie)
	if err != nil || len(raw) != handleSize || len(cookie) != base64.RawURLEncoding.EncodedLen(handleSize) {
		return Handle{}, false
	}
	return Handle{
		Subject: ident.Encode([ident.Size]byte(raw[:ident.Size])),
		ID:      ident.Encode([ident.Size]byte(raw[ident.Size : 2*ident.Size])),
		secret:  [sha256.Size]byte(raw[2*ident.Size:]),
	}, true
}

// String is the handle's public part.
func (h Handle) String() string { return "session " + h.ID }

// Format keeps the secret out of logs under every verb: %d and the like would
// print the fields without asking String.
func (h Handle) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, h.String()) }

// Key is where the session that h names is stored.
func (h Handle) Key() string { return Key(h.Subject, h.ID) }

// Open reads the session from its record if h proves to be its cookie. ok is
// false when the record is absent or the secret is another one.
func (h Handle) Open(r store.Record) (s Session, ok bool) {
	if !r.Exists() {
		return Session{}, false
	}
	s, err := Decode(r)
	if err != nil {
		return Session{}, false
	}
	digest := sha256.Sum256(h.secret[:])
	if subtle.ConstantTimeCompare(digest[:], s.Digest[:]) != 1 {
		return Session{}, false
	}
	return s, true
}
