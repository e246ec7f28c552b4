package status_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/status"
	"github.com/signet-id/signet/internal/store"
)

// taken collects slots and objects to one that comes twice.
type taken struct {
	mu   sync.Mutex
	seen map[slot.Slot]bool
}

func (s *taken) add(t testing.TB, at slot.Slot) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[slot.Slot]bool{}
	}
	if at == 0 || s.seen[at] {
		t.Errorf("slot %d was handed out twice", at)
	}
	s.seen[at] = true
}

func TestNoSlotIsHandedOutTwiceByTwoNodesAtOnceOrAfterARestart(t *testing.T) {
	s := newStore(t)
	var all taken
	for range 3 { // each round is a restart of both
		one, two := start(t, s), start(t, s)
		if _, known := one.clients.Find("robot"); !known {
			one.register(t, "robot")
			one.register(t, "shop")
			eventually(t, "both nodes know the clients", func() bool { _, ok := two.clients.Find("shop"); return ok })
		}
		var work sync.WaitGroup
		for _, n := range []*node{one, two} {
			for _, id := range []string{"robot", "shop", "robot"} {
				work.Go(func() {
					for range 500 {
						all.add(t, n.take(t, id))
					}
				})
			}
		}
		work.Wait()
		one.Close()
		two.Close()
	}
	if got, want := len(all.seen), 3*2*3*500; got != want {
		t.Errorf("%d slots were handed out, want %d", got, want)
	}
}

// A backup knows nothing of what was handed out after it was made, here by two
// processes.
func TestAStoreRestoredFromABackupHandsOutNoSlotAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path, backup := filepath.Join(dir, "signet.db"), filepath.Join(dir, "backup.db")
		s := openStore(t, path)
		n := start(t, s)
		n.register(t, "robot")
		var all taken
		all.add(t, n.take(t, "robot"))
		synctest.Wait()
		copyFile(t, path, backup)
		for _, n := range []*node{n, start(t, s), start(t, s)} {
			for range 1000 {
				all.add(t, n.take(t, "robot"))
			}
		}
		time.Sleep(time.Minute)
		restored := start(t, openStore(t, backup))
		for range 1000 {
			all.add(t, restored.take(t, "robot"))
		}
	})
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	src, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	if _, err := io.Copy(dst, src); err != nil {
		t.Fatal(err)
	}
}

func TestAfterTheFirstSlotNothingIsWrittenForTheNext(t *testing.T) {
	s := &counting{Store: newStore(t)}
	n := start(t, s)
	n.register(t, "robot")
	n.take(t, "robot")
	before := s.commits.Load()
	for range 30 {
		n.take(t, "robot")
	}
	if got := s.commits.Load() - before; got != 0 {
		t.Errorf("30 slots cost %d commits, want 0", got)
	}
}

// Blocks double while they are used up, so that the commits per slot vanish.
func TestWhoTakesManySlotsGetsEverLargerBlocks(t *testing.T) {
	s := &counting{Store: newStore(t)}
	n := start(t, s)
	n.register(t, "robot")
	before := s.commits.Load()
	for range 400_000 {
		n.take(t, "robot")
	}
	if got := s.commits.Load() - before; got > 40 {
		t.Errorf("400,000 slots cost %d commits, want at most 40", got)
	}
	blocks, err := n.Slots.Blocks(t.Context(), "robot")
	if err != nil {
		t.Fatal(err)
	}
	if blocks[0].Count != 64 || blocks[1].Count != 128 {
		t.Errorf("the first blocks are %v, want 64 and 128 slots", blocks[:2])
	}
	for _, b := range blocks {
		if b.First.List() != (b.First + slot.Slot(b.Count) - 1).List() {
			t.Errorf("%v crosses the border of a list", b)
		}
	}
}

func TestBlocksAreAllThatALiveTokenOfTheClientMayCarryOnAnyNode(t *testing.T) {
	s := newStore(t)
	one, two := start(t, s), start(t, s)
	one.register(t, "robot")
	one.register(t, "robot.2")
	eventually(t, "the other node knows the client", func() bool { _, ok := two.clients.Find("robot.2"); return ok })
	mine := []slot.Slot{one.take(t, "robot"), two.take(t, "robot")}
	other := one.take(t, "robot.2")
	blocks, err := two.Slots.Blocks(t.Context(), "robot")
	if err != nil {
		t.Fatal(err)
	}
	covers := func(at slot.Slot) bool {
		for _, b := range blocks {
			if b.First <= at && at < b.First+slot.Slot(b.Len()) {
				return true
			}
		}
		return false
	}
	for _, at := range mine {
		if !covers(at) {
			t.Errorf("%v lacks %d", blocks, at)
		}
	}
	if covers(other) {
		t.Errorf("%v has %d, which is another client's", blocks, other)
	}
}

