package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// Engine is a running engine behind a network.
type Engine struct {
	// Address is its host and port.
	Address string

	// Open opens a store on it until the test ends. It connects to Address, or to
	// the address through when there is one. All stores that it opens, whatever
	// the test, have the same records: they are the nodes of one deployment.
	Open func(t *testing.T, through string) store.Store

	// OwnClock says that the engine judges expiry by its own clock and not by
	// that of the node that asks.
	OwnClock bool
}

// RunNetworked proves what only an engine behind a network can break: several
// nodes, lost acknowledgements, watches that lose touch, nodes that pause and
// nodes whose clocks are wrong.
func RunNetworked(t *testing.T, e Engine) {
	for i, p := range slices.Concat(nodePromises(), outagePromises(), reconnectPromises(), clockPromises(e.OwnClock)) {
		t.Run(p.name, func(t *testing.T) {
			p.prove(t, network{Engine: e, prefix: fmt.Sprintf("network/%d/", i)})
		})
	}
}

// networkPromise is a promise between nodes, and its proof.
type networkPromise struct {
	name  string
	prove func(t *testing.T, n network)
}

// network is the engine as one promise sees it: its keys begin with prefix.
type network struct {
	Engine
	prefix string
}

func (n network) key(name string) string { return n.prefix + name }

// behind opens a node behind a proxy, and has it do everything once: what it
// connects and prepares at first use is there before there is trouble.
func (n network) behind(t *testing.T) (store.Store, *Proxy) {
	t.Helper()
	p := NewProxy(t, n.Address)
	s := n.Open(t, p.Address())
	commit(t, s, store.Put(n.key("warm"), []byte("warm")).Until(time.Now().Add(time.Hour)), store.Delete(n.key("cold")).IfAbsent())
	wantValue(t, s, n.key("warm"), "warm")
	return s, p
}

func nodePromises() []networkPromise {
	return []networkPromise{
		{"what one node has committed every node reads", func(t *testing.T, n network) {
			one, two := n.Open(t, ""), n.Open(t, "")
			for i := range 20 {
				v := commit(t, one, store.Put(n.key("a"), fmt.Append(nil, i)))
				if r := get(t, two, n.key("a")); r.Version != v || string(r.Value) != fmt.Sprint(i) {
					t.Fatalf("after version %d the other node reads %+v", v, r)
				}
				one, two = two, one
			}
		}},
		{"versions grow from node to node", func(t *testing.T, n network) {
			nodes := []store.Store{n.Open(t, ""), n.Open(t, ""), n.Open(t, "")}
			var last store.Version
			for i := range 30 {
				v := commit(t, nodes[i%3], store.Put(n.key("a"), nil))
				if v <= last {
					t.Fatalf("version %d came after %d", v, last)
				}
				last = v
			}
		}},
		{"of concurrent IfAbsent of one key on three nodes exactly one wins", proveSingleUseAcrossNodes},
		{"guards of two nodes on each other's keys let one of them pass", proveWriteSkew},
		{"watchers on every node see every Commit of all nodes in one order", proveOneOrder},
	}
}

func proveSingleUseAcrossNodes(t *testing.T, n network) {
	nodes := []store.Store{n.Open(t, ""), n.Open(t, ""), n.Open(t, "")}
	ctx := within(t)
	for round := range 10 {
		var wins atomic.Int64
		key := n.key(fmt.Sprint("code/", round))
		together(48, func(i int) {
			_, err := nodes[i%len(nodes)].Commit(ctx, store.Put(key, nil).IfAbsent(), store.Put(n.key(fmt.Sprint("own/", i)), nil))
			switch {
			case err == nil:
				wins.Add(1)
			case !errors.Is(err, store.ErrConflict):
				t.Errorf("Commit: %v", err)
			}
		})
		if wins.Load() != 1 {
			t.Fatalf("%d callers consumed %q, want exactly 1", wins.Load(), key)
		}
	}
}

