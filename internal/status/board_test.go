package status_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/status"
	"github.com/signet-id/signet/internal/store"
)

func TestWhatEndedIsOnTheBoardAndInTheListAndNothingElseIs(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.register(t, "robot")
	var at [4]slot.Slot
	for i := range at {
		at[i] = n.take(t, "robot")
	}
	position := n.end(t, s, ended.Ending{Slots: []slot.Range{slot.Only(at[0]), {First: at[2], Count: 2}}})
	_, claims := n.list(t, at[0].List())
	raw := inflate(t, claims.List.Lst)
	for i, want := range []bool{true, false, true, true} {
		if n.Board.Ended(at[i]) != want || isSet(raw, at[i]) != want {
			t.Errorf("slot %d: on the board %t, in the list %t, want %t", i, n.Board.Ended(at[i]), isSet(raw, at[i]), want)
		}
	}
	ones := 0
	for _, b := range raw {
		for ; b != 0; b &= b - 1 {
			ones++
		}
	}
	if len(raw) != slot.Size/8 || ones != 3 {
		t.Errorf("the list has %d bytes and %d ended, want %d and 3", len(raw), ones, slot.Size/8)
	}
	uri := slot.ListURI(issuer, at[0].List())
	if claims.Issuer != issuer || claims.Subject != uri || claims.List.Bits != 1 || claims.TTL != 60 ||
		claims.Expires-claims.IssuedAt != 24*60*60 || claims.Position != uint64(position) {
		t.Errorf("the list says %+v", claims)
	}
	if got := n.Board.Lists(); !slices.Equal(got, []string{uri}) {
		t.Errorf("Lists = %v, want %s", got, uri)
	}
}

func TestTheBoardIsTheSameAfterARestartAndOnEveryNode(t *testing.T) {
	s := newStore(t)
	one, two := start(t, s), start(t, s)
	one.register(t, "robot")
	at := one.take(t, "robot")
	v := one.end(t, s, only(at))
	if err := two.Wait(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]*node{"the other": two, "a restarted": start(t, s)} {
		if !n.Board.Ended(at) || n.Board.Ended(at+1) {
			t.Errorf("%s node: ended %t, its neighbour %t", name, n.Board.Ended(at), n.Board.Ended(at+1))
		}
		if n.Board.Head() < v {
			t.Errorf("%s node is at %d, want %d", name, n.Board.Head(), v)
		}
	}
}

// An engine cuts off a watcher that can't keep up; the board reads the journal anew.
func TestTheBoardCatchesUpAfterAGap(t *testing.T) {
	s := newStore(t)
	g := &gap{Store: s}
	n := start(t, g)
	at := slot.At(5, 7)
	g.cut()
	v := journal(t, s, only(at))
	if err := n.Wait(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if !n.Board.Ended(at) {
		t.Error("what ended in the gap is not on the board")
	}
}

// gap loses the thread when told to.
type gap struct {
	store.Store
	mu   sync.Mutex
	cuts []context.CancelFunc
}

type cutWatch struct {
	store.Watch
	cut context.Context
}

func (w cutWatch) Err() error {
	if w.cut.Err() != nil {
		return store.ErrGap
	}
	return w.Watch.Err()
}

func (g *gap) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	ctx, cancel := context.WithCancel(ctx)
	w, err := g.Store.Watch(ctx, prefix)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cuts = append(g.cuts, cancel)
	return cutWatch{w, ctx}, err
}

func (g *gap) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, cut := range g.cuts {
		cut()
	}
	g.cuts = nil
}

