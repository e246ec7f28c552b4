package verify

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

const (
	maxURI          = 512         // what is remembered of a list's name
	defaultPatience = time.Minute // see WithMaxStaleness
)

// Stale says what becomes of a token when the issuer was not heard of for so
// long that the token may have ended meanwhile.
type Stale int

// What to do about a token that may have ended meanwhile.
const (
	MarkStale   Stale = iota // accept it, and let Token.Stale say so
	AcceptStale              // accept it
	RefuseStale              // refuse it, with EndingsStale
)

// patience is how old the knowledge of endings may be, and what then.
type patience struct {
	limit time.Duration
	then  Stale
}

func newPatience(limit time.Duration, then Stale) (patience, error) {
	if limit <= 0 {
		return patience{}, fmt.Errorf("MaxStaleness: %v is no time at all", limit)
	}
	if then != MarkStale && then != AcceptStale && then != RefuseStale {
		return patience{}, errors.New("MaxStaleness: what then? MarkStale, AcceptStale or RefuseStale")
	}
	return patience{limit, then}, nil
}

// WithMaxStaleness sets how old the knowledge of endings may be when a token is
// accepted, and what becomes of the token when it is older. Without it a token
// is accepted and marked beyond one minute: an issuer that is away should not
// take its services along. [Verifier.MaxStaleness] sets it for single routes.
//
// The issuer is heard at least every 15 seconds while the stream lasts, so less
// than 20 seconds is too little; where the stream cannot pass, lists are asked
// for about once in a minute.
func WithMaxStaleness(limit time.Duration, then Stale) Option {
	return func(s *settings) (err error) {
		s.patience, err = newPatience(limit, then)
		return err
	}
}

// MaxStaleness returns v with another answer to knowledge of endings that is
// older than limit, for the routes that need one:
//
//	mux.Handle("POST /pay", v.MaxStaleness(30*time.Second, verify.RefuseStale).Require("pay")(pay))
//
// Both are one verifier otherwise: keys, memory and stream are shared, and to
// close one closes both. It panics at a limit that is no time at all.
func (v *Verifier) MaxStaleness(limit time.Duration, then Stale) *Verifier {
	p, err := newPatience(limit, then)
	if err != nil {
		panic("verify: " + err.Error())
	}
	view := *v
	view.patience = p
	return &view
}

// setStatus reads the status claim (Token Status List §6.1). A mechanism other
// than status_list is not ours to follow.
func (c *claims) setStatus(value string) bool {
	var room [4]member
	mechanisms, ok := parseObject(room[:0], value)
	if !ok {
		return false
	}
	reference := find(mechanisms, "status_list")
	if reference == "" {
		return true
	}
	members, ok := parseObject(room[:0], reference)
	if !ok {
		return false
	}
	index, err := strconv.ParseUint(find(members, "idx"), 10, 32)
	c.listURI, ok = parseString(find(members, "uri"))
	c.index = uint32(index)
	return ok && err == nil && index < listSize && c.listURI != ""
}

// checkStatus finds the list in which the token's end would be told. A list
// elsewhere would let somebody else say what is alive.
func (v *Verifier) checkStatus(c *claims, _ time.Time) *Error {
	if c.listURI != "" && !isListURI(c.listURI, v.endings.prefix) {
		return failOn(MalformedClaim, "status")
	}
	return nil
}

// follow ties c to its list. Only the first token of a list that is not held
// waits, for the one fetch of it.
func (v *Verifier) follow(ctx context.Context, c *claims) (waited bool) {
	if c.listURI == "" {
		return false
	}
	c.list = v.endings.of(c.listURI, c.expiresAt)
	if c.list.known() {
		return false
	}
	v.endings.expect(ctx, c.list)
	return true
}

// weigh judges a token that is good but for its end, of which the list tells.
func (v *Verifier) weigh(c *claims, now time.Time) (Token, *Error) {
	tok := Token{claims: c}
	if c.list == nil {
		return tok, nil
	}
	// First how old the knowledge is, then the knowledge: whoever tells of
	// endings sets the bits first, so a bit read as 0 is not older than its age.
	tok.staleness = c.list.age(v.endings.moment(now))
	if c.list.ended(c.index) {
		return Token{}, fail(Ended)
	}
	if tok.staleness <= v.patience.limit {
		return tok, nil
	}
	switch v.patience.then {
	case RefuseStale:
		return Token{}, &Error{Reason: EndingsStale, cause: silence(tok.staleness)}
	case MarkStale:
		tok.stale = true
		v.tally.marked()
	case AcceptStale:
	}
	return tok, nil
}

func silence(age time.Duration) error {
	if age == never {
		return errors.New("the issuer has not been heard about endings")
	}
	return fmt.Errorf("the issuer was last heard about endings %v ago", age.Round(time.Second))
}

// Staleness is how old the knowledge was, when the token was accepted, that it
// had not ended. It is 0 for a token that has no status claim: such a token
// lives until it expires, and nobody could say otherwise. It is the longest
// Duration there is when its list was never heard of.
func (t Token) Staleness() time.Duration { return t.staleness }

// Stale reports whether that was older than the route's MaxStaleness, where the
// route says [MarkStale].
func (t Token) Stale() bool { return t.stale }