// proveWriteSkew has two nodes each demand that what the other makes is absent:
// engines that judge guards on a snapshot of their own let both pass.
func proveWriteSkew(t *testing.T, n network) {
	nodes := []store.Store{n.Open(t, ""), n.Open(t, "")}
	ctx := within(t)
	for round := range 50 {
		var wins atomic.Int64
		keys := []string{n.key(fmt.Sprint(round, "/a")), n.key(fmt.Sprint(round, "/b"))}
		together(2, func(i int) {
			_, err := nodes[i].Commit(ctx, store.Put(keys[i], nil), store.Unchanged(keys[1-i], 0))
			switch {
			case err == nil:
				wins.Add(1)
			case !errors.Is(err, store.ErrConflict):
				t.Errorf("Commit: %v", err)
			}
		})
		if wins.Load() != 1 {
			t.Fatalf("%d of 2 passed, want exactly 1", wins.Load())
		}
	}
}

// proveOneOrder writes from 16 callers on two nodes. Whoever delivers by the
// order in which versions were drawn, not in which they became visible, skips
// some of them or brings them late.
func proveOneOrder(t *testing.T, n network) {
	const callers, each, ops = 16, 20, 3 // fewer events than a Watch may lag behind
	nodes := []store.Store{n.Open(t, ""), n.Open(t, "")}
	watches := []store.Watch{watch(t, nodes[0], n.key("p/")), watch(t, nodes[1], n.key("p/"))}
	ctx := within(t)
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() {
		together(callers, func(i int) {
			for k := range each {
				_, err := nodes[i%2].Commit(ctx, store.Put(n.key(fmt.Sprintf("p/%d/%d/a", i, k)), nil), store.Put(n.key("p/shared"), nil),
					store.Put(n.key(fmt.Sprintf("q/%d/%d", i, k)), nil), store.Put(n.key(fmt.Sprintf("p/%d/%d/b", i, k)), nil))
				if err != nil {
					t.Errorf("Commit: %v", err)
					return
				}
			}
		})
	})
	var orders [2][]store.Version
	for i, w := range watches {
		seen := map[string]struct{}{} // because an event may arrive twice
		for len(seen) < callers*each*ops {
			e := next(t, w)
			last := len(orders[i]) - 1
			switch {
			case last < 0 || e.Version > orders[i][last]:
				if len(seen)%ops != 0 {
					t.Fatalf("version %d interrupts the events of the one before it", e.Version)
				}
				orders[i] = append(orders[i], e.Version)
			case e.Version < orders[i][last]:
				t.Fatalf("an event of version %d came after one of %d", e.Version, orders[i][last])
			}
			seen[fmt.Sprint(e.Version, e.Key)] = struct{}{}
		}
	}
	if !slices.Equal(orders[0], orders[1]) {
		t.Error("the two nodes saw different orders")
	}
}

func clockPromises(ownClock bool) []networkPromise {
	promises := []networkPromise{
		{"an expiry is the same moment on every node", func(t *testing.T, n network) {
			one, two := n.Open(t, ""), n.Open(t, "")
			commit(t, one, store.Put(n.key("a"), nil).Until(time.Now().Add(300*time.Millisecond)))
			// Whoever asks later may not see what was gone before.
			eventually(t, "the record expires", func() bool { return !get(t, one, n.key("a")).Exists() })
			wantAbsent(t, two, n.key("a"))
			commit(t, two, store.Put(n.key("a"), []byte("new")).IfAbsent())
			wantValue(t, one, n.key("a"), "new")
		}},
	}
	if ownClock {
		promises = append(promises, networkPromise{"a node whose clock is years slow or fast sees what the others see", proveWrongClock})
	}
	return promises
}

// unknown reports whether err leaves open what became of a Commit, or says that
// the engine was not there: what trouble with the network may lead to.
func unknown(err error) bool {
	return fault.KindOf(err) == fault.Unavailable || errors.Is(err, context.DeadlineExceeded)
}
