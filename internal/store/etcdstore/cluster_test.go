package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/enginetest"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/etcdstore"
	"github.com/signet-id/signet/internal/store/storetest"
)

// three starts a cluster that tolerates the loss of one member.
func three(t *testing.T) (*enginetest.Etcd, []string) {
	t.Helper()
	if testing.Short() {
		t.Skip("three members of etcd take a while")
	}
	c := &enginetest.Etcd{Members: 3}
	t.Cleanup(func() { stop(t, c) })
	return c, c.Endpoints(t)
}

// load commits from several callers on two nodes until it is stopped: records
// of their own, and one counter of which no increment may be lost.
type load struct {
	stop    context.CancelFunc
	callers sync.WaitGroup

	mu       sync.Mutex
	acked    map[string]store.Version
	counted  int // increments that were acknowledged
	open     int // Commits whose outcome nobody knows
	last     time.Time
	longest  time.Duration // between two acknowledgements
	refusals map[string]int
}

func begin(t *testing.T, nodes ...*etcdstore.Store) *load {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	l := &load{stop: cancel, acked: map[string]store.Version{}, last: time.Now(), refusals: map[string]int{}}
	for i := range 6 {
		l.callers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := l.step(nodes[i%len(nodes)], fmt.Sprintf("load/%d/%d", i, n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return l
}

func (l *load) step(s *etcdstore.Store, key string) error {
	ctx := context.Background()
	records, err := s.Get(ctx, "counter")
	if err == nil {
		var n int
		_, _ = fmt.Sscan(string(records[0].Value), &n) // absent is 0
		var v store.Version
		v, err = s.Commit(ctx, store.Put("counter", fmt.Append(nil, n+1)).If(records[0].Version))
		l.note("", v, err)
	}
	if err == nil || errors.Is(err, store.ErrConflict) {
		var v store.Version
		v, err = s.Commit(ctx, store.Put(key, []byte(key)).IfAbsent())
		if errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("a Commit of a key that nobody else has: %w", err)
		}
		l.note(key, v, err)
	}
	if err != nil && !errors.Is(err, store.ErrConflict) && fault.KindOf(err) != fault.Unavailable {
		return err
	}
	return nil
}

func (l *load) note(key string, v store.Version, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case errors.Is(err, store.ErrConflict):
	case err != nil:
		l.open++
		l.refusals[err.Error()]++
	default:
		now := time.Now()
		l.longest, l.last = max(l.longest, now.Sub(l.last)), now
		if key == "" {
			l.counted++
		} else {
			l.acked[key] = v
		}
	}
}

// finish stops the load and demands of s what was acknowledged.
func (l *load) finish(t *testing.T, s *etcdstore.Store) {
	t.Helper()
	l.stop()
	l.callers.Wait()
	there := map[string]store.Version{}
	for after := ""; ; {
		records, err := s.List(t.Context(), "load/", after, store.MaxList)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			there[r.Key], after = r.Version, r.Key
		}
		if len(records) < store.MaxList {
			break
		}
	}
	for key, v := range l.acked {
		if there[key] != v {
			t.Fatalf("%q was acknowledged with version %d and is there with %d", key, v, there[key])
		}
	}
	records, err := s.Get(t.Context(), "counter")
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if _, err := fmt.Sscan(string(records[0].Value), &n); err != nil {
		t.Fatal(err)
	}
	if n < l.counted || n > l.counted+l.open {
		t.Errorf("the counter is %d, want %d and at most %d whose outcome was unknown", n, l.counted, l.open)
	}
	t.Logf("%d Commits acknowledged, %d with unknown outcome, the longest time without one %s",
		len(l.acked)+l.counted, l.open, l.longest.Round(time.Millisecond))
	for why, count := range l.refusals {
		t.Logf("%4d × %s", count, why)
	}
}

// follow keeps the keys that a Watch reports, until it ends.
func follow(t *testing.T, s *etcdstore.Store) (seen func() map[string]store.Version) {
	t.Helper()
	w, err := s.Watch(t.Context(), "load/")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	keys := map[string]store.Version{}
	go func() { // until the test ends
		for e := range w.Events() {
			mu.Lock()
			keys[e.Key] = e.Version
			mu.Unlock()
		}
		if err := w.Err(); !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrClosed) {
			t.Errorf("the Watch ended with %v", err)
		}
	}()
	return func() map[string]store.Version {
		mu.Lock()
		defer mu.Unlock()
		copied := make(map[string]store.Version, len(keys))
		for k, v := range keys {
			copied[k] = v
		}
		return copied
	}
}

