package interop

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

const (
	// knownWithin is what is promised: an ending reaches the verifiers of every
	// node within it.
	knownWithin = time.Second
	// settleWithin is how long a node and the verifiers that follow it may take to
	// be themselves again, once nothing is wrong any more.
	settleWithin = 12 * time.Second
)

// judge has a verifier at each node, which lives through all that happens to it,
// and asks them about tokens that have ended.
type judge struct {
	*cluster
	broken    func(format string, args ...any)
	verifiers []*verify.Verifier

	asking sync.WaitGroup
	judged atomic.Int64

	mu        sync.Mutex
	calm      []time.Duration // how long an ended token was accepted at nodes where nothing was wrong
	disturbed time.Duration   // and the longest where something was
	recovered time.Duration   // the longest after everything was right again
	false     time.Duration   // the most by which an ending was missing from knowledge that was said to be newer
}

func newJudge(t *testing.T, c *cluster, l *ledger) *judge {
	t.Helper()
	j := &judge{cluster: c, broken: l.broken}
	for _, n := range c.nodes {
		v := n.follow(t)
		t.Cleanup(v.Close)
		j.verifiers = append(j.verifiers, v)
	}
	return j
}

// follow begins a verifier that asks this node alone, and returns when it hears it.
func (n *node) follow(t *testing.T) *verify.Verifier {
	t.Helper()
	v, err := verify.New(crashIssuer, crashAudience,
		verify.WithHTTPClient(&http.Client{Transport: n.http}), verify.WithLogger(slog.New(slog.NewTextHandler(&n.heard, nil))))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); !v.Ready() || !v.Stats().Streaming; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: the stream is not heard: %+v", n.name, v.Stats())
		}
	}
	return v
}

// ended has every verifier asked about a token whose ending was acknowledged just
// now, until it refuses it.
func (j *judge) ended(ctx context.Context, raw string) {
	acknowledged := time.Now()
	for i, n := range j.nodes {
		j.asking.Go(func() { j.await(ctx, n, j.verifiers[i], raw, acknowledged) })
	}
}

// await asks one verifier until it refuses. While something is wrong with its
// node, or was just now, it may take its time.
func (j *judge) await(ctx context.Context, n *node, v *verify.Verifier, raw string, acknowledged time.Time) {
	disturbed, late := false, false
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		before := n.calmSince()
		tok, err := v.Verify(ctx, raw)
		now, calm := time.Now(), n.calmSince()
		if err == nil {
			j.deceived(now.Sub(acknowledged) - tok.Staleness())
		}
		if before != calm {
			disturbed = true
			continue
		}
		busy := j.strain.last()
		disturbed = disturbed || calm.IsZero() || calm.Add(settleWithin).After(acknowledged) || busy.After(acknowledged.Add(-breath))
		if errors.Is(err, verify.Ended) {
			j.note(disturbed, now.Sub(acknowledged), now.Sub(later(calm, acknowledged)))
			return
		}
		limit := acknowledged.Add(knownWithin)
		if disturbed {
			limit = later(later(acknowledged, calm.Add(settleWithin)), busy.Add(breath)).Add(knownWithin)
		}
		if err != nil { // refused, for whatever reason: that is no danger, but a verifier that knows nothing for long is of no use
			limit = limit.Add(settleWithin)
		}
		if calm.IsZero() || !now.After(limit) {
			late = false
			continue
		}
		if !late { // had this process to wait as well, that is known when it looks again
			late = true
			continue
		}
		j.fault(n, v, err, now.Sub(acknowledged), now.Sub(later(calm, busy)))
		return
	}
}

// fault tells of a verifier that should have refused a token by now.
func (j *judge) fault(n *node, v *verify.Verifier, err error, ago, calm time.Duration) {
	s := v.Stats()
	j.broken("%s: asked about a token that ended %s ago its verifier says %v (nil: accepted); nothing is wrong there for %s: %+v",
		n.name, ago, err, calm, struct {
			Streaming                    bool
			Connected, Refetched, Events uint64
			Keys, Endings                time.Duration
		}{s.Streaming, s.Connected, s.Refetched, s.Events, s.KeysStaleness, s.EndingsStaleness})
}

// deceived notes how much newer than an ending that it did not hear of a verifier's
// knowledge is said to be.
func (j *judge) deceived(by time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.false = max(j.false, by)
}

func (j *judge) note(disturbed bool, took, calm time.Duration) {
	j.judged.Add(1)
	j.mu.Lock()
	defer j.mu.Unlock()
	if !disturbed {
		j.calm = append(j.calm, took)
		return
	}
	j.disturbed = max(j.disturbed, took)
	if calm < took {
		j.recovered = max(j.recovered, calm)
	}
}

func (j *judge) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	slices.Sort(j.calm)
	at := func(q float64) time.Duration {
		if len(j.calm) == 0 {
			return 0
		}
		return j.calm[int(q*float64(len(j.calm)-1))].Round(time.Millisecond)
	}
	return fmt.Sprintf("%d times a verifier learned of an ending; %d of them at nodes where nothing was wrong: p50 %s, p99 %s, longest %s; where something was, longest %s, of which %s after it was right again; knowledge that lacked an ending was said to be newer than it by %s at most",
		j.judged.Load(), len(j.calm), at(0.5), at(0.99), at(1), j.disturbed.Round(time.Millisecond), j.recovered.Round(time.Millisecond), j.false.Round(time.Millisecond))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wantTaken expects that every node where nothing is wrong publishes the key that
// signed raw, so that whoever asks it can verify; and that the verifier that
// follows it takes the token, which is alive. f is what it belongs to, if anything.
func (c *chaos) wantTaken(ctx context.Context, raw string, f *family) {
	kid := kidOf(raw)
	for i, n := range c.nodes {
		calm := n.calmSince()
		if calm.IsZero() || time.Since(later(calm, c.strain.last())) < settleWithin {
			continue
		}
		kids, errKeys := n.kids(ctx)
		_, errToken := c.judge.verifiers[i].Verify(ctx, raw)
		if n.calmSince() != calm || time.Since(c.strain.last()) < settleWithin {
			continue
		}
		if errKeys != nil || !slices.Contains(kids, kid) {
			c.broken("%s does not publish key %s, which signs: %v, %v", n.name, kid, kids, errKeys)
		}
		if errToken != nil && !(errors.Is(errToken, verify.Ended) && c.isLate(f)) {
			c.broken("%s: its verifier does not take a token that was issued just now: %v", n.name, errToken)
		}
	}
}

// kidOf is the key that signed raw, as its header says.
func kidOf(raw string) string {
	var header struct {
		ID string `json:"kid"`
	}
	encoded, _, _ := strings.Cut(raw, ".")
	if text, err := base64.RawURLEncoding.DecodeString(encoded); err != nil || json.Unmarshal(text, &header) != nil {
		return "(none)"
	}
	return header.ID
}
