package interop

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// fault is something that goes wrong. strike begins it, and returns what puts it
// right; hit are the nodes that it disturbs, nil for all.
type fault struct {
	name   string
	hit    func(c *cluster, pick *rand.Rand) []*node
	strike func(t *testing.T, hit []*node) (heal func())
	// within bounds how long it lasts.
	within time.Duration
}

func oneNode(c *cluster, pick *rand.Rand) []*node { return []*node{c.nodes[pick.IntN(len(c.nodes))]} }

func allNodes(c *cluster, _ *rand.Rand) []*node { return c.nodes }

// nodeFaults are what happens to nodes and to their way to the engine, whatever
// that is.
func nodeFaults() []fault {
	weather := func(name string, begin func(*node)) fault {
		return fault{name, oneNode, func(_ *testing.T, hit []*node) func() {
			begin(hit[0])
			return hit[0].fair
		}, 0}
	}
	return []fault{
		{"kill -9 of a node", oneNode, func(t *testing.T, hit []*node) func() {
			hit[0].kill(t)
			hit[0].earlier.WriteString(hit[0].said.String())
			return func() { hit[0].start(t) }
		}, 0},
		{"a node stands still (SIGSTOP)", oneNode, func(t *testing.T, hit []*node) func() {
			freeze(t, hit[0].process.Process)
			return func() { thaw(t, hit[0].process.Process) }
		}, 0},
		weather("a node is cut off from the engine", (*node).cut),
		weather("a node's way to the engine falls silent", (*node).silence),
		weather("a node does not hear the engine's answers", (*node).deafen),
	}
}

func (n *node) cut() {
	for _, p := range n.ways {
		p.Cut()
	}
}

func (n *node) silence() {
	for _, p := range n.ways {
		p.Stall()
	}
}

func (n *node) deafen() {
	for _, p := range n.ways {
		p.Deafen()
	}
}

func (n *node) fair() {
	for _, p := range n.ways {
		p.Fair()
	}
}

// storm lets one fault after another strike until the time is over and each kind
// did once; before any comes again there is a calm, in which the promises for fair
// weather are judged. It returns how often each struck.
func storm(t *testing.T, c *chaos, pick *rand.Rand, faults []fault, long time.Duration) map[string]int {
	t.Helper()
	struck, begun := map[string]int{}, time.Now()
	most := min(20*time.Second, max(time.Second, long/8)) // beyond what a lease lasts, if there is time
	var deck []fault
	for time.Since(begun) < long || len(struck) < len(faults) {
		if len(deck) == 0 {
			c.pulse.turn("(a calm)")
			time.Sleep(min(settleWithin+8*time.Second, long/8))
			deck = append(deck, faults...)
			pick.Shuffle(len(deck), func(i, k int) { deck[i], deck[k] = deck[k], deck[i] })
		}
		f := deck[0]
		deck = deck[1:]
		time.Sleep(between(pick, 500*time.Millisecond, max(time.Second, most/10)))
		hit := f.hit(c.cluster, pick)
		for _, n := range hit {
			n.trouble()
		}
		c.pulse.turn(f.name)
		at := time.Since(begun)
		heal := f.strike(t, hit)
		longest := most
		if f.within > 0 {
			longest = min(longest, f.within)
		}
		time.Sleep(between(pick, 500*time.Millisecond, max(time.Second, longest)))
		heal()
		for _, n := range hit {
			n.healed()
		}
		struck[f.name]++
		t.Logf("%6.1fs to %.1fs: %s (%s)", at.Seconds(), time.Since(begun).Seconds(), f.name, names(hit))
	}
	return struck
}

func names(nodes []*node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.name)
	}
	return strings.Join(all, ", ")
}

func between(pick *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(pick.Int64N(int64(most-least)))
}
