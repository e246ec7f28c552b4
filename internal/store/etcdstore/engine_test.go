package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/signet-id/signet/internal/store"
)

func TestACommitThatChangesNothingHasAVersionOfItsOwn(t *testing.T) {
	s := open(t, cluster.Endpoints(t), cluster.Prefix())
	last, err := s.Commit(t.Context(), store.Put("a", nil))
	if err != nil {
		t.Fatal(err)
	}
	many := make([]store.Op, store.MaxOps)
	for i := range many {
		many[i] = store.Delete(fmt.Sprint("absent/", i))
	}
	for what, ops := range map[string][]store.Op{
		"a demand alone":                        {store.Unchanged("a", last)},
		"a deletion of what is absent":          {store.Delete("absent")},
		"as many deletions as one Commit takes": many,
	} {
		v, err := s.Commit(t.Context(), ops...)
		if err != nil || v <= last {
			t.Errorf("%s: version %d, %v, want one greater than %d", what, v, err, last)
		}
		last = max(last, v)
	}
	if records, err := s.List(t.Context(), "", "", 10); err != nil || len(records) != 1 {
		t.Errorf("the store holds %+v, %v, want the one record", records, err)
	}
}

// TestMoreGuardsThanEtcdComparesAtOnce has 128 of them, with an expiry to judge
// for each.
func TestMoreGuardsThanEtcdComparesAtOnce(t *testing.T) {
	s := open(t, cluster.Endpoints(t), cluster.Prefix())
	puts := make([]store.Op, store.MaxOps)
	for i := range puts {
		puts[i] = store.Put(fmt.Sprintf("k/%03d", i), nil).Until(time.Now().Add(time.Hour))
	}
	v, err := s.Commit(t.Context(), puts...)
	if err != nil {
		t.Fatal(err)
	}
	demands := make([]store.Op, store.MaxOps)
	for i := range demands {
		demands[i] = store.Unchanged(puts[i].Key, v)
	}
	if _, err := s.Commit(t.Context(), demands...); err != nil {
		t.Errorf("all demands hold, and the Commit ended with %v", err)
	}
	expired, err := s.Commit(t.Context(), store.Put("k/100", nil).Until(time.Now().Add(-time.Second)))
	if err != nil {
		t.Fatal(err)
	}
	demands[100] = store.Unchanged("k/100", expired)
	if _, err := s.Commit(t.Context(), demands...); store.ConflictOn(err) != "k/100" {
		t.Errorf("one record has expired, and the Commit ended with %v", err)
	}
	if _, err := s.Commit(t.Context(), store.Put("k/007", nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), demands...); store.ConflictOn(err) != "k/007" {
		t.Errorf("an earlier record has changed, and the Commit ended with %v, want a conflict on the first", err)
	}
}