func TestKillingTheLeaderLosesNothingThatWasAcknowledged(t *testing.T) {
	c, endpoints := three(t)
	prefix := c.Prefix()
	one, two := open(t, endpoints, prefix), open(t, endpoints, prefix)
	seen := follow(t, two)
	l := begin(t, one, two)
	for round := range 2 {
		time.Sleep(time.Second)
		leader := c.Leader(t)
		c.Kill(t, leader)
		killed := time.Now()
		for errs := 0; ; errs++ {
			if _, err := one.Commit(t.Context(), store.Put("probe", nil)); err == nil {
				t.Logf("round %d: a Commit succeeded %s after the leader was killed, after %d that did not",
					round, time.Since(killed).Round(time.Millisecond), errs)
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		c.Restart(t, leader)
	}
	time.Sleep(time.Second)
	l.finish(t, two)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		missing := 0
		for key, v := range seen() {
			if want, acked := l.acked[key]; acked && want != v {
				t.Fatalf("the Watch reported %q with version %d, want %d", key, v, want)
			}
		}
		reported := seen()
		for key := range l.acked {
			if reported[key] == 0 {
				missing++
			}
		}
		if missing == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the Watch did not report %d of %d Commits", missing, len(l.acked))
		}
	}
}

// TestAMemberThatHangsIsLeft pauses each member in turn, the leader included: no
// connection breaks, and nothing is answered.
func TestAMemberThatHangsIsLeft(t *testing.T) {
	c, endpoints := three(t)
	prefix := c.Prefix()
	writer, reader := open(t, endpoints, prefix), open(t, endpoints, prefix)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	w, err := reader.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range endpoints {
		led := c.Leader(t) == i
		c.Pause(t, i)
		paused := time.Now()
		var v store.Version
		for v == 0 {
			if v, err = writer.Commit(t.Context(), store.Put("a", nil)); err != nil && fault.KindOf(err) != fault.Unavailable {
				t.Fatal(err)
			}
		}
		committed := time.Now()
		for e := range w.Events() {
			if e.Version >= v {
				break
			}
		}
		if err := w.Err(); err != nil {
			t.Fatalf("the Watch ended with %v", err)
		}
		heard := time.Since(committed)
		began := time.Now()
		if _, err := reader.Get(t.Context(), "a"); err != nil {
			t.Errorf("with one member hanging a read ended with %v", err)
		}
		t.Logf("member %d hangs (leader: %t): committed %s after, heard of %s later, a read took %s", i, led,
			committed.Sub(paused).Round(time.Millisecond), heard.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		c.Resume(t, i)
		time.Sleep(2 * time.Second)
	}
}

func TestWithoutAMajorityTheStoreIsUnavailableAndRecovers(t *testing.T) {
	c, endpoints := three(t)
	s := open(t, endpoints, c.Prefix())
	v, err := s.Commit(t.Context(), store.Put("a", []byte("before")))
	if err != nil {
		t.Fatal(err)
	}
	c.Kill(t, 0)
	c.Kill(t, 1)
	began := time.Now()
	_, errGet := s.Get(t.Context(), "a")
	reading := time.Since(began)
	_, errCommit := s.Commit(t.Context(), store.Put("b", nil))
	t.Logf("the read gave up after %s, the Commit after %s", reading.Round(time.Millisecond), (time.Since(began) - reading).Round(time.Millisecond))
	for what, err := range map[string]error{"Get": errGet, "Commit": errCommit} {
		if fault.KindOf(err) != fault.Unavailable || fault.RetryAfter(err) == 0 {
			t.Errorf("%s: got %v, want unavailable, and when to come back", what, err)
		}
	}
	restarted := make(chan struct{})
	go func() { // a member alone does not answer until the other one is there
		defer close(restarted)
		c.Restart(t, 0)
	}()
	c.Restart(t, 1)
	<-restarted
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		records, err := s.Get(t.Context(), "a")
		if err == nil {
			if records[0].Version != v || string(records[0].Value) != "before" {
				t.Errorf("the record came back as %+v", records[0])
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the store did not recover: %v", err)
		}
	}
}

// TestAWatchLeavesAMemberThatIsSilent has one of two members behind a network
// that swallows everything. Streams go to both in turn.
func TestAWatchLeavesAMemberThatIsSilent(t *testing.T) {
	c, endpoints := three(t)
	prefix := c.Prefix()
	writer := open(t, endpoints[1:], prefix)
	proxy := storetest.NewProxy(t, c.Address(t))
	reader := open(t, []string{"http://" + proxy.Address(), endpoints[1]}, prefix)
	watches := make([]store.Watch, 6)
	for i := range watches {
		var err error
		if watches[i], err = reader.Watch(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second) // until all have their streams
	proxy.Stall()
	defer proxy.Fair()
	v, err := writer.Commit(t.Context(), store.Put("a", nil))
	if err != nil {
		t.Fatal(err)
	}
	committed := time.Now()
	for i, w := range watches {
		if e := next(t, w); e.Version != v {
			t.Errorf("watch %d got %+v, want version %d", i, e, v)
		}
	}
	t.Logf("all watches heard of it within %s", time.Since(committed).Round(time.Millisecond))
}
