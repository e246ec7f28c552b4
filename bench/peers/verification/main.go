// Command verification measures other libraries at what pkg/verify does: it
// reads tokens and keys that an issuer made, verifies them with each library in
// turn, and prints what a token cost as JSON. Each does the same work: choose the
// key by its id, check the signature, and check issuer, audience and times.
//
//	stdin: {issuer, audience, jwks, tokens by algorithm} ──▶ stdout: [{library, algorithm, ns, allocs}]
//
// It never leaves this machine; go-oidc fetches the keys from a server of its own.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

// task is what is to be verified.
type task struct {
	Issuer   string              `json:"issuer"`
	Audience string              `json:"audience"`
	JWKS     json.RawMessage     `json:"jwks"`
	Tokens   map[string][]string `json:"tokens"` // by algorithm
}

// outcome is what one token cost a library.
type outcome struct {
	Library   string  `json:"library"`
	Algorithm string  `json:"algorithm"`
	NS        float64 `json:"ns"` // the median
	Allocs    float64 `json:"allocs"`
}

// library makes a verification of tokens of one algorithm.
type library struct {
	name string
	open func(ctx context.Context, t task, algorithm string) (func(raw string) error, error)
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "verification:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var t task
	if err := json.NewDecoder(os.Stdin).Decode(&t); err != nil {
		return fmt.Errorf("reading the task: %w", err)
	}
	stop, keysURL, err := publish(t.JWKS)
	if err != nil {
		return err
	}
	defer stop()
	all := []outcome{}
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256"} {
		for _, l := range libraries(keysURL) {
			verify, err := l.open(ctx, t, algorithm)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", l.name, algorithm, err)
			}
			o, err := measure(t.Tokens[algorithm], verify)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", l.name, algorithm, err)
			}
			o.Library, o.Algorithm = l.name, algorithm
			all = append(all, o)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

// measure verifies each token once. A library that accepts a token whose
// signature was tampered with has not been set up to verify anything.
func measure(tokens []string, verify func(string) error) (outcome, error) {
	for _, raw := range tokens[:min(len(tokens), 20)] { // the keys are fetched, the code is warm
		if err := verify(raw); err != nil {
			return outcome{}, err
		}
	}
	if verify(tampered(tokens[0])) == nil {
		return outcome{}, fmt.Errorf("a wrong signature was accepted")
	}
	var before, after runtime.MemStats
	took := make([]float64, 0, len(tokens))
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, raw := range tokens {
		began := time.Now()
		if err := verify(raw); err != nil {
			return outcome{}, err
		}
		took = append(took, float64(time.Since(began)))
	}
	runtime.ReadMemStats(&after)
	slices.Sort(took)
	return outcome{NS: took[len(took)/2], Allocs: float64(after.Mallocs-before.Mallocs) / float64(len(tokens))}, nil
}

// tampered changes a character in the middle of the signature.
func tampered(raw string) string {
	b := []byte(raw)
	at := len(b) - 20
	if b[at] == 'A' {
		b[at] = 'B'
	} else {
		b[at] = 'A'
	}
	return string(b)
}