func TestRecordsThatExpireTogetherShareALease(t *testing.T) {
	endpoints, prefix := cluster.Endpoints(t), cluster.Prefix()
	s, etcd := open(t, endpoints, prefix), raw(t, endpoints...)
	until := time.Now().Add(30 * 24 * time.Hour)
	for i := range 20 {
		if _, err := s.Commit(t.Context(), store.Put(fmt.Sprint("k/", i), nil).Until(until.Add(time.Duration(i)*time.Second))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Commit(t.Context(), store.Put("for ever", nil)); err != nil {
		t.Fatal(err)
	}
	answer, err := etcd.Get(t.Context(), prefix+"/r/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	shared := map[int64]int{}
	for _, kv := range answer.Kvs {
		shared[kv.Lease]++
	}
	if shared[0] != 1 {
		t.Errorf("%d records have no lease, want the one that never expires", shared[0])
	}
	delete(shared, 0)
	if len(shared) < 1 || len(shared) > 2 { // a bucket may end within
		t.Errorf("20 records have %d leases, want one", len(shared))
	}
	for id := range shared {
		left, err := etcd.TimeToLive(t.Context(), clientv3.LeaseID(id))
		if err != nil {
			t.Fatal(err)
		}
		if ends := time.Now().Add(time.Duration(left.TTL) * time.Second); ends.Before(until.Add(5 * time.Minute)) {
			t.Errorf("the lease ends %s before it may", until.Add(5*time.Minute).Sub(ends))
		}
	}
}

// TestALeaseThatIsGoneIsReplaced revokes the lease that the node keeps, as an
// operator may.
func TestALeaseThatIsGoneIsReplaced(t *testing.T) {
	endpoints, prefix := cluster.Endpoints(t), cluster.Prefix()
	s, etcd := open(t, endpoints, prefix), raw(t, endpoints...)
	until := time.Now().Add(time.Hour)
	for i := range 2 {
		if _, err := s.Commit(t.Context(), store.Put("a", nil).Until(until), store.Put("b", nil).IfAbsent().Until(until)); err != nil {
			t.Fatalf("Commit %d: %v", i, err)
		}
		revoke(t, etcd, prefix+"/r/a")
	}
	if r, err := s.Get(t.Context(), "b"); err != nil || r[0].Exists() {
		t.Errorf("after its lease was revoked the record is %+v, %v", r, err)
	}
}

// revoke ends the lease of a key, and so does what etcd does when its time comes.
func revoke(t *testing.T, etcd *clientv3.Client, key string) {
	t.Helper()
	answer, err := etcd.Get(t.Context(), key)
	if err != nil || len(answer.Kvs) != 1 || answer.Kvs[0].Lease == 0 {
		t.Fatalf("%q is %+v, %v, want a key with a lease", key, answer, err)
	}
	if _, err := etcd.Revoke(t.Context(), clientv3.LeaseID(answer.Kvs[0].Lease)); err != nil {
		t.Fatal(err)
	}
}

func TestWhatALeaseClearsAwayIsNoEvent(t *testing.T) {
	endpoints, prefix := cluster.Endpoints(t), cluster.Prefix()
	s, etcd := open(t, endpoints, prefix), raw(t, endpoints...)
	w, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	commit := func(ops ...store.Op) {
		t.Helper()
		if _, err := s.Commit(t.Context(), ops...); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	commit(store.Put("long ago", nil).Until(now.Add(-10 * time.Minute)))
	commit(store.Put("alive", nil).Until(now.Add(10 * time.Minute)))
	commit(store.Put("deleted", nil).Until(now.Add(10 * time.Hour)))
	revoke(t, etcd, prefix+"/r/long ago")
	commit(store.Delete("deleted"))
	revoke(t, etcd, prefix+"/r/alive") // by an operator: it was not its time
	commit(store.Put("last", nil))
	for _, want := range []struct {
		key     string
		deleted bool
	}{{"long ago", false}, {"alive", false}, {"deleted", false}, {"deleted", true}, {"alive", true}, {"last", false}} {
		if e := next(t, w); e.Key != want.key || e.Deleted != want.deleted {
			t.Errorf("got the event %+v, want one of %q, deleted: %t", e, want.key, want.deleted)
		}
	}
}

// TestCompactionWhileAWatchIsCutOffIsAGap keeps a node from etcd while etcd
// forgets what happened meanwhile.
func TestCompactionWhileAWatchIsCutOffIsAGap(t *testing.T) {
	endpoints, prefix := cluster.Endpoints(t), cluster.Prefix()
	writer, etcd := open(t, endpoints, prefix), raw(t, endpoints...)
	proxy := newProxy(t)
	s := open(t, []string{"http://" + proxy.Address()}, prefix)
	mirror, err := store.OpenMirror(t.Context(), s, "k/", func(r store.Record) (string, error) { return string(r.Value), nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer mirror.Close()
	w, err := s.Watch(t.Context(), "k/")
	if err != nil {
		t.Fatal(err)
	}
	proxy.Cut()
	for i := range 20 {
		op := store.Put(fmt.Sprint("k/", i%3), fmt.Append(nil, i))
		if _, err = writer.Commit(t.Context(), op); err != nil {
			t.Fatal(err)
		}
	}
	v, err := writer.Commit(t.Context(), store.Delete("k/0"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := etcd.Compact(t.Context(), int64(v), clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	proxy.Fair()
	for range w.Events() {
	}
	if err := w.Err(); !errors.Is(err, store.ErrGap) {
		t.Errorf("the Watch ended with %v, want ErrGap", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		_, gone := mirror.Get("k/0")
		one, _ := mirror.Get("k/1")
		two, _ := mirror.Get("k/2")
		if !gone && one == "19" && two == "17" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the copy holds k/0: %t, k/1: %q, k/2: %q", gone, one, two)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
