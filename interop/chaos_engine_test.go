package interop

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/enginetest"
)

// engine is a running engine that several nodes share.
type engine interface {
	name() string
	addresses() []string         // of all that it consists of
	url(through []string) string // what a node is told to reach it, at other addresses
	away(t *testing.T)           // ends it as a power cut would
	back(t *testing.T)           // and brings back what its disks hold
	faults() []fault             // that are its own
}

// onEveryEngine runs f on each engine that is on this machine, one of its own.
func onEveryEngine(t *testing.T, f func(t *testing.T, e engine)) {
	t.Run("PostgreSQL", func(t *testing.T) {
		p := new(enginetest.Postgres)
		t.Cleanup(func() { stopped(t, p.Stop()) })
		f(t, onPostgres(t, p))
	})
	t.Run("etcd", func(t *testing.T) {
		c := &enginetest.Etcd{Members: 3}
		t.Cleanup(func() { stopped(t, c.Stop()) })
		f(t, onEtcd(t, c))
	})
}

func stopped(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("stopping the engine: %v", err)
	}
}

// postgres is one server.
type postgres struct {
	*enginetest.Postgres
	database string // its URL
}

func onPostgres(t *testing.T, p *enginetest.Postgres) engine {
	t.Helper()
	return postgres{p, p.Database(t)}
}

func (p postgres) name() string                { return "PostgreSQL" }
func (p postgres) addresses() []string         { return []string{p.Address()} }
func (p postgres) url(through []string) string { return p.Through(p.database, through[0]) }
func (p postgres) away(t *testing.T)           { t.Helper(); p.Kill(t) }
func (p postgres) back(t *testing.T)           { t.Helper(); p.Restart(t) }

func (p postgres) faults() []fault {
	return []fault{
		{"kill -9 of PostgreSQL", allNodes, func(t *testing.T, _ []*node) func() {
			p.Kill(t)
			return func() { p.Restart(t) }
		}, 3 * time.Second},
		{"PostgreSQL falls silent", allNodes, func(_ *testing.T, hit []*node) func() {
			for _, n := range hit {
				n.ways[0].Stall()
			}
			return func() {
				for _, n := range hit {
					n.fair()
				}
			}
		}, 5 * time.Second},
	}
}

// etcd is three members.
type etcd struct {
	*enginetest.Etcd
	members []string
	prefix  string
}

func onEtcd(t *testing.T, c *enginetest.Etcd) engine {
	t.Helper()
	e := &etcd{Etcd: c, prefix: c.Prefix()}
	for _, endpoint := range c.Endpoints(t) {
		_, address, _ := strings.Cut(endpoint, "://")
		e.members = append(e.members, address)
	}
	return e
}

func (e *etcd) name() string        { return "etcd, three members" }
func (e *etcd) addresses() []string { return e.members }

func (e *etcd) url(through []string) string {
	return "etcd://" + strings.Join(through, ",") + "/" + e.prefix
}

// away leaves one of three, which alone must not answer.
func (e *etcd) away(t *testing.T) {
	t.Helper()
	e.Kill(t, 0)
	e.Kill(t, 1)
}

func (e *etcd) back(t *testing.T) {
	t.Helper()
	e.Restart(t, 0)
	e.Restart(t, 1)
}

func (e *etcd) faults() []fault {
	killed := func(t *testing.T, i int) func() {
		e.Kill(t, i)
		return func() { e.Restart(t, i) }
	}
	paused := func(t *testing.T, i int) func() {
		e.Pause(t, i)
		return func() { e.Resume(t, i) }
	}
	return []fault{
		{"kill -9 of a member of etcd", allNodes, func(t *testing.T, _ []*node) func() { return killed(t, rand.IntN(3)) }, 0},
		{"kill -9 of etcd's leader", allNodes, func(t *testing.T, _ []*node) func() { return killed(t, e.Leader(t)) }, 0},
		{"a member of etcd stands still (SIGSTOP)", allNodes, func(t *testing.T, _ []*node) func() { return paused(t, rand.IntN(3)) }, 0},
		{"etcd's leader stands still (SIGSTOP)", allNodes, func(t *testing.T, _ []*node) func() { return paused(t, e.Leader(t)) }, 0},
	}
}