func disable(t *testing.T, d *client.Directory, id string, disabled bool) {
	t.Helper()
	_, err := d.Update(context.Background(), id, func(c *client.Client) error { c.Disabled = disabled; return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func TestAClientThatIsUnknownOrDisabledGetsNoSlot(t *testing.T) {
	n := start(t, newStore(t))
	n.register(t, "robot")
	disable(t, n.clients, "robot", true)
	for _, id := range []string{"robot", "nobody"} {
		if at, _, err := n.Slots.Take(t.Context(), id); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s: Take = %d, %v, want Denied", id, at, err)
		}
	}
	disable(t, n.clients, "robot", false)
	n.take(t, "robot")
}

// Between the reading of the client's record and the Commit of the lease the
// operator disables the client: the lease must not be made.
func TestABlockIsNotLeasedForAClientThatWasDisabledMeanwhile(t *testing.T) {
	s := newStore(t)
	c := &counting{Store: s}
	n := start(t, c)
	n.register(t, "robot")
	operator, err := client.Open(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer operator.Close()
	c.before = func(ops []store.Op) {
		if len(ops) == 3 { // the lease, the client, the fence
			c.before = nil
			disable(t, operator, "robot", true)
		}
	}
	if at, _, err := n.Slots.Take(t.Context(), "robot"); fault.KindOf(err) != fault.Denied {
		t.Errorf("Take = %d, %v, want Denied", at, err)
	}
	if blocks, err := n.Slots.Blocks(t.Context(), "robot"); err != nil || len(blocks) != 0 {
		t.Errorf("Blocks = %v, %v, want none", blocks, err)
	}
}

// Whoever ends a client demands that no block has begun since they looked.
func TestALeaseIsNoticedByWhoeverEndsTheClient(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.register(t, "robot")
	fence := ended.ClientBegun("robot").Key
	before, err := s.Get(t.Context(), fence)
	if err != nil {
		t.Fatal(err)
	}
	n.take(t, "robot")
	if _, err := s.Commit(t.Context(), store.Unchanged(fence, before[0].Version)); err == nil {
		t.Error("the ending does not notice that a block was leased")
	}
}

func TestSlotsThatEndedWithTheClientAreNotHandedOutAfterwards(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.register(t, "robot")
	n.take(t, "robot")
	blocks, err := n.Slots.Blocks(t.Context(), "robot")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []ended.Kind{ended.KindClient, ended.KindToken} { // dropped, and passed over
		n.end(t, s, ended.Ending{Kind: kind, ClientID: "robot", Slots: blocks})
		for range 200 {
			if at := n.take(t, "robot"); n.Board.Ended(at) {
				t.Fatalf("after a %s ending slot %d was handed out", kind, at)
			}
		}
		if blocks, err = n.Slots.Blocks(t.Context(), "robot"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestABlockIsUsedForItsTermAndItsLeaseOutlivesTheLastToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		n := start(t, s)
		n.register(t, "robot")
		first, until, err := n.Slots.Take(t.Context(), "robot")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(until) + time.Second)
		if next := n.take(t, "robot"); next == first+1 {
			t.Error("a slot was handed out after the term of its block")
		}
		// A token issued at the last moment lives for lifetime.
		time.Sleep(time.Until(until.Add(lifetime)))
		blocks, err := n.Slots.Blocks(t.Context(), "robot")
		if err != nil || len(blocks) == 0 || blocks[0].First != first {
			t.Errorf("Blocks = %v, %v; want that of %d to be there still", blocks, err, first)
		}
		time.Sleep(10 * time.Minute)
		blocks, err = n.Slots.Blocks(t.Context(), "robot")
		if err != nil || len(blocks) != 1 {
			t.Errorf("Blocks = %v, %v; want the second alone", blocks, err)
		}
	})
}

func TestBeforeTheTermEndsTheNextBlockIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counting{Store: newStore(t)}
		n := start(t, s)
		n.register(t, "robot")
		n.take(t, "robot")
		time.Sleep(status.Term - time.Minute)
		n.take(t, "robot")
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		before := s.commits.Load()
		n.take(t, "robot")
		synctest.Wait()
		if got := s.commits.Load() - before; got != 0 {
			t.Errorf("the first slot of the next term cost %d commits, want 0", got)
		}
	})
}

// Whoever asked first may leave; the block comes all the same.
func TestACallerThatLeavesTakesNoBlockFromTheOthers(t *testing.T) {
	c := &counting{Store: newStore(t)}
	n := start(t, c)
	n.register(t, "robot")
	ctx, cancel := context.WithCancel(t.Context())
	c.before = func([]store.Op) { cancel() }
	if _, _, err := n.Slots.Take(ctx, "robot"); err == nil {
		t.Log("the block was faster") // allowed
	}
	n.take(t, "robot")
}

// silent is a store that stops answering.
type silent struct {
	store.Store
	begun atomic.Bool
}

func (s *silent) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	if s.begun.Load() {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return s.Store.Commit(ctx, ops...)
}

// An engine that says nothing is no failure of the server's: whoever asked is told
// when to come back.
func TestWhoWaitedInVainForABlockIsToldToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &silent{Store: newStore(t)}
		n := start(t, s)
		n.register(t, "robot")
		s.begun.Store(true)
		at, _, err := n.Slots.Take(t.Context(), "robot")
		if fault.KindOf(err) != fault.Unavailable || fault.RetryAfter(err) == 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Take = %d, %v, Retry-After %s, want Unavailable and a time", at, err, fault.RetryAfter(err))
		}
	})
}

func TestADamagedCounterIsToldOf(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.register(t, "robot")
	if _, err := s.Commit(t.Context(), store.Put("slots/next", []byte("{"))); err != nil {
		t.Fatal(err)
	}
	var syntax *json.SyntaxError
	if _, _, err := n.Slots.Take(t.Context(), "robot"); !errors.As(err, &syntax) || fault.KindOf(err) != fault.Internal {
		t.Errorf("Take = %v, want a failure of ours that says why", err)
	}
}

func BenchmarkTake(b *testing.B) {
	n := start(b, newStore(b))
	n.register(b, "robot")
	n.take(b, "robot")
	b.Run("one caller", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := n.Slots.Take(b.Context(), "robot"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("all at once", func(b *testing.B) {
		b.ReportAllocs()
		var failed atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, _, err := n.Slots.Take(b.Context(), "robot"); err != nil {
					failed.Add(1)
				}
			}
		})
		if failed.Load() != 0 {
			b.Error("Take failed")
		}
	})
}
