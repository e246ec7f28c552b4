package interop

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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
	// tooBusy is the share of the time that may be spent waiting for a processor
	// before this machine is no judge of seconds.
	tooBusy = 0.3
)

// judge has a verifier at each node, which lives through all that happens to it,
// and asks them about tokens that have ended.
type judge struct {
	*cluster
	broken    func(format string, args ...any)
	verifiers []*verify.Verifier

	asking sync.WaitGroup
	judged atomic.Int64
	busy   atomic.Int64 // when the machine was last too busy, in ns

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
		verify.WithHTTPClient(&http.Client{Transport: n.http}), verify.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); !v.Ready() || !v.Stats().Streaming; time.Sleep(time.Millisecond) {
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
	disturbed := false
	for {
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
		since := later(calm, time.Unix(0, j.busy.Load()))
		disturbed = disturbed || calm.IsZero() || since.Add(settleWithin).After(acknowledged) && since.After(acknowledged.Add(-settleWithin))
		if errors.Is(err, verify.Ended) {
			j.note(disturbed, now.Sub(acknowledged), now.Sub(later(since, acknowledged)))
			return
		}
		limit := acknowledged
		if disturbed {
			limit = later(acknowledged, since.Add(settleWithin))
		}
		if err == nil && !calm.IsZero() && now.After(limit.Add(knownWithin)) {
			s := v.Stats()
			j.broken("%s: a token that ended %s ago is accepted; nothing is wrong there for %s: %+v",
				n.name, now.Sub(acknowledged), now.Sub(since), struct {
					Streaming                    bool
					Connected, Refetched, Events uint64
					Keys, Endings                time.Duration
				}{s.Streaming, s.Connected, s.Refetched, s.Events, s.KeysStaleness, s.EndingsStaleness})
			return
		}
		if ctx.Err() != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
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
	return fmt.Sprintf("%d times a verifier learned of an ending; at nodes where nothing was wrong p50 %s, p99 %s, longest %s; where something was, longest %s, of which %s after it was right again; knowledge that lacked an ending was said to be newer than it by %s at most",
		j.judged.Load(), at(0.5), at(0.99), at(1), j.disturbed.Round(time.Millisecond), j.recovered.Round(time.Millisecond), j.false.Round(time.Millisecond))
}

// listen notes when this machine is too busy to be a judge of seconds, until ctx
// ends: timers that fire late tell how long somebody has to wait for a processor.
func (j *judge) listen(ctx context.Context) {
	const tick = 10 * time.Millisecond
	late := 0.0 // the average share of the last second that was waited
	for begun := time.Now(); ctx.Err() == nil; {
		time.Sleep(tick)
		now := time.Now()
		took := now.Sub(begun)
		weight := min(1, took.Seconds())
		late = late*(1-weight) + weight*float64(took-tick)/float64(took)
		if begun = now; late > tooBusy {
			j.busy.Store(now.UnixNano())
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wantPublished expects that every node where nothing is wrong publishes the key
// that signed raw: whoever asks it can verify.
func (c *chaos) wantPublished(ctx context.Context, raw string) {
	kid := kidOf(raw)
	for _, n := range c.nodes {
		calm := n.calmSince()
		if calm.IsZero() || time.Since(calm) < settleWithin {
			continue
		}
		kids, err := n.kids(ctx)
		if n.calmSince() == calm && (err != nil || !slices.Contains(kids, kid)) {
			c.broken("%s does not publish key %s, which signs: %v, %v", n.name, kid, kids, err)
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

// pulse measures how long nothing was acknowledged that changes anything.
type pulse struct {
	begun  time.Time
	mu     sync.Mutex
	last   time.Time
	during string
	worst  map[string]time.Duration
}

func newPulse() *pulse {
	return &pulse{begun: time.Now(), last: time.Now(), worst: map[string]time.Duration{}}
}

func (p *pulse) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.worst[p.during] = max(p.worst[p.during], now.Sub(p.last))
	p.last = now
}

// turn says what happens from now on.
func (p *pulse) turn(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.during = what
}

func (p *pulse) now() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.during
}

func (p *pulse) longest() map[string]time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.worst)
}
