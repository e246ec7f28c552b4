package interop

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Three nodes on one engine, under the load of clients that know what they were
// promised, while one thing after another breaks. Afterwards: no code was redeemed
// twice, no grant has two live refresh tokens, no token that ended was accepted
// beyond the bound, nothing acknowledged is lost, and every key that ever signed
// is published.
func TestChaosBreaksNoPromise(t *testing.T) {
	long := 20 * time.Second
	if text := os.Getenv("SIGNET_CHAOS"); text != "" {
		var err error
		if long, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	} else if testing.Short() {
		t.Skip("it takes a minute")
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SIGNET_CHAOS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, e engine) {
		t.Logf("SIGNET_CHAOS_SEED=%d", seed)
		withChaos(t, e, long, rand.New(rand.NewPCG(seed, 1)))
	})
}

func withChaos(t *testing.T, e engine, long time.Duration, pick *rand.Rand) {
	// A key is published for longer than a fault lasts and is felt, also where faults
	// take their time because the machine is busy: a node that has not heard of a key
	// takes its tokens for somebody else's.
	k := turning{Cache: 12 * time.Second, Sign: 20 * time.Second}
	if long > time.Minute {
		k = turning{Cache: 40 * time.Second, Sign: 75 * time.Second}
	}
	var c *cluster
	t.Cleanup(func() { // after the nodes are gone
		if t.Failed() && c != nil {
			c.each(func(n *node) { t.Logf("%s said: %s", n.name, n.log()) })
		}
	})
	c = newCluster(t, e, 3, k)
	c.start(t)
	l := c.ledger(t, newParty(t))
	l.found(t.Context())
	for _, n := range c.nodes {
		(&absence{ledger: l, t: t}).warm(n)
	}
	x := &chaos{ledger: l, cluster: c, judge: newJudge(t, c, l), pulse: newPulse(), late: map[*family]bool{}, ids: map[string]bool{}}
	x.judge.broken = func(format string, args ...any) {
		l.broken("%.1fs, %s: "+format, append([]any{time.Since(x.pulse.begun).Seconds(), x.pulse.now()}, args...)...)
	}

	ctx, over := context.WithCancel(t.Context())
	var beside, load sync.WaitGroup
	beside.Go(func() { c.probe(ctx) })
	stop := make(chan struct{})
	halt := sync.OnceFunc(func() { close(stop) })
	t.Cleanup(func() { // also when a fault could not be put right
		halt()
		over()
		load.Wait()
		beside.Wait()
		x.judge.asking.Wait()
	})
	load.Go(func() { x.run(t.Context(), stop) })
	begun := time.Now()
	struck := storm(t, x, pick, append(nodeFaults(), e.faults(pick)...), long)
	halt()
	load.Wait()
	x.judge.asking.Wait()
	lasted := time.Since(begun)
	x.pulse.turn("")

	x.awaitCalm(t)
	x.auditChaos(t)
	over()
	t.Log(x.report(e, lasted, struck))
}

// awaitCalm returns when every node makes changes again, and knows what the others
// made meanwhile.
func (c *chaos) awaitCalm(t *testing.T) {
	t.Helper()
	for _, n := range c.nodes {
		for begun := time.Now(); !n.knows(t.Context(), c.clients); time.Sleep(50 * time.Millisecond) {
			if c.strain.passed(begun, settleWithin) {
				break // some are lost, which the audit says
			}
		}
		for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			got, err := n.operator("").send(t.Context(), http.MethodPost, "/users", map[string]any{"login": "calm", "name": "calm", "password": password})
			if err == nil && (got.status == http.StatusCreated || got.status == http.StatusConflict) {
				break
			}
			if c.strain.passed(begun, settleWithin) {
				t.Fatalf("%s did not recover within %s: %v %s: %s", n.name, settleWithin, err, got, n.said)
			}
		}
	}
}

// knows reports whether the node has heard of all the clients.
func (n *node) knows(ctx context.Context, clients []relying) bool {
	ids, err := n.operator("").clientIDs(ctx)
	return err == nil && !slices.ContainsFunc(clients, func(c relying) bool { return !slices.Contains(ids, c.id) })
}

