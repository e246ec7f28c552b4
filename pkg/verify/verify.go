package verify

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Verifier judges access tokens of one issuer for one audience. It is safe for
// concurrent use; a service makes one and keeps it.
type Verifier struct {
	issuer, audience string
	algorithms       []Algorithm
	place            string
	keys             *follower
	memory           *memory
	endings          *endings
	patience         patience
	tally            *tally
}

// New makes a Verifier of tokens from issuer for this service, which audience
// names. Both are required: a verifier without an audience accepts tokens that
// were meant for another service. The issuer is compared byte for byte and must
// be https, or http on a loopback address.
//
// New asks the issuer nothing. The keys are fetched at the first use, by one
// goroutine that Close ends.
func New(issuer, audience string, options ...Option) (*Verifier, error) {
	s := settings{
		client: &http.Client{}, log: slog.Default(),
		algorithms: allAlgorithms(), memory: defaultMemory, realm: audience,
		patience: patience{defaultPatience, MarkStale},
	}
	errs := []error{checkIssuerURL(issuer)}
	if !isPrintable(audience) {
		errs = append(errs, errors.New("the audience must be printable ASCII, and not empty"))
	}
	for _, option := range options {
		errs = append(errs, option(&s))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	client := *s.client // a copy: the caller's own client keeps its redirects
	client.CheckRedirect = sameOrigin
	var disk *snapshot
	if s.snapshot != "" {
		disk = &snapshot{path: s.snapshot, issuer: issuer}
	}
	v := &Verifier{
		issuer: issuer, audience: audience, algorithms: s.algorithms, place: s.place(),
		keys:   newFollower(&origin{issuer: issuer, client: &client}, disk, s.log),
		memory: newMemory(s.memory), patience: s.patience, tally: newTally(),
	}
	v.endings = newEndings(issuer, &client, v.keys, s.log)
	v.endings.open = v.open
	set, err := disk.load(time.Now())
	if err != nil {
		s.log.WarnContext(context.Background(), "starting without the snapshot of the issuer's keys", "error", err)
	}
	v.keys.set.Store(set)
	return v, nil
}

func checkIssuerURL(issuer string) error {
	if err := checkURL(issuer); err != nil {
		return fmt.Errorf("the issuer: %w", err)
	}
	// OpenID Connect Discovery §3: scheme, host, perhaps a path, nothing else.
	if u, err := url.Parse(issuer); err != nil || u.RawQuery != "" || u.ForceQuery {
		return fmt.Errorf("the issuer: %q must not have a query", issuer)
	}
	return nil
}

// Close ends the goroutines that follow keys and endings. Afterwards every token
// is refused with [KeysUnavailable]. A second Close does nothing.
func (v *Verifier) Close() {
	v.endings.close()
	v.keys.close()
}

// start begins to follow keys and endings, the first time it is called.
func (v *Verifier) start() {
	v.keys.start()
	v.endings.start()
}

// Ready reports whether tokens can be judged now: whether there are keys, and
// the issuer has confirmed them within the last 24 hours. It never waits, and
// it counts as a use: a readiness probe is enough to get the keys fetched. It
// says nothing about endings, whose knowledge may be old without being useless:
// [Verifier.EndingsStaleness] does, for whoever wants to know more.
func (v *Verifier) Ready() bool {
	v.start()
	return v.keys.live(time.Now()) != nil
}

// Staleness is how long ago the issuer last confirmed its keys. Before it ever
// did, it is the longest Duration there is, so that "more than" holds.
func (v *Verifier) Staleness() time.Duration {
	v.start()
	return v.keys.staleness()
}

// Verify judges a token as it came in the Authorization header, without the
// scheme. The error is an [*Error]. ctx bounds the wait for keys, which only
// the first call, or a token whose key is new, has to do, and for a status list
// that is not held, which the first token of it has to.
func (v *Verifier) Verify(ctx context.Context, raw string) (Token, error) {
	v.start()
	seen, refusal := v.verify(ctx, raw)
	if refusal == nil {
		var tok Token
		if tok, refusal = v.weigh(seen.claims, seen.at); refusal == nil {
			v.tally.accept(seen.before)
			return tok, nil
		}
	}
	v.tally.refuse(refusal.Reason)
	refusal.place = v.place
	return Token{}, refusal
}

// sight is what one look at a token has found.
type sight struct {
	claims *claims
	at     time.Time
	before bool // its signature was checked another time
}

func (v *Verifier) verify(ctx context.Context, raw string) (sight, *Error) {
	if len(raw) > maxToken {
		return sight{}, fail(TooLarge)
	}
	var room [2560]byte // so that a token of ordinary size is neither hashed nor decoded on the heap
	text := append(room[:0], raw...)
	name, now := digest(sha256.Sum256(text)), time.Now()
	if c, refusal := v.again(&name, now); c != nil {
		return sight{c, now, true}, refusal
	}
	token, refusal := cutWithin(text, raw)
	if refusal != nil {
		return sight{}, refusal
	}
	k, refusal := v.keyOf(ctx, token.header, &now)
	if refusal != nil {
		return sight{}, refusal
	}
	if !k.signed(token.signed, token.sig) {
		return sight{}, fail(BadSignature)
	}
	if k.header.Load() == nil {
		k.remember(token.header)
	}
	c, refusal := parseClaims(token.payload)
	if refusal != nil {
		return sight{}, refusal
	}
	if refusal := v.judge(c, now); refusal != nil {
		return sight{}, refusal
	}
	if v.follow(ctx, c) {
		now = time.Now()
	}
	c.name, c.key, c.by = name, k, v
	v.memory.remember(c)
	return sight{c, now, false}, nil
}

// again judges a token whose signature was checked before, if it is remembered.
func (v *Verifier) again(name *digest, now time.Time) (*claims, *Error) {
	if c := v.recall(name, now); c != nil {
		return c, v.checkExpiry(c, now)
	}
	return nil, nil
}

// recall returns what is remembered of a token, if its key is still published
// and the issuer has not been silent for too long.
func (v *Verifier) recall(name *digest, now time.Time) *claims {
	set := v.keys.live(now)
	if set == nil {
		return nil
	}
	c := v.memory.recall(name)
	if c == nil || !set.holds(c.key) {
		return nil
	}
	return c
}

// keyOf judges the header and returns the key that it names. Where that may have
// taken a while, it moves now on.
func (v *Verifier) keyOf(ctx context.Context, encoded string, now *time.Time) (*key, *Error) {
	if set := v.keys.live(*now); set != nil {
		if k := set.byHeader(encoded); k != nil {
			return k, nil
		}
	}
	h, refusal := parseHeader(encoded)
	if refusal != nil {
		return nil, refusal
	}
	if !h.isAccessToken() {
		return nil, failOn(WrongType, "typ")
	}
	k, refusal := v.keyNamed(ctx, h)
	*now = time.Now()
	return k, refusal
}

// keyNamed returns the key that a header names, if the header may name it.
func (v *Verifier) keyNamed(ctx context.Context, h header) (*key, *Error) {
	if !slices.Contains(v.algorithms, h.alg) {
		return nil, failOn(AlgorithmRefused, "alg")
	}
	if h.kid == "" { // Signet always names its key: no name is worth asking for
		return nil, failOn(UnknownKey, "kid")
	}
	k, refusal := v.keys.find(ctx, h.kid)
	if refusal != nil {
		return nil, refusal
	}
	if h.alg != k.alg { // the key says what it is for, not the token (RFC 8725 §3.1)
		return nil, failOn(AlgorithmRefused, "alg")
	}
	if h.crit { // no extension is understood, so each must be refused (RFC 7515 §4.1.11)
		return nil, failOn(CriticalHeader, "crit")
	}
	return k, nil
}

// open checks the signature of something other than a token, which typ names
// (RFC 8725 §3.11), and returns its payload and what signed it. Its header is
// not remembered: it must never pass for that of a token. A key that is not known
// is the issuer's newest, which it may have had to take into use at once: what
// comes from the issuer itself, unlike a token, need not wait for askEvery.
func (v *Verifier) open(ctx context.Context, text, typ string) ([]byte, *key, error) {
	parts, refusal := cut(text)
	if refusal != nil {
		return nil, nil, refusal
	}
	h, refusal := parseHeader(parts.header)
	if refusal != nil {
		return nil, nil, refusal
	}
	if h.typ != typ {
		return nil, nil, failOn(WrongType, "typ")
	}
	k, refusal := v.keyNamed(ctx, h)
	if refusal != nil && refusal.Reason == UnknownKey && h.kid != "" {
		v.keys.renewed(ctx)
		k, refusal = v.keyNamed(ctx, h)
	}
	if refusal != nil {
		return nil, nil, refusal
	}
	if !k.signed(parts.signed, parts.sig) {
		return nil, nil, fail(BadSignature)
	}
	return parts.payload, k, nil
}