func TestThousandRequestsForAListCostOneSignature(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.register(t, "robot")
	at := n.take(t, "robot")
	ask := func() {
		var work sync.WaitGroup
		for range 1000 {
			work.Go(func() {
				if _, err := n.Board.List(t.Context(), at.List()); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
	}
	ask()
	ask()
	if got := n.signer.lists.Load(); got != 1 {
		t.Errorf("2,000 requests cost %d signatures, want 1", got)
	}
	n.end(t, s, only(at))
	ask()
	if got := n.signer.lists.Load(); got != 2 {
		t.Errorf("after a change there were %d signatures, want 2", got)
	}
}

// A verifier that begins to follow wants lists that are complete up to a position,
// whether or not anything in them has changed.
func TestAListIsCompleteUpToTheHeadOfTheJournal(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.register(t, "robot")
	at := n.take(t, "robot")
	n.list(t, at.List())
	v := n.end(t, s, only(slot.At(77, 1)))
	if _, claims := n.list(t, at.List()); claims.Position != uint64(v) {
		t.Errorf("the list is of position %d, want %d", claims.Position, v)
	}
}

func TestAListIsSignedAnewWhenHalfOfItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, newStore(t))
		n.register(t, "robot")
		number := n.take(t, "robot").List()
		young, _ := n.list(t, number)
		time.Sleep(29 * time.Second)
		if p, _ := n.list(t, number); p != young {
			t.Error("it was signed anew after 29 s")
		}
		time.Sleep(2 * time.Second)
		if p, claims := n.list(t, number); p == young || claims.IssuedAt != time.Now().Unix() {
			t.Error("it is the old one after 31 s")
		}
	})
}

func TestAListThatNeverWasOrIsRetiredIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		n := start(t, s)
		n.register(t, "robot")
		at := n.take(t, "robot")
		n.end(t, s, only(at))
		unknown := func(number uint64) {
			t.Helper()
			if _, err := n.Board.List(t.Context(), number); fault.KindOf(err) != fault.NotFound {
				t.Errorf("List(%d) = %v, want NotFound", number, err)
			}
		}
		unknown(at.List() + 1)
		unknown(0)
		time.Sleep(status.Term + lifetime)
		n.list(t, at.List()) // the last token may be alive still
		time.Sleep(6 * time.Minute)
		unknown(at.List())
		if got := n.Board.Lists(); len(got) != 0 {
			t.Errorf("Lists = %v, want none", got)
		}
		later := slot.At(at.List()+9, 1)
		n.end(t, s, only(later)) // whatever happens next sweeps
		if n.Board.Ended(at) || !n.Board.Ended(later) {
			t.Errorf("the retired list is kept: %t; what has just ended is known: %t", n.Board.Ended(at), n.Board.Ended(later))
		}
	})
}

