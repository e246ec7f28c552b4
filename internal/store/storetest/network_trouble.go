package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
)

// promptly is how soon a call must return that has no reason to go on, on a
// machine that is busy with other things.
const promptly = 5 * time.Second

func outagePromises() []networkPromise {
	return []networkPromise{
		{"a Commit whose acknowledgement is lost has happened once and is no conflict with itself", proveLostAcknowledgement},
		{"a Commit that was held up on the way is judged when it arrives", proveLateCommit},
		{"while the engine cannot be reached every call is unavailable, and afterwards none", proveOutage},
		{"a call returns when its context ends although the engine is silent", proveSilence},
		{"a node that is held up holds nobody else up", proveNobodyHeldUp},
	}
}

// proveLostAcknowledgement waits until another node reads what was committed:
// only the answer can be missing then. Whoever sends the Commit again without
// thinking is told of a conflict with itself, and a code that was redeemed looks
// like one that was stolen.
func proveLostAcknowledgement(t *testing.T, n network) {
	witness := n.Open(t, "")
	s, proxy := n.behind(t)
	for round := range 3 {
		key := n.key(fmt.Sprint("code/", round))
		proxy.Deafen()
		outcome := make(chan error, 1)
		go func() {
			_, err := s.Commit(context.WithoutCancel(t.Context()), store.Put(key, []byte("once")).IfAbsent())
			outcome <- err
		}()
		eventually(t, "the Commit happens", func() bool { return get(t, witness, key).Exists() })
		v := get(t, witness, key).Version
		proxy.Cut()
		time.Sleep(50 * time.Millisecond)
		proxy.Fair()
		select {
		case err := <-outcome:
			if err != nil && !unknown(err) {
				t.Errorf("the Commit that happened ended with %v, want none or one that leaves the outcome open", err)
			}
		case <-time.After(patience):
			t.Fatal("the Commit got no answer")
		}
		eventually(t, "the node recovers", func() bool {
			_, err := s.Get(within(t), key)
			return err == nil
		})
		if r := get(t, s, key); r.Version != v || string(r.Value) != "once" {
			t.Errorf("the record became %+v, want version %d", r, v)
		}
	}
}

// proveLateCommit holds a Commit until its caller has left and another node has
// changed what it was decided on.
func proveLateCommit(t *testing.T, n network) {
	other := n.Open(t, "")
	s, proxy := n.behind(t)
	v := commit(t, other, store.Put(n.key("a"), []byte("read")))
	proxy.Stall()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := s.Commit(ctx, store.Put(n.key("a"), []byte("late")).If(v), store.Put(n.key("late"), nil))
	if !unknown(err) {
		t.Errorf("Commit = %v, want its context's error", err)
	}
	newer := commit(t, other, store.Put(n.key("a"), []byte("newer")).If(v))
	proxy.Fair()
	eventually(t, "the node recovers", func() bool {
		_, err := s.Commit(within(t), store.Put(n.key("last"), nil)) // after the late one, where the node keeps their order
		return err == nil
	})
	time.Sleep(200 * time.Millisecond)
	if r := get(t, other, n.key("a")); r.Version != newer || string(r.Value) != "newer" {
		t.Errorf("the record became %+v, want what the other node made of it", r)
	}
	wantAbsent(t, other, n.key("late"))
}

func proveOutage(t *testing.T, n network) {
	s, proxy := n.behind(t)
	for range 2 {
		proxy.Cut()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, errGet := s.Get(ctx, n.key("a"))
		_, errList := s.List(ctx, n.key(""), "", 1)
		_, errCommit := s.Commit(ctx, store.Put(n.key("a"), nil))
		cancel()
		for what, err := range map[string]error{"Get": errGet, "List": errList, "Commit": errCommit} {
			if fault.KindOf(err) != fault.Unavailable {
				t.Errorf("%s: got error %v, want one of kind unavailable", what, err)
			} else if fault.RetryAfter(err) <= 0 {
				t.Errorf("%s does not say when to come back: %v", what, err)
			}
		}
		proxy.Fair()
		eventually(t, "the node recovers", func() bool {
			_, errCommit := s.Commit(within(t), store.Put(n.key("a"), []byte("back")))
			_, errGet := s.Get(within(t), n.key("a"))
			return errors.Join(errCommit, errGet) == nil
		})
		for range 20 { // and it stays so, whichever connection a call takes
			commit(t, s, store.Put(n.key("a"), []byte("back")))
			wantValue(t, s, n.key("a"), "back")
		}
	}
}

