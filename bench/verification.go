package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/signet-id/signet/internal/app"
	hashing "github.com/signet-id/signet/internal/authn/password"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/keys"
)

// tokens is how many different tokens a verifier sees for the first time.
const tokens = 1000

// passes is how often a remembered token comes again, in a round.
const passes = 50

// blocks is into how many parts a line of verifications is cut.
const blocks = 20

// What a service pays for each token that it is shown.
const (
	aimFirst      = 1.10 // times the raw signature check
	aimRemembered = 1.5  // µs
	aimAllocs     = 2
)

// verification measures pkg/verify in this process, on one goroutine: the issuer
// beside it is asked for keys and lists, once.
func (b *bench) verification(ctx context.Context) error {
	const name = "verify, in process"
	if !b.only.MatchString(name) {
		return nil
	}
	sights := []sight{}
	err := b.verifying(ctx, "verify", func(a *app.App, address string) error {
		b.proofs = proofs{Issuer: issuerURL, Audience: audience, JWKS: a.Keys().JWKS().Body, Tokens: map[keys.Algorithm][]string{}}
		for range rounds {
			for _, algorithm := range []keys.Algorithm{keys.ES256, keys.EdDSA, keys.RS256} {
				raw, err := mintMany(ctx, a, algorithm, tokens)
				if err != nil {
					return fmt.Errorf("%s: %w", algorithm, err)
				}
				b.proofs.Tokens[algorithm] = raw
				if sights, err = verifyOnce(ctx, address, algorithm, raw, sights); err != nil {
					return fmt.Errorf("%s: %w", algorithm, err)
				}
			}
			if err := b.askLibraries(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	t := &table{title: name + " (per token)", head: []string{"token", "per second", "p50 µs", "× floor", "p99 µs", "allocs", "floor"}}
	for _, s := range sights {
		b.verified(s, t)
	}
	if err := t.print(b.out); err != nil {
		return err
	}
	return b.compareChecks()
}

// sight is one way of verifying a token, beside its floor. Of several rounds the
// best is kept, of each by itself: what a neighbour on the machine does to a
// single goroutine makes it slower, and never quicker.
type sight struct {
	algorithm   keys.Algorithm
	first       bool // the signature is checked, or remembered
	floorName   string
	ours, floor figures
}

// verifyOnce verifies each token once, and then again and again.
func verifyOnce(ctx context.Context, address string, algorithm keys.Algorithm, raw []string, all []sight) ([]sight, error) {
	v, err := newVerifier(address, places(tokens))
	if err != nil {
		return nil, err
	}
	defer v.Close()
	bare, err := newSigner(algorithm)
	if err != nil {
		return nil, err
	}
	check := func(raw string) error { _, err := v.Verify(ctx, raw); return err }
	if err := check(raw[0]); err != nil { // the keys are fetched, and its status list
		return nil, err
	}
	hash := func(raw string) error { sink := sha256.Sum256([]byte(raw)); return nonZero(sink) }
	for _, s := range []struct {
		sight
		raw   []string
		floor func(string) error
	}{
		{sight{algorithm: algorithm, first: true, floorName: "the bare signature"}, raw[1:], func(string) error { return bare.verify() }},
		// Each takes a microsecond: many passes, or a single pause decides.
		{sight{algorithm: algorithm, floorName: "SHA-256 of the token"}, slices.Repeat(raw[1:], passes), hash},
	} {
		if s.ours, s.sight.floor, err = inTurns(s.raw, check, s.floor); err != nil {
			return nil, err
		}
		all = keepBest(all, s.sight)
	}
	return all, nil
}

func keepBest(all []sight, s sight) []sight {
	for i, before := range all {
		if before.algorithm == s.algorithm && before.first == s.first {
			if s.ours.percentile(0.5) < before.ours.percentile(0.5) {
				all[i].ours = s.ours
			}
			if s.floor.percentile(0.5) < before.floor.percentile(0.5) {
				all[i].floor = s.floor
			}
			return all
		}
	}
	return append(all, s)
}

// verified notes what was found, beside what was aimed at.
func (b *bench) verified(s sight, t *table) {
	// The medians are compared: a pause of the machine hits one of the two.
	half, bare, allocs := micros(s.ours.percentile(0.5)), micros(s.floor.percentile(0.5)), s.ours.per(float64(s.ours.used.Mallocs))
	name, who := string(s.algorithm)+", first sight", nameSignet
	if s.first {
		b.aim("verify, "+name+", × raw", aimFirst, half/bare)
		b.page.learn(check{rawCheck, string(s.algorithm), 1000 * bare, s.floor.per(float64(s.floor.used.Mallocs))})
	} else {
		name, who = string(s.algorithm)+", remembered", nameSignet+", remembered"
		b.aim("verify, "+name+", µs", aimRemembered, half)
		b.aim("verify, "+name+", allocations", aimAllocs, allocs)
	}
	b.page.learn(check{who, string(s.algorithm), 1000 * half, allocs})
	t.row(name, number(s.ours.rate()), number(half), number(half/bare), number(micros(s.ours.percentile(0.99))), number(allocs),
		s.floorName+": "+number(bare)+" µs")
}

// nonZero keeps the compiler from leaving the digest out.
func nonZero(digest [sha256.Size]byte) error {
	if digest == [sha256.Size]byte{} {
		return errors.New("a digest of zeros")
	}
	return nil
}

// example is an access token of somebody who is signed in, and what signs it.
func example(ctx context.Context, a *app.App, algorithm keys.Algorithm) (*token.Mint, token.Access, error) {
	m := *a.Mint()
	m.AccessAlg = algorithm
	at, _, err := a.Status().Slots.Take(ctx, clientShop)
	return &m, token.Access{
		Subject: "qUcWNYOqjdYAnZ5rIyMOLQ", Audience: []string{audience}, ClientID: clientShop, Scopes: []string{"openid", scope},
		AuthTime: time.Now(), ACR: "1", AMR: []string{"pwd"}, SessionID: "wTQfTSlWWj2LDmmc3GcL2g", Roles: []string{"clerk"}, Slot: at,
	}, err
}

// inTurns does two things with each token, in blocks of some, so that a
// neighbour on the machine disturbs both alike.
func inTurns(raw []string, one, other func(string) error) (a, b figures, err error) {
	runtime.GC() // what was made before is not collected on this account
	for block := range slices.Chunk(raw, max(1, len(raw)/blocks)) {
		for f, do := range map[*figures]func(string) error{&a: one, &b: other} {
			part, err := inTurn(block, do)
			if err != nil {
				return a, b, err
			}
			f.steps += part.steps
			f.elapsed += part.elapsed
			f.took = append(f.took, part.took...)
			f.used.Mallocs += part.used.Mallocs
		}
	}
	return a, b, nil
}

// inTurn does something with each token, one after the other.
func inTurn(raw []string, do func(string) error) (figures, error) {
	f := figures{steps: len(raw), took: make([]time.Duration, 0, len(raw))}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	last := began
	for _, r := range raw {
		if err := do(r); err != nil {
			return f, err
		}
		now := time.Now()
		f.took, last = append(f.took, now.Sub(last)), now
	}
	f.elapsed = time.Since(began)
	runtime.ReadMemStats(&after)
	f.used.Mallocs = after.Mallocs - before.Mallocs
	return f, nil
}

// serve lets a composed issuer answer on a free port until stop is called.
func serve(ctx context.Context, a *app.App) (address string, stop func() error, err error) {
	at, err := a.Listen(ctx)
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- a.Run(ctx) }()
	return at.String(), func() error { cancel(); return <-served }, nil
}

// rawCosts shows what the machine charges for the parts, alone.
func (b *bench) rawCosts(context.Context) error {
	const name = "the parts, alone"
	if !b.only.MatchString(name) {
		return nil
	}
	t := &table{title: name + " (one goroutine, standard library)", head: []string{"part", "make µs", "check µs"}}
	if err := b.hashRow(t); err != nil {
		return err
	}
	for _, algorithm := range []keys.Algorithm{keys.ES256, keys.EdDSA, keys.RS256} {
		s, err := newSigner(algorithm)
		if err != nil {
			return err
		}
		times := slices.Repeat([]string{""}, 300)
		signing, err := inTurn(times, func(string) error { _, err := s.sign(); return err })
		if err != nil {
			return err
		}
		checking, err := inTurn(times, func(string) error { return s.verify() })
		if err != nil {
			return err
		}
		t.row(string(algorithm), number(micros(signing.percentile(0.5))), number(micros(checking.percentile(0.5))))
	}
	return t.print(b.out)
}

// hashRow is what a password costs, which is the larger part of a sign-in.
func (b *bench) hashRow(t *table) error {
	hasher, err := hashing.New(hashing.Options{})
	if err != nil {
		return err
	}
	const few = 10
	f, err := onCores(1, few, func(int) error { _, err := hasher.Hash(context.Background(), password); return err })
	if err != nil {
		return fmt.Errorf("hashing: %w", err)
	}
	name := "argon2id, 19 MiB, 2 passes"
	for _, o := range b.page.outcomes {
		if o.scenario == passwordSignIn && o.server == nameSignet {
			name += fmt.Sprintf(": %.0f%% of a sign-in", 100*f.cost()/o.cost)
		}
	}
	t.row(name, number(f.cost()), number(f.cost()))
	return nil
}
