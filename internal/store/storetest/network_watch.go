package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
)

// pause is how long a node sleeps that was paused: longer than any engine waits
// for an answer before it takes a connection for dead.
const pause = 12 * time.Second

func reconnectPromises() []networkPromise {
	return []networkPromise{
		{"a watcher whose connection broke misses nothing or is told so", func(t *testing.T, n network) {
			proveWatchThrough(t, n, (*Proxy).Cut, 100*time.Millisecond, 60)
		}},
		{"a watcher whose answers were lost misses nothing or is told so", func(t *testing.T, n network) {
			proveWatchThrough(t, n, (*Proxy).Deafen, 100*time.Millisecond, 60)
		}},
		{"a watcher on a node that was paused misses nothing or is told so", func(t *testing.T, n network) {
			proveWatchThrough(t, n, (*Proxy).Stall, pause, 600)
		}},
		{"when Watch has returned on a shaky network no later change is missed", proveWatchBeginsInTrouble},
		{"copies follow through every trouble: a Mirror to the same records, a Tail to each exactly once", proveCopiesFollow},
	}
}

// proveWatchThrough writes before, during and after trouble, on a node that has
// none, and follows on the one that has.
func proveWatchThrough(t *testing.T, n network, trouble func(*Proxy), lasts time.Duration, during int) {
	other := n.Open(t, "")
	s, proxy := n.behind(t)
	w := watch(t, s, n.key("p/"))
	want := []store.Version{}
	write := func(count int) {
		for range count {
			op := store.Put(n.key("p/a"), fmt.Append(nil, len(want)))
			if len(want)%3 == 2 {
				op = store.Delete(n.key("p/a"))
			}
			want = append(want, commit(t, other, op))
		}
	}
	write(20)
	began := time.Now()
	trouble(proxy)
	write(during)
	time.Sleep(time.Until(began.Add(lasts)))
	proxy.Fair()
	write(20)
	var last store.Version
	for i := 0; i < len(want); {
		e, ok := nextOrEnd(t, w)
		switch {
		case !ok && errors.Is(w.Err(), store.ErrGap):
			return // it was told
		case !ok:
			t.Fatalf("the Watch ended with %v, want ErrGap or that it goes on", w.Err())
		case e.Version < last:
			t.Fatalf("an event of version %d came after one of %d", e.Version, last)
		case e.Version == last: // an event may arrive twice
		case e.Version != want[i]:
			t.Fatalf("event %d has version %d, want %d", i, e.Version, want[i])
		default:
			i, last = i+1, e.Version
		}
	}
}

// nextOrEnd returns the next event, or false when the Watch has ended.
func nextOrEnd(t *testing.T, w store.Watch) (store.Event, bool) {
	t.Helper()
	select {
	case e, ok := <-w.Events():
		return e, ok
	case <-time.After(patience):
		t.Fatal("neither an event came nor an end")
	}
	return store.Event{}, false
}

// proveWatchBeginsInTrouble subscribes again and again while connections break.
func proveWatchBeginsInTrouble(t *testing.T, n network) {
	other := n.Open(t, "")
	s, proxy := n.behind(t)
	stop := shake(proxy, 40*time.Millisecond)
	defer stop()
	began := 0
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		w, err := s.Watch(ctx, n.key("p/"))
		if err != nil {
			if !unknown(err) {
				t.Errorf("Watch: %v", err)
			}
			cancel()
			time.Sleep(5 * time.Millisecond)
			continue
		}
		began++
		v := commit(t, other, store.Put(n.key("p/a"), nil))
		if e, ok := nextOrEnd(t, w); ok && e.Version > v || !ok && !errors.Is(w.Err(), store.ErrGap) {
			t.Errorf("after a Commit of version %d came %+v, %v, want its event or a gap", v, e, w.Err())
		}
		cancel()
	}
	if began == 0 {
		t.Error("no Watch began, so nothing is proved")
	}
}