// An ending may arrive before the lease of its slot: two watches have two speeds.
func TestABitThatIsSetBeforeItsListIsKnownIsInTheList(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	at := slot.At(uint64(time.Now().Unix())+100, 3)
	n.end(t, s, only(at))
	if _, err := n.Board.List(t.Context(), at.List()); fault.KindOf(err) != fault.NotFound {
		t.Errorf("List = %v before anything was leased, want NotFound", err)
	}
	value := fmt.Sprintf(`{"first":%d,"count":64}`, at-3)
	if _, err := s.Commit(t.Context(), store.Put("slots/lease/robot/1", []byte(value)).Until(time.Now().Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the list exists", func() bool { return len(n.Board.Lists()) == 1 })
	if _, claims := n.list(t, at.List()); !isSet(inflate(t, claims.List.Lst), at) {
		t.Error("the bit is not in the list")
	}
}

func TestAListThatCantBeSignedIsToldOfAndTriedAgain(t *testing.T) {
	n := start(t, newStore(t))
	n.register(t, "robot")
	number := n.take(t, "robot").List()
	away := errors.New("the keys are away")
	n.signer.err.Store(&away)
	if _, err := n.Board.List(t.Context(), number); !errors.Is(err, away) {
		t.Errorf("List = %v, want %v", err, away)
	}
	n.signer.err.Store(nil)
	n.list(t, number)
}

func TestTheCompressedListIsTheList(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.register(t, "robot")
	first := n.take(t, "robot")
	for _, share := range []float64{0, 0.001, 0.01, 0.5} {
		fill(t, n, s, first.List(), share)
		p, claims := n.list(t, first.List())
		r, err := gzip.NewReader(bytes.NewReader(p.Gzip))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(r); err != nil || !bytes.Equal(text, p.JWT) {
			t.Errorf("at %v the compressed list is another, %v", share, err)
		}
		ones := 0
		raw := inflate(t, claims.List.Lst)
		for i := range uint32(slot.Size) {
			if at := slot.At(first.List(), i); isSet(raw, at) {
				ones++
				if !n.Board.Ended(at) {
					t.Fatalf("%d is in the list alone", i)
				}
			}
		}
		t.Logf("%5.2f%% ended: JWT %d bytes, on the wire with gzip %d", 100*float64(ones)/slot.Size, len(p.JWT), len(p.Gzip))
	}
}

// fill ends a share of a list at random.
func fill(t testing.TB, n *node, s store.Store, number uint64, share float64) {
	r := rand.New(rand.NewPCG(1, 2))
	var slots []slot.Range
	var v store.Version
	for range int(share * slot.Size) {
		slots = append(slots, slot.Only(slot.At(number, r.Uint32N(slot.Size))))
		if len(slots) == 10_000 {
			v, slots = journal(t, s, ended.Ending{Slots: slots}), nil
		}
	}
	v = max(v, journal(t, s, ended.Ending{Slots: slots}))
	if err := n.Wait(context.Background(), v); err != nil {
		t.Fatal(err)
	}
}

// The vectors of the specification, which have lists of 1, 2, 4 and 8 bits: all
// decode, and what we encode inflates to the same bytes.
func TestTheVectorsOfTheSpecification(t *testing.T) {
	var file struct {
		Vectors []struct {
			Name    string            `json:"name"`
			Bits    int               `json:"bits"`
			Entries int               `json:"entries"`
			Nonzero map[string]uint32 `json:"nonzero"`
			Lst     string            `json:"lst"`
		} `json:"vectors"`
	}
	text, err := os.ReadFile("testdata/token-status-list.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Vectors) < 5 {
		t.Fatalf("%d vectors, %v", len(file.Vectors), err)
	}
	for _, v := range file.Vectors {
		raw := inflate(t, v.Lst)
		if len(raw) != v.Entries*v.Bits/8 {
			t.Errorf("%s: %d bytes, want %d", v.Name, len(raw), v.Entries*v.Bits/8)
			continue
		}
		for i := range v.Entries {
			got := uint32(raw[i*v.Bits/8]) >> (i * v.Bits % 8) & (1<<v.Bits - 1)
			if want := v.Nonzero[fmt.Sprint(i)]; got != want {
				t.Errorf("%s: entry %d is %d, want %d", v.Name, i, got, want)
			}
		}
		for _, level := range []int{flate.DefaultCompression, flate.HuffmanOnly} {
			lst, err := status.Encode(raw, level)
			if err != nil || !bytes.Equal(inflate(t, lst), raw) {
				t.Errorf("%s: what we encode at level %d inflates to something else, %v", v.Name, level, err)
			}
		}
	}
}

// The one-bit list of the vectors comes out of a board with these bits set.
func TestABoardWithTheBitsOfAVectorPublishesItsBytes(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.register(t, "robot")
	number := n.take(t, "robot").List()
	var slots []slot.Range
	for _, i := range []uint32{0, 3, 4, 5, 7, 8, 9, 13, 15} { // §4.1
		slots = append(slots, slot.Only(slot.At(number, i)))
	}
	n.end(t, s, ended.Ending{Slots: slots})
	_, claims := n.list(t, number)
	if raw := inflate(t, claims.List.Lst); raw[0] != 0xb9 || raw[1] != 0xa3 {
		t.Errorf("the first bytes are %x, want b9a3", raw[:2])
	}
}

func BenchmarkEnded(b *testing.B) {
	s := newStore(b)
	n := start(b, s)
	n.end(b, s, only(slot.At(9, 9)))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if n.Board.Ended(slot.At(9, 10)) {
				b.Error("it has not ended")
			}
		}
	})
}

func BenchmarkListAfterAChange(b *testing.B) {
	for _, share := range []float64{0, 0.01, 0.5} {
		b.Run(fmt.Sprintf("%g%% ended", 100*share), func(b *testing.B) {
			s := newStore(b)
			n := start(b, s)
			n.register(b, "robot")
			number := n.take(b, "robot").List()
			fill(b, n, s, number, share)
			bits := uint32(0)
			for b.Loop() {
				b.StopTimer()
				n.Board.Set(slot.At(number, bits%slot.Size))
				bits += 7919
				b.StartTimer()
				p, err := n.Board.List(b.Context(), number)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(p.Gzip)), "wire-bytes")
			}
		})
	}
}
