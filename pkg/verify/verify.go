package verify

import (
	"context"
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
		memory: newMemory(s.memory),
	}
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

// Close ends the goroutine that follows the keys. Afterwards every token is
// refused with [KeysUnavailable]. A second Close does nothing.
func (v *Verifier) Close() { v.keys.close() }

// Ready reports whether tokens can be judged now: whether there are keys, and
// the issuer has confirmed them within the last 24 hours. It never waits, and
// it counts as a use: a readiness probe is enough to get the keys fetched.
func (v *Verifier) Ready() bool {
	v.keys.start()
	return v.keys.live(time.Now()) != nil
}

// Staleness is how long ago the issuer last confirmed its keys. Before it ever
// did, it is the longest Duration there is, so that "more than" holds.
func (v *Verifier) Staleness() time.Duration {
	v.keys.start()
	return v.keys.staleness()
}

// Verify judges a token as it came in the Authorization header, without the
// scheme. The error is an [*Error]. ctx bounds the wait for keys, which only
// the first call, or a token whose key is new, has to do.
func (v *Verifier) Verify(ctx context.Context, raw string) (Token, error) {
	v.keys.start()
	c, refusal := v.verify(ctx, raw)
	if refusal != nil {
		refusal.place = v.place
		return Token{}, refusal
	}
	return Token{claims: c}, nil
}

func (v *Verifier) verify(ctx context.Context, raw string) (*claims, *Error) {
	if len(raw) > maxToken {
		return nil, fail(TooLarge)
	}
	digest, now := digestOf(raw), time.Now()
	if c := v.recall(&digest, now); c != nil {
		return c, v.checkExpiry(c, now)
	}
	token, refusal := cut(raw)
	if refusal != nil {
		return nil, refusal
	}
	k, refusal := v.keyOf(ctx, token.header)
	if refusal != nil {
		return nil, refusal
	}
	if !k.signed(token.signed, token.sig) {
		return nil, fail(BadSignature)
	}
	if k.header.Load() == nil {
		k.remember(token.header)
	}
	c, refusal := parseClaims(token.payload)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := v.judge(c, time.Now()); refusal != nil {
		return nil, refusal
	}
	c.digest, c.key, c.by = digest, k, v
	v.memory.remember(c)
	return c, nil
}

// recall returns what is remembered of a token, if its key is still published
// and the issuer has not been silent for too long.
func (v *Verifier) recall(d *digest, now time.Time) *claims {
	set := v.keys.live(now)
	if set == nil {
		return nil
	}
	c := v.memory.recall(d)
	if c == nil || !set.holds(c.key) {
		return nil
	}
	return c
}

// keyOf judges the header and returns the key that it names.
func (v *Verifier) keyOf(ctx context.Context, encoded string) (*key, *Error) {
	if set := v.keys.live(time.Now()); set != nil {
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
