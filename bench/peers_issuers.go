package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/signet-id/signet/keys"
)

// peer is an issuer that we did not write, a program in the folder of the peers.
type peer struct {
	name    string
	program string
	runner  string // what runs it; empty: it runs by itself

	oneKey  bool // it signs ID tokens with the key of the access tokens
	openSSL bool // its signatures are OpenSSL's, whose RSA takes half of the time that Go's does
}

func peers() []peer {
	return []peer{
		{name: "oidc-provider, in memory", program: peerNode, runner: "node", openSSL: true},
		{name: "zitadel/oidc, in memory", program: peerZitadel, oneKey: true},
	}
}

// plays reports whether the peer can do what the scenario asks for.
func (p peer) plays(s scenario) bool {
	return s.peers != nil && (!p.oneKey || s.idToken == "" || s.idToken == s.algorithm)
}

// foreign is the process of a peer.
type foreign struct {
	peer
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

// contendPeers starts the issuers of others that are here, to sign access
// tokens so. None of them knows EdDSA.
func (b *bench) contendPeers(ctx context.Context, algorithm keys.Algorithm) (all []*contender, err error) {
	if b.peers == "" || algorithm == keys.EdDSA {
		return nil, nil
	}
	for _, p := range peers() {
		if !exists(filepath.Join(b.peers, p.program)) {
			continue
		}
		c, err := b.contendPeer(ctx, p, algorithm)
		if err != nil {
			return all, fmt.Errorf("%s: %w", p.name, err)
		}
		all = append(all, c)
	}
	return all, nil
}

func (b *bench) contendPeer(ctx context.Context, p peer, algorithm keys.Algorithm) (*contender, error) {
	f, stdout, err := b.startPeer(ctx, p, algorithm)
	if err != nil {
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
	c := &contender{name: p.name, process: f}
	if c.visitors, err = visit(ctx, strings.TrimSpace(address), b.connections, b.estate); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (b *bench) startPeer(ctx context.Context, p peer, algorithm keys.Algorithm) (f *foreign, stdout io.Reader, err error) {
	line := []string{filepath.Join(b.peers, p.program)}
	if p.runner != "" {
		line = slices.Insert(line, 0, p.runner)
	}
	f = &foreign{peer: p, process: exec.CommandContext(ctx, line[0], line[1:]...)}
	f.process.Env = append(os.Environ(), "NODE_ENV=production")
	if f.stdin, err = f.process.StdinPipe(); err != nil {
		return nil, nil, err
	}
	if stdout, err = f.process.StdoutPipe(); err != nil {
		return nil, nil, err
	}
	if f.log, err = os.Create(filepath.Join(b.dir, p.program+"-"+string(algorithm)+".log")); err != nil {
		return nil, nil, err
	}
	f.process.Stderr = f.log
	if err := f.process.Start(); err != nil {
		return nil, nil, errors.Join(err, f.log.Close())
	}
	return f, stdout, nil
}

// enter signs in at an issuer that we did not write, and keeps the cookies of
// the session.
func (v *visitor) enter() error {
	v.jar = map[string]string{}
	defer func() { v.jar = nil }()
	if err := v.browse(asking(clientShop)); err != nil {
		return err
	}
	v.cookies = v.kept("_session")
	return nil
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
