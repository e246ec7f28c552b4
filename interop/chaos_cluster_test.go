package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// cluster is some nodes on one engine, and a balancer before them.
type cluster struct {
	engine engine
	keys   turning
	nodes  []*node
	strain *strain
	// To whichever node is next.
	http, admin *http.Transport
}

// newCluster starts nodes that all go to the engine by a way of their own.
func newCluster(t *testing.T, e engine, nodes int, k turning) *cluster {
	t.Helper()
	c := &cluster{engine: e, keys: k, strain: newStrain(t)}
	folder := t.TempDir()
	key := newKeyFile(t, folder)
	for i := range nodes {
		c.nodes = append(c.nodes, newNode(t, e, fmt.Sprint("node", i+1), folder, key, k))
	}
	c.http = balanced(c, func(n *node) http.RoundTripper { return n.http })
	c.admin = balanced(c, func(n *node) http.RoundTripper { return n.admin })
	return c
}

func (c *cluster) start(t *testing.T) {
	t.Helper()
	for _, n := range c.nodes {
		n.start(t)
		n.calm = time.Now().Add(-settleWithin) // nothing was wrong before it was there
	}
}

// ledger is what clients of the whole cluster know.
func (c *cluster) ledger(t *testing.T, p *party) *ledger {
	return &ledger{t: t, victim: &victim{http: c.http, admin: c.admin}, party: p}
}

// balancer asks the nodes in turn and leaves out those that do not answer, as a
// load balancer does. Only what never left is sent to another node: the rest may
// have happened.
type balancer struct {
	*cluster
	turn *atomic.Uint64
	to   func(*node) http.RoundTripper
}

func balanced(c *cluster, to func(*node) http.RoundTripper) *http.Transport {
	t := new(http.Transport)
	t.RegisterProtocol("http", balancer{c, new(atomic.Uint64), to})
	return t
}

func (b balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	err := errors.New("no node is there")
	for _, wanted := range []bool{true, false} { // rather one that is out than none
		for range b.nodes {
			n := b.nodes[b.turn.Add(1)%uint64(len(b.nodes))]
			if n.isOut() == wanted {
				continue
			}
			again := r.Clone(r.Context())
			if r.GetBody != nil {
				if again.Body, err = r.GetBody(); err != nil {
					return nil, err
				}
			}
			var res *http.Response
			res, err = b.to(n).RoundTrip(again)
			if op := (*net.OpError)(nil); err == nil || !errors.As(err, &op) || op.Op != "dial" {
				return res, err
			}
		}
	}
	return nil, err
}

func (n *node) isOut() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.out
}

// probe asks each node now and then whether it answers, until ctx ends.
func (c *cluster) probe(ctx context.Context) {
	var all sync.WaitGroup
	for _, n := range c.nodes {
		all.Go(func() {
			for ctx.Err() == nil {
				alive := n.answers(ctx)
				n.mu.Lock()
				n.out = !alive
				n.mu.Unlock()
				select {
				case <-ctx.Done():
				case <-time.After(250 * time.Millisecond):
				}
			}
		})
	}
	all.Wait()
}

func (n *node) answers(ctx context.Context) bool {
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	got, err := newVisitor(n.http).get(ctx, "/.well-known/openid-configuration")
	return err == nil && got.status == http.StatusOK
}

// kids are the keys that a node publishes.
func (n *node) kids(ctx context.Context) (ids []string, err error) {
	var set struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}
	if err := n.read(ctx, "/jwks", &set); err != nil {
		return nil, err
	}
	for _, k := range set.Keys {
		ids = append(ids, k.ID)
	}
	slices.Sort(ids)
	return ids, nil
}

// ringKey is a key as the operator sees it.
type ringKey struct {
	ID        string    `json:"kid"`
	Algorithm string    `json:"alg"`
	State     string    `json:"state"`
	Created   time.Time `json:"created"`
	Activated time.Time `json:"activated"`
	Retired   time.Time `json:"retired"`
}

func (n *node) ring(ctx context.Context) ([]ringKey, error) {
	var out struct {
		Keys []ringKey `json:"keys"`
	}
	_, err := n.operator("").do(ctx, http.MethodGet, "/keys", nil, &out)
	return out.Keys, err
}

// once checks that each key of an algorithm began to sign when the one
// before had done so for its time, and no sooner: nodes that carry out one due
// step twice would leave two successors, or a life cut short.
func (k turning) once(ring []ringKey) error {
	last := map[string]ringKey{}
	waiting := map[string]int{}
	slices.SortFunc(ring, func(a, b ringKey) int { return a.Activated.Compare(b.Activated) })
	for _, r := range ring {
		if r.Activated.IsZero() {
			if waiting[r.Algorithm]++; waiting[r.Algorithm] > 1 {
				return fmt.Errorf("%d successors of %s at once", waiting[r.Algorithm], r.Algorithm)
			}
			continue
		}
		before, ok := last[r.Algorithm]
		if signed := r.Activated.Sub(before.Activated); ok && (signed < k.Sign || !before.Retired.Equal(r.Activated)) {
			return fmt.Errorf("a key of %s signed for %s, want %s at least; it retired at %s and the next began at %s",
				r.Algorithm, signed, k.Sign, before.Retired, r.Activated)
		}
		if r.Activated.Sub(r.Created) < k.publish() && ok {
			return fmt.Errorf("a key of %s was published for %s before it signed, want %s", r.Algorithm, r.Activated.Sub(r.Created), k.publish())
		}
		last[r.Algorithm] = r
	}
	return nil
}

// read asks the node for a public document.
func (n *node) read(ctx context.Context, path string, out any) error {
	got, err := newVisitor(n.http).get(ctx, path)
	if err != nil {
		return err
	}
	if got.status != http.StatusOK {
		return errors.New(got.String())
	}
	return json.Unmarshal([]byte(got.body), out)
}