func proveSilence(t *testing.T, n network) {
	s, proxy := n.behind(t)
	proxy.Stall()
	for what, call := range map[string]func(context.Context) error{
		"Get":    func(ctx context.Context) error { _, err := s.Get(ctx, n.key("a")); return err },
		"List":   func(ctx context.Context) error { _, err := s.List(ctx, n.key(""), "", 1); return err },
		"Commit": func(ctx context.Context) error { _, err := s.Commit(ctx, store.Put(n.key("a"), nil)); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		began := time.Now()
		err := call(ctx)
		cancel()
		if took := time.Since(began); took > promptly {
			t.Errorf("%s returned %s after its context had ended", what, took)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got error %v, want the context's", what, err)
		}
	}
	proxy.Fair()
}

// proveNobodyHeldUp stops a node anywhere within its Commits, which are large so
// that most stops are within one. Whatever it holds at that moment, the others
// need no longer than ever.
func proveNobodyHeldUp(t *testing.T, n network) {
	other := n.Open(t, "")
	s, proxy := n.behind(t)
	large := make([]byte, store.MaxValue-store.MaxKey)
	done := make(chan struct{})
	life, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() {
		defer close(done)
		for life.Err() == nil {
			// Some of them fail: that is the network's doing.
			_, err := s.Commit(life, store.Put(n.key("large/1"), large), store.Put(n.key("large/2"), large))
			if err != nil && !unknown(err) && life.Err() == nil {
				t.Errorf("Commit: %v", err)
				return
			}
		}
	}()
	for i := range 12 {
		time.Sleep(time.Duration(11+7*i) * time.Millisecond)
		proxy.Stall()
		ctx, cancel := context.WithTimeout(t.Context(), promptly)
		if _, err := other.Commit(ctx, store.Put(n.key("other"), nil)); err != nil {
			t.Errorf("beside a node that was held up a Commit ended with %v", err)
		}
		cancel()
		proxy.Fair()
	}
	stop()
	<-done
}

// proveWrongClock gives a node a clock of its own: within a synctest bubble it is
// the year 2000, and stays so while there are connections.
func proveWrongClock(t *testing.T, n network) {
	for i, ahead := range []time.Duration{0, 100 * 365 * 24 * time.Hour} { // years slow, and years fast
		key := func(name string) string { return n.key(fmt.Sprint(i, "/", name)) }
		now := time.Now()
		right := n.Open(t, "")
		v := commit(t, right, store.Put(key("alive"), []byte("alive")).Until(now.Add(time.Hour)), store.Put(key("dead"), nil).Until(now.Add(-time.Second)))
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(ahead)
			wrong := n.Open(t, "")
			ctx := t.Context()
			records, err := wrong.Get(ctx, key("alive"), key("dead"))
			if err != nil {
				t.Fatalf("Get: %v", err)
			}
			if records[0].Version != v || records[1].Exists() {
				t.Errorf("in %d a node reads %+v, want the living record alone", time.Now().Year(), records)
			}
			listed, err := wrong.List(ctx, key(""), "", 10)
			if err != nil || len(listed) != 1 {
				t.Errorf("in %d a node lists %+v, %v, want the living record alone", time.Now().Year(), listed, err)
			}
			_, err = wrong.Commit(ctx, store.Put(key("alive"), []byte("again")).IfAbsent())
			wantConflict(t, err, key("alive"))
			if _, err = wrong.Commit(ctx, store.Put(key("dead"), []byte("anew")).IfAbsent(), store.Unchanged(key("alive"), v)); err != nil {
				t.Errorf("Commit: %v", err)
			}
		})
		wantValue(t, right, key("dead"), "anew")
		wantValue(t, right, key("alive"), "alive")
	}
}
