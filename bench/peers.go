package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/signet-id/signet/keys"
)

// The files that bench/peers/ready puts into a folder.
const (
	peerNode         = "issuer.mjs"
	peerZitadel      = "zitadel"
	peerVerify       = "verify.mjs"
	peerVerification = "verification"
)

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// proofs are tokens, and the keys to verify them with.
type proofs struct {
	Issuer   string                      `json:"issuer"`
	Audience string                      `json:"audience"`
	JWKS     json.RawMessage             `json:"jwks"`
	Tokens   map[keys.Algorithm][]string `json:"tokens"`
}

// askLibraries has the other libraries verify what pkg/verify did.
func (b *bench) askLibraries(ctx context.Context) error {
	if b.peers == "" {
		return nil
	}
	task, err := json.Marshal(b.proofs)
	if err != nil {
		return fmt.Errorf("writing the task: %w", err)
	}
	for _, program := range [][]string{{filepath.Join(b.peers, peerVerification)}, {"node", filepath.Join(b.peers, peerVerify)}} {
		if !exists(program[len(program)-1]) {
			continue
		}
		var complaints bytes.Buffer
		process := exec.CommandContext(ctx, program[0], program[1:]...)
		process.Stdin, process.Stderr = bytes.NewReader(task), &complaints
		answer, err := process.Output()
		if err != nil {
			return fmt.Errorf("verifying with %s: %w\n%s", filepath.Base(program[len(program)-1]), err, complaints.String())
		}
		if err := b.learn(answer); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) learn(answer []byte) error {
	var said []struct {
		Library, Algorithm string
		NS                 float64
		Allocs             *float64
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return fmt.Errorf("reading what the libraries took: %w", err)
	}
	for _, o := range said {
		c := check{who: o.Library, algorithm: o.Algorithm, ns: o.NS, allocs: math.NaN()}
		if o.Allocs != nil {
			c.allocs = *o.Allocs
		}
		b.page.learn(c)
	}
	return nil
}

// compareChecks is the table of all libraries, and who is ahead.
func (b *bench) compareChecks() error {
	if b.peers == "" {
		return nil
	}
	t := &table{title: "verifying a token, beside other libraries (p50 µs, allocations)", head: []string{"library", "ES256", "allocs", "EdDSA", "allocs", "RS256", "allocs"}}
	// Ours and the floor first, then the others as they came.
	who := []string{rawCheck, nameSignet, nameSignet + ", remembered"}
	for _, c := range b.page.checks {
		if !slices.Contains(who, c.who) {
			who = append(who, c.who)
		}
	}
	for _, name := range who {
		cells := []string{name}
		for _, algorithm := range []string{"ES256", "EdDSA", "RS256"} {
			for _, c := range b.page.checks {
				if c.who == name && c.algorithm == algorithm {
					cells = append(cells, number(c.ns/1000), countOf(c.allocs))
				}
			}
		}
		t.row(cells...)
	}
	b.judgeChecks()
	return t.print(b.out)
}

// judgeChecks holds the first sight of a token against every other library.
func (b *bench) judgeChecks() {
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256"} {
		var ours check
		quickest, fewest := math.Inf(1), math.Inf(1)
		for _, c := range b.page.checks {
			switch {
			case c.algorithm != algorithm || c.who == rawCheck:
			case c.who == nameSignet:
				ours = c
			case classOf(c.who) == "peer":
				quickest = min(quickest, c.ns)
				if !math.IsNaN(c.allocs) {
					fewest = min(fewest, c.allocs)
				}
			}
		}
		b.aim("verify, "+algorithm+", first sight, × the quickest other library", 1, ours.ns/quickest)
		b.aim("verify, "+algorithm+", first sight, allocations, and the fewest of the others", fewest, ours.allocs)
	}
}
