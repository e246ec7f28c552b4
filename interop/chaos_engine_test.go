package interop

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/enginetest"
)

// engine is a running engine that several nodes share.
type engine interface {
	name() string
	addresses() []string            // of all that it consists of
	url(through []string) string    // what a node is told to reach it, at other addresses
	away(t *testing.T)              // ends it as a power cut would
	back(t *testing.T)              // and brings back what its disks hold
	faults(pick *rand.Rand) []fault // that are its own
	told() string                   // what befell it, beyond them
}

// onEveryEngine runs f on each engine that is on this machine, one of its own. They
// run side by side: most of the time they wait for something.
func onEveryEngine(t *testing.T, f func(t *testing.T, e engine)) {
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		p := new(enginetest.Postgres)
		t.Cleanup(func() { stopped(t, p.Stop()) })
		f(t, onPostgres(t, p))
	})
	t.Run("etcd", func(t *testing.T) {
		t.Parallel()
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

func (p postgres) told() string { return "" }

func (p postgres) faults(*rand.Rand) []fault {
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
	moved   int // how often another member came to lead
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
func (e *etcd) told() string        { return fmt.Sprintf("; its leader changed %d times", e.moved) }

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

func (e *etcd) faults(pick *rand.Rand) []fault {
	killed := func(t *testing.T, i int) func() {
		e.Kill(t, i)
		return func() { e.Restart(t, i) }
	}
	paused := func(t *testing.T, i int) func() {
		e.Pause(t, i)
		return func() { e.Resume(t, i) }
	}
	leading := func(strike func(*testing.T, int) func()) func(*testing.T, []*node) func() {
		return func(t *testing.T, _ []*node) func() {
			before := e.Leader(t)
			heal := strike(t, before)
			return func() {
				if e.Leader(t) != before { // which it waits for: without a majority's choice there is none
					e.moved++
				}
				heal()
			}
		}
	}
	anyone := func(strike func(*testing.T, int) func()) func(*testing.T, []*node) func() {
		return func(t *testing.T, _ []*node) func() { return strike(t, pick.IntN(len(e.members))) }
	}
	return []fault{
		{"kill -9 of a member of etcd", allNodes, anyone(killed), 0},
		{"kill -9 of etcd's leader", allNodes, leading(killed), 0},
		{"a member of etcd stands still (SIGSTOP)", allNodes, anyone(paused), 0},
		{"etcd's leader stands still (SIGSTOP)", allNodes, leading(paused), 0},
	}
}
