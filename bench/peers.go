package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/signet-id/signet/keys"
)

// The files that bench/peers/ready puts into a folder.
const (
	peerIssuer       = "issuer.mjs"
	peerVerify       = "verify.mjs"
	peerVerification = "verification"
)

// foreign is the process of a server that we did not write.
type foreign struct {
	process *exec.Cmd
	stdin   io.WriteCloser
	log     *os.File
}

// worked is the processors' time of it so far, to a hundredth of a second.
func (f *foreign) worked() time.Duration { return treeTime(f.process.Process.Pid, true) }

func (f *foreign) stop() error {
	err := f.stdin.Close() // which ends it
	return errors.Join(err, f.process.Wait(), f.log.Close())
}

// peerClient is a client as the peers are told of it.
type peerClient struct {
	ID         string `json:"id"`
	Secret     string `json:"secret"`
	Machine    bool   `json:"machine,omitempty"`
	IDTokenAlg string `json:"idTokenAlg,omitempty"`
}

// contendPeer starts the issuer of npm that signs access tokens so, or none.
func (b *bench) contendPeer(ctx context.Context, algorithm keys.Algorithm) (_ *contender, err error) {
	if b.peers == "" || algorithm == keys.EdDSA || !exists(filepath.Join(b.peers, peerIssuer)) {
		return nil, nil
	}
	f := &foreign{process: exec.CommandContext(ctx, "node", filepath.Join(b.peers, peerIssuer))}
	if f.log, err = os.Create(filepath.Join(b.dir, "peer-"+string(algorithm)+".log")); err != nil {
		return nil, fmt.Errorf("opening the log of a peer: %w", err)
	}
	f.process.Stderr = f.log
	f.process.Env = append(os.Environ(), "NODE_ENV=production")
	if f.stdin, err = f.process.StdinPipe(); err != nil {
		return nil, fmt.Errorf("starting a peer: %w", err)
	}
	stdout, err := f.process.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting a peer: %w", err)
	}
	if err := f.process.Start(); err != nil {
		return nil, fmt.Errorf("starting a peer: %w", err)
	}
	task := map[string]any{
		"issuer": issuerURL, "audience": audience, "scope": scope, "callback": callback, "algorithm": algorithm,
		"clients": []peerClient{
			{ID: clientRobot, Secret: b.estate.secrets[clientRobot], Machine: true},
			{ID: clientShop, Secret: b.estate.secrets[clientShop], IDTokenAlg: string(keys.ES256)},
			{ID: clientOld, Secret: b.estate.secrets[clientOld], IDTokenAlg: string(keys.RS256)},
		},
	}
	if err := json.NewEncoder(f.stdin).Encode(task); err != nil {
		return nil, errors.Join(fmt.Errorf("telling a peer its task: %w", err), f.stop())
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for a peer: %w\n%s", err, lastLines(f.log.Name())), f.stop())
	}
	c := &contender{name: "oidc-provider, in memory", process: f}
	if c.visitors, err = visit(ctx, strings.TrimSpace(address), b.connections, b.estate); err != nil {
		return nil, errors.Join(err, f.stop())
	}
	return c, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// enter signs in at an issuer that we did not write: it follows where the
// browser is sent, and keeps the cookies of the session.
func (v *visitor) enter() error {
	v.jar = map[string]string{}
	defer func() { v.jar = nil }()
	target := asking(clientShop)
	for range 5 {
		if err := v.do(http.StatusSeeOther, http.MethodGet, target, "Accept: text/html\r\nCookie: "+v.kept("")+"\r\n", ""); err != nil {
			return err
		}
		if strings.HasPrefix(v.location, callback) {
			v.cookies = v.kept("_session")
			return nil
		}
		at, err := url.Parse(v.location)
		if err != nil {
			return fmt.Errorf("following a redirect: %w", err)
		}
		target = at.RequestURI()
	}
	return fmt.Errorf("still on the way after five redirects, to %s", v.location)
}

// kept are the cookies in the jar whose name begins so.
func (v *visitor) kept(prefix string) string {
	all := []string{}
	for name, value := range v.jar {
		if strings.HasPrefix(name, prefix) && value != "" {
			all = append(all, name+"="+value)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "; ")
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