// shake changes the weather every so often until the function that it returns
// is called, and the weather is fair again.
func shake(p *Proxy, every time.Duration) func() {
	life, end := context.WithCancel(context.Background())
	var shaking sync.WaitGroup
	shaking.Go(func() {
		for i := 0; life.Err() == nil; i++ {
			for _, turn := range []func(*Proxy){(*Proxy).Fair, []func(*Proxy){(*Proxy).Cut, (*Proxy).Stall, (*Proxy).Deafen}[i%3]} {
				turn(p)
				select {
				case <-time.After(every):
				case <-life.Done():
				}
			}
		}
		p.Fair()
	})
	return func() { end(); shaking.Wait() }
}

// proveCopiesFollow is about everything at once: two nodes write, one of them in
// trouble, and what it keeps in memory is right in the end.
func proveCopiesFollow(t *testing.T, n network) {
	other := n.Open(t, "")
	s, proxy := n.behind(t)
	mirror, err := store.OpenMirror(within(t), s, n.key("m/"), func(r store.Record) (store.Version, error) { return r.Version, nil }, nil)
	if err != nil {
		t.Fatalf("OpenMirror: %v", err)
	}
	t.Cleanup(mirror.Close)
	taken := map[string]int{}
	tail, err := store.OpenTail(within(t), s, n.key("j/"), func(records []store.Record) {
		for _, r := range records {
			taken[r.Key]++ // by one goroutine, which Close ends
		}
	}, nil)
	if err != nil {
		t.Fatalf("OpenTail: %v", err)
	}
	stop := shake(proxy, 150*time.Millisecond)
	deadline := time.Now().Add(4 * time.Second)
	together(4, func(i int) {
		node := []store.Store{s, other}[i%2]
		for k := 0; time.Now().Before(deadline); k++ {
			ctx, cancel := context.WithTimeout(t.Context(), promptly)
			ops := []store.Op{store.Put(n.key(fmt.Sprintf("j/%d/%d", i, k)), nil).IfAbsent(), store.Put(n.key(fmt.Sprint("m/", k%50)), nil)}
			if k%7 == 3 {
				ops[1] = store.Delete(ops[1].Key)
			}
			_, err := node.Commit(ctx, ops...)
			cancel()
			if err != nil && !unknown(err) {
				t.Errorf("Commit: %v", err)
			}
			time.Sleep(2 * time.Millisecond)
		}
	})
	stop()
	var last store.Version
	eventually(t, "the node recovers", func() bool {
		last, err = s.Commit(within(t), store.Put(n.key("j/last"), nil), store.Put(n.key("m/last"), nil))
		return err == nil
	})
	if err := errors.Join(tail.Wait(within(t), last), mirror.Wait(within(t), last)); err != nil {
		t.Fatalf("Wait: %v", err)
	}
	tail.Close()
	wantCopies(t, other, n, maps.Collect(mirror.All()), taken)
}

func wantCopies(t *testing.T, s store.Store, n network, mirrored map[string]store.Version, taken map[string]int) {
	t.Helper()
	want := map[string]store.Version{}
	each(t, s, n.key("m/"), func(r store.Record) { want[r.Key] = r.Version })
	if !maps.Equal(mirrored, want) {
		t.Errorf("the Mirror holds %d records, want these %d: %v, want %v", len(mirrored), len(want), mirrored, want)
	}
	written := 0
	each(t, s, n.key("j/"), func(r store.Record) {
		if written++; taken[r.Key] != 1 {
			t.Errorf("the Tail handed over %q %d times, want once", r.Key, taken[r.Key])
		}
	})
	if len(taken) != written {
		t.Errorf("the Tail handed over %d records, and %d are there", len(taken), written)
	}
}

// each visits all records under prefix.
func each(t *testing.T, s store.Store, prefix string, visit func(store.Record)) {
	t.Helper()
	for after := ""; ; {
		records, err := s.List(within(t), prefix, after, store.MaxList)
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		for _, r := range records {
			visit(r)
			after = r.Key
		}
		if len(records) < store.MaxList {
			return
		}
	}
}
