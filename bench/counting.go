package main

import (
	"context"
	"sync/atomic"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
)

// counts are what an engine was asked and did.
type counts struct {
	Reads        uint64 // Get and List
	Commits      uint64
	Transactions uint64 // of bbolt
}

func ofBolt(s interface{ Stats() boltstore.Stats }) func() counts {
	return func() counts {
		stats := s.Stats()
		return counts{Commits: stats.Commits, Transactions: stats.Transactions}
	}
}

// counting stands between an issuer and its engine and counts: each call is one
// round trip, of the rooms' background work as well. Watches are not in it.
type counting struct {
	store.Store
	reads, commits atomic.Uint64
	engine         func() counts // nil where it does not count
}

func (c *counting) before(engine store.Store) store.Store {
	c.Store = engine
	if bolt, ok := engine.(*boltstore.Store); ok {
		c.engine = ofBolt(bolt)
	}
	return c
}

func (c *counting) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	c.reads.Add(1)
	return c.Store.Get(ctx, keys...)
}

func (c *counting) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	c.reads.Add(1)
	return c.Store.List(ctx, prefix, after, limit)
}

func (c *counting) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	c.commits.Add(1)
	return c.Store.Commit(ctx, ops...)
}

func (c *counting) counts() counts {
	n := counts{Reads: c.reads.Load(), Commits: c.commits.Load()}
	if c.engine != nil {
		n.Transactions = c.engine().Transactions
	}
	return n
}

// add and subtract work on what is used up: from two reports they make a
// difference, from those of several servers a sum.
func (r *report) add(o report) {
	r.CPU += o.CPU
	r.Mallocs += o.Mallocs
	r.Bytes += o.Bytes
	r.Reads += o.Reads
	r.Commits += o.Commits
	r.Transactions += o.Transactions
}

func (r *report) subtract(o report) {
	r.CPU -= o.CPU
	r.Mallocs -= o.Mallocs
	r.Bytes -= o.Bytes
	r.Reads -= o.Reads
	r.Commits -= o.Commits
	r.Transactions -= o.Transactions
}