// auditChaos compares what the clients know with what they find.
func (c *chaos) auditChaos(t *testing.T) {
	ctx := t.Context()
	c.settleLate(ctx)
	c.auditRecords(ctx)
	c.auditSessions(ctx, c.sessions)
	c.auditFamilies(ctx, c.families)
	follower := c.follow()
	defer follower.Close()
	tokens := c.chosen(0)
	c.auditEndings(ctx, tokens[:min(len(tokens), 8000)], follower)
	c.auditParty()
	c.auditKeys(ctx)
	c.auditSurvivors(ctx, tokens[:min(len(tokens), 2000)])
}

// auditKeys looks for every key that signed at every node, and whether they
// turned as one ring does.
func (c *chaos) auditKeys(ctx context.Context) {
	signed := maps.Clone(c.ids)
	for _, i := range c.access {
		signed[kidOf(i.raw)] = true
	}
	want := slices.Sorted(maps.Keys(signed))
	for _, n := range c.nodes {
		kids, err := n.kids(ctx)
		if err != nil {
			c.broken("%s: reading the keys: %v", n.name, err)
			continue
		}
		c.violations.Add(int64(wantAllOf(c.t, "key", kids, want)))
		ring, err := n.ring(ctx)
		if err == nil {
			err = c.keys.once(ring)
		}
		if err != nil {
			c.broken("%s: %v", n.name, err)
		}
	}
	c.t.Logf("%d keys signed tokens", len(want))
}

// auditSurvivors asks the verifiers that lived through it all, each at its node.
func (c *chaos) auditSurvivors(ctx context.Context, tokens []*issued) {
	for k, v := range c.judge.verifiers {
		for _, i := range tokens {
			if _, err := v.Verify(ctx, i.raw); !i.doubtful() && (err != nil) != i.over() {
				c.broken("%s: %s the verifier that lived through it says %v", c.nodes[k].name, i, err)
			}
		}
		// A node that is cut off does not know the lists that others begin, and says so.
		ungenuine := slices.DeleteFunc(c.nodes[k].heard.about("ignoring "), func(line string) bool { return strings.Contains(line, "it answered ") })
		if s := v.Stats(); s.EventsRefused > 0 || len(ungenuine) > 0 {
			c.broken("%s: what its verifier heard was not genuine, or did not follow: %q %+v", c.nodes[k].name, ungenuine, s)
		}
	}
}

// report is what a long run leaves behind.
func (c *chaos) report(engine engine, lasted time.Duration, struck map[string]int) string {
	var b strings.Builder
	total := 0
	for _, n := range struck {
		total += n
	}
	fmt.Fprintf(&b, "%d nodes on %s for %s: %d operations, %d faults, violations %d%s; the machine was too busy to be judged by for %.0f %% of the time\n",
		len(c.nodes), engine.name(), lasted.Round(time.Second), c.operations.Load(), total, c.violations.Load(), engine.told(), 100*c.strain.share())
	fmt.Fprintf(&b, "  %d sign-ins, %d grants, %d access tokens, %d users, %d clients; %d codes and tokens presented at all nodes at once\n",
		len(c.sessions), len(c.families), len(c.access), len(c.logins), len(c.clients), c.raced.Load())
	fmt.Fprintf(&b, "  %d answers never came, %d said to come back later, %d times nobody could say in time what had happened; %d grants ended by a copy of a request that came late\n",
		c.doubts.Load(), c.refused.Load(), c.lost.Load(), c.overtaken.Load())
	fmt.Fprintf(&b, "  %s\n", c.judge)
	longest := c.pulse.longest()
	for _, name := range slices.Sorted(maps.Keys(struck)) {
		fmt.Fprintf(&b, "  %3d × %-45s longest time without a change by anybody: %s\n", struck[name], name, longest[name])
	}
	fmt.Fprintf(&b, "        %-45s longest time without a change by anybody: %s\n", "(a calm)", longest["(a calm)"])
	return b.String()
}
