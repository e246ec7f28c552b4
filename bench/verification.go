package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/keys"
	"github.com/signet-id/signet/pkg/verify"
)

// tokens is how many different tokens a verifier sees for the first time.
const tokens = 2000

// verification measures pkg/verify in this process, on one goroutine: the issuer
// beside it is asked for keys and lists, once.
func (b *bench) verification(ctx context.Context) (err error) {
	const name = "verify, in process"
	if !b.only.MatchString(name) {
		return nil
	}
	dir, err := b.folder("verify")
	if err != nil {
		return err
	}
	if err := b.estate.copyTo(dir); err != nil {
		return err
	}
	a, err := app.New(ctx, settings(dir, string(keys.ES256), slog.LevelError), app.Options{NoSync: true, Log: io.Discard})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	address, stop, err := serve(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	t := &table{title: name + " (per token)", head: []string{"token", "per second", "p50 µs", "× floor", "p99 µs", "allocs", "floor"}}
	for _, algorithm := range []keys.Algorithm{keys.ES256, keys.EdDSA, keys.RS256} {
		if err := verifyRows(ctx, a, address, algorithm, t); err != nil {
			return fmt.Errorf("%s: %w", algorithm, err)
		}
	}
	return t.print(b.out)
}

func verifyRows(ctx context.Context, a *app.App, address string, algorithm keys.Algorithm, t *table) error {
	raw, err := mint(ctx, a, algorithm)
	if err != nil {
		return err
	}
	// The issuer is https, with TLS left to a proxy that is not here.
	v, err := verify.New(issuerURL, audience, verify.WithMemory(2*tokens), verify.WithHTTPClient(&http.Client{
		Transport: &http.Transport{DialTLSContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		}},
	}))
	if err != nil {
		return err
	}
	defer v.Close()
	bare, err := newSigner(algorithm)
	if err != nil {
		return err
	}
	check := func(raw string) error { _, err := v.Verify(ctx, raw); return err }
	if err := check(raw[0]); err != nil { // the keys are fetched, and its status list
		return err
	}
	floors := []struct {
		name string
		do   func(string) error
	}{
		{"the bare signature", func(string) error { return bare.verify() }},
		{"SHA-256 of the token", func(raw string) error { sink := sha256.Sum256([]byte(raw)); return nonZero(sink) }},
	}
	for i, sight := range []string{"first sight", "remembered"} {
		all := raw[1:]
		if i > 0 { // each takes a microsecond: many passes, or a single pause decides
			all = slices.Repeat(all, 50)
		}
		ours, err := inTurn(all, check)
		if err != nil {
			return err
		}
		floor, err := inTurn(all, floors[i].do)
		if err != nil {
			return err
		}
		// The medians are compared: a pause of the machine hits one of the two.
		half, bare := micros(ours.percentile(0.5)), micros(floor.percentile(0.5))
		t.row(string(algorithm)+", "+sight, number(float64(ours.steps)/ours.elapsed.Seconds()), number(half), number(half/bare),
			number(micros(ours.percentile(0.99))), number(ours.per(float64(ours.used.Mallocs))), floors[i].name+": "+number(bare)+" µs")
	}
	return nil
}

// nonZero keeps the compiler from leaving the digest out.
func nonZero(digest [sha256.Size]byte) error {
	if digest == [sha256.Size]byte{} {
		return errors.New("a digest of zeros")
	}
	return nil
}

// mint makes the access tokens of somebody who is signed in.
func mint(ctx context.Context, a *app.App, algorithm keys.Algorithm) ([]string, error) {
	m := *a.Mint()
	m.AccessAlg = algorithm
	raw := make([]string, tokens)
	for i := range raw {
		at, _, err := a.Status().Slots.Take(ctx, clientShop)
		if err != nil {
			return nil, err
		}
		raw[i], err = m.Access(ctx, token.Access{
			Subject: "qUcWNYOqjdYAnZ5rIyMOLQ", Audience: []string{audience}, ClientID: clientShop, Scopes: []string{"openid", scope},
			ID: "jti-" + strconv.Itoa(i), AuthTime: time.Now(), ACR: "1", AMR: []string{"pwd"}, SessionID: "wTQfTSlWWj2LDmmc3GcL2g",
			Roles: []string{"clerk"}, Slot: at,
		}, time.Now())
		if err != nil {
			return nil, err
		}
	}
	return raw, nil
}

// inTurn does something with each token, one after the other.
func inTurn(raw []string, do func(string) error) (figures, error) {
	f := figures{steps: len(raw), took: make([]time.Duration, 0, len(raw))}
	var before, after runtime.MemStats
	runtime.GC() // what was made before is not collected on this account
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
	t := &table{title: name + " (one goroutine, standard library)", head: []string{"signature", "sign µs", "verify µs"}}
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
