// Package assertion owns the judging of client assertions: short-lived JWTs by
// which a client proves who it is without sending a secret (RFC 7523, OpenID
// Connect Core §9: private_key_jwt and client_secret_jwt).
//
//	JWT ──form──▶ alg of the client's method ──▶ its key ──▶ signature
//	                                              │
//	           registered, or fetched from its jwks_uri and kept
//
//	──▶ iss, sub, aud, exp, nbf, iat, jti ──▶ Accepted{Op} ──the caller's Commit
//
// An assertion is good once. Everything else is judged first; what comes back then
// carries the one store operation that spends the jti, and the caller commits it
// alone or with what it writes anyway. Without that Commit nobody is
// authenticated.
//
// The package never looks for the client, never answers anybody, and never
// believes what an assertion says about its own key (jwk, jku, x5c and x5u are
// not read).
package assertion

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// Type is the client_assertion_type of what this package judges (RFC 7523 §2.2).
const Type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	// MaxAssertion is the length in bytes above which an assertion is refused
	// unread. Some clients send their certificates along, which nobody reads.
	MaxAssertion = 16 << 10
	// MaxLifetime bounds how far ahead exp may be, and so for how long a jti is
	// remembered.
	MaxLifetime = 10 * time.Minute
	// Leeway is how far the client's clock may be off.
	Leeway = 30 * time.Second

	maxID = 256 // bytes in a jti
)

// Fetcher reads the document at a URL; remote.Fetcher is one.
type Fetcher interface {
	Fetch(ctx context.Context, url string) (body []byte, maxAge time.Duration, err error)
}

// Options are what an Authenticator is made of; all are required.
type Options struct {
	// Audience are the names of this server, any of which an assertion may be for:
	// the issuer and the URL of the token endpoint (Core §9).
	Audience []string
	Fetch    Fetcher
	Box      client.Opener // opens the secrets of client_secret_jwt
}

// Authenticator judges assertions. Make it with New; it is safe for concurrent use.
type Authenticator struct {
	audience []string
	box      client.Opener
	sets     *keySets
}

// New makes an Authenticator.
func New(o Options) *Authenticator {
	return &Authenticator{audience: slices.Clone(o.Audience), box: o.Box, sets: newKeySets(o.Fetch)}
}

// Accepted is an assertion in which everything is right but that it may have been
// used before: committing Op decides that.
type Accepted struct {
	JTI     string
	Expires time.Time
	Op      store.Op
}

// Judge checks that raw is an assertion of c, for this server, at now. What is not
// is fault.Unauthenticated; its message says more than "no" only to whoever
// holds the client's key.
func (a *Authenticator) Judge(ctx context.Context, c client.Client, raw string, now time.Time) (Accepted, error) {
	j, err := parse(raw)
	if err != nil {
		return Accepted{}, refuse(err)
	}
	if !slices.Contains(c.AssertionAlgs(), j.alg) {
		return Accepted{}, refuse(fmt.Errorf("alg is %q, client %s (%s) may use %v", j.alg, c.ID, c.AuthMethod, c.AssertionAlgs()))
	}
	candidates, err := a.keysFor(ctx, c, j, now)
	if err != nil {
		return Accepted{}, err
	}
	if !slices.ContainsFunc(candidates, j.signedBy) {
		return Accepted{}, refuse(fmt.Errorf("not signed by key %q of client %s", j.kid, c.ID))
	}
	cl, err := j.claims()
	if err == nil {
		err = cl.check(c.ID, a.audience, now)
	}
	if err != nil {
		return Accepted{}, fault.Wrap(fault.Unauthenticated, fmt.Errorf("an assertion signed by client %s", c.ID), "the assertion %s", err.Error())
	}
	return accept(c.ID, cl), nil
}

// accept makes the operation that spends the jti. It is remembered for longer than
// the assertion is good, so that nodes whose clocks differ do not take it twice.
func accept(clientID string, cl claims) Accepted {
	digest := sha256.Sum256([]byte(cl.id))
	key := "assertion/" + clientID + "/" + base64.RawURLEncoding.EncodeToString(digest[:])
	return Accepted{
		JTI: cl.id, Expires: cl.expires,
		Op: store.Put(key, nil).IfAbsent().Until(cl.expires.Add(2 * Leeway)),
	}
}

// Explain turns the failure of the Commit that carried Op into the refusal that it
// is, if it is one: the jti was used before. Another failure stays what it was.
func (a Accepted) Explain(err error) error {
	var conflict *store.ConflictError
	if errors.As(err, &conflict) && conflict.Key == a.Op.Key {
		return fault.Wrap(fault.Unauthenticated, err, "the assertion was used before: make a new one, with a new jti, for every request (RFC 7523 §3)")
	}
	return err
}

// keysFor returns the keys that could have signed j: bytes for a MAC, else public
// keys that make signatures of its algorithm.
func (a *Authenticator) keysFor(ctx context.Context, c client.Client, j token, now time.Time) ([]any, error) {
	var candidates []any
	switch {
	case c.AuthMethod == client.AuthSecretJWT:
		secrets, err := c.OpenSecrets(a.box)
		if err != nil {
			return nil, err // ours: the store and the key-encryption key differ
		}
		for _, s := range secrets {
			candidates = append(candidates, []byte(s.Reveal()))
		}
	case c.JWKSURI != "":
		keys, err := a.sets.find(ctx, c.ID, c.JWKSURI, now, func(keys []client.Key) bool { return len(choose(keys, j)) > 0 })
		if err != nil {
			return nil, refuse(fmt.Errorf("the keys of client %s: %w", c.ID, err))
		}
		candidates = choose(keys, j)
	default:
		keys, err := client.ParseJWKS(c.JWKS)
		if err != nil {
			return nil, refuse(fmt.Errorf("the keys of client %s: %w", c.ID, err))
		}
		candidates = choose(keys, j)
	}
	return candidates, nil
}

// choose returns the keys that j may be signed with: those of its kid, or, when it
// names none, the only one that fits. A client with several must name one
// (Core §10.1): we do not try them all.
func choose(keys []client.Key, j token) []any {
	var fit []any
	for _, k := range keys {
		if k.Signs(j.alg) && (j.kid == "" || j.kid == k.ID) {
			fit = append(fit, k.Public)
		}
	}
	if j.kid == "" && len(fit) > 1 {
		return nil
	}
	return fit
}

// refuse is the one answer to whoever has not shown that they hold the client's
// key; the cause is for the log.
func refuse(cause error) error {
	return fault.Wrap(fault.Unauthenticated, cause, "client authentication failed")
}
