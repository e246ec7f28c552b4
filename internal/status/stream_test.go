package status_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/status"
)

// heard is one message as a listener sees it.
type heard struct {
	ID, Event, JWS string
	IssuedAt       int64    `json:"iat"`
	Position       uint64   `json:"position"`
	Chain          string   `json:"chain"`
	Next           string   `json:"next"`
	From           *uint64  `json:"from"`
	Opened         []string `json:"opened"`
	Keys           bool     `json:"keys"`
	Refetch        bool     `json:"refetch"`
	Ended          []struct {
		URI    string      `json:"uri"`
		Index  []uint32    `json:"idx"`
		Ranges [][2]uint32 `json:"ranges"`
	} `json:"ended"`
}

func (h heard) slots() int {
	n := 0
	for _, e := range h.Ended {
		n += len(e.Index) + len(e.Ranges)
	}
	return n
}

func parse(t testing.TB, frame string) heard {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(frame, "\n\n"), "\n")
	if len(lines) != 3 {
		t.Fatalf("%.200q is no event", frame)
	}
	jws := strings.TrimPrefix(lines[2], "data: ")
	h := payload[heard](t, jws)
	h.ID, h.Event, h.JWS = strings.TrimPrefix(lines[0], "id: "), strings.TrimPrefix(lines[1], "event: "), jws
	return h
}

// ear is a wire that keeps what it hears.
type ear struct {
	frames chan string
	closed atomic.Bool
	stuck  chan struct{} // not nil: Send waits for it
}

func newEar() *ear { return &ear{frames: make(chan string, 10_000)} }

func (e *ear) Send(frame []byte) error {
	if e.stuck != nil {
		<-e.stuck
	}
	if e.closed.Load() {
		return os.ErrDeadlineExceeded
	}
	e.frames <- string(frame)
	return nil
}

func (e *ear) Close() error { e.closed.Store(true); return nil }

func (e *ear) next(t testing.TB) heard {
	t.Helper()
	select {
	case f := <-e.frames:
		return parse(t, f)
	case <-time.After(time.Minute):
		t.Fatal("nothing was said")
		return heard{}
	}
}

var home = netip.MustParseAddr("192.0.2.1")

func (n *node) listen(t testing.TB, lastEventID string) *ear {
	t.Helper()
	e := newEar()
	n.join(t, lastEventID).Detach(e)
	return e
}

func (n *node) join(t testing.TB, lastEventID string) *status.Listener {
	t.Helper()
	l, err := n.Hub.Join(context.Background(), home, lastEventID)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func digest(jws string) string {
	sum := sha256.Sum256([]byte(jws))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func TestAListenerIsGreetedAndHearsEachEndingInAChain(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.run(t)
	n.register(t, "robot")
	at := n.take(t, "robot")
	e := n.listen(t, "")
	hello := e.next(t)
	if hello.Event != "hello" || !hello.Refetch || hello.Next == "" || hello.Chain != "" || hello.From != nil || hello.Keys {
		t.Errorf("hello is %+v", hello)
	}
	next := hello.Next
	for i := range 3 {
		slots := []slot.Range{slot.Only(at + slot.Slot(i)), {First: at + 100, Count: 5}}
		v := n.end(t, s, ended.Ending{Slots: slots})
		m := e.next(t)
		if len(m.Opened) > 0 { // the list began after hello
			next = digest(m.JWS)
			m = e.next(t)
		}
		if m.Event != "ended" || m.Chain != next || m.Position != uint64(v) || len(m.Ended) != 1 ||
			m.Ended[0].URI != at.URI(issuer) || m.Ended[0].Index[0] != at.Index()+uint32(i) ||
			m.Ended[0].Ranges[0] != [2]uint32{at.Index() + 100, 5} || m.Keys || m.Refetch {
			t.Errorf("message %d is %+v, after %s", i, m, next)
		}
		if position, _, _ := strings.Cut(m.ID, "-"); position != fmt.Sprint(v) {
			t.Errorf("its id is %s, want that of position %d", m.ID, v)
		}
		next = digest(m.JWS)
	}
}

func TestWhoComesBackHearsWhatWasMissedAndNothingElse(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.run(t)
	e := n.listen(t, "")
	e.next(t)
	n.end(t, s, only(slot.At(7, 1)))
	before := e.next(t)
	n.end(t, s, only(slot.At(7, 2)))
	v := n.end(t, s, ended.Ending{Kind: ended.KindKey, KeyID: "k"})
	for last := uint64(0); last < uint64(v); last = e.next(t).Position {
	}
	other := start(t, s) // another node, which was not there
	for name, back := range map[string]*ear{"the same": n.listen(t, before.ID), "another": other.listen(t, before.ID)} {
		hello := back.next(t)
		if hello.Refetch || hello.Position != uint64(v) || hello.slots() != 1 || hello.Ended[0].Index[0] != 2 || !hello.Keys ||
			hello.From == nil || *hello.From != before.Position {
			t.Errorf("%s node: hello is %+v, want slot 2 alone, and the keys", name, hello)
		}
	}
	id := fmt.Sprintf("%d-%d", v, time.Now().UnixMilli())
	if hello := n.listen(t, id).next(t); hello.Refetch || hello.slots() != 0 || hello.Keys {
		t.Errorf("who missed nothing hears %+v", hello)
	}
}

func TestAPositionThatCantBeContinuedIsToldToFetch(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.run(t)
	v := n.end(t, s, only(slot.At(7, 1)))
	now := time.Now()
	for name, id := range map[string]string{
		"too old":                      fmt.Sprintf("%d-%d", v, now.Add(-keep).UnixMilli()),
		"in the future":                fmt.Sprintf("%d-%d", v+1000, now.UnixMilli()),
		"from tomorrow":                fmt.Sprintf("%d-%d", v, now.Add(24*time.Hour).UnixMilli()),
		"of a journal before a backup": fmt.Sprintf("%d-%d", v, now.Add(-time.Minute).UnixMilli()),
		"no position":                  "x-1",
		"no time":                      fmt.Sprint(v),
		"an odd one":                   fmt.Sprintf("%d--5", v),
		"huge":                         "99999999999999999999-1",
	} {
		hello := n.listen(t, id).next(t)
		if !hello.Refetch || !hello.Keys || hello.slots() != 0 || hello.From != nil {
			t.Errorf("%s (%s): hello is %+v, want refetch, and the keys as well", name, id, hello)
		}
	}
	if hello := n.listen(t, fmt.Sprintf("%d-%d", v, now.UnixMilli())).next(t); hello.Refetch {
		t.Error("the newest position can't be continued")
	}
	// What a journal kept that is empty now, nobody knows.
	quiet := start(t, newStore(t))
	if hello := quiet.listen(t, fmt.Sprintf("0-%d", now.Add(-keep).UnixMilli())).next(t); !hello.Refetch {
		t.Error("a listener that was away for longer than the journal keeps an ending is not told to fetch")
	}
	if hello := quiet.listen(t, fmt.Sprintf("0-%d", now.UnixMilli())).next(t); hello.Refetch {
		t.Error("a listener that was away for a moment is told to fetch")
	}
}

func TestWhoMissedMoreThanAMessageHoldsIsToldToFetch(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	v := n.end(t, s, only(slot.At(7, 1)))
	id := fmt.Sprintf("%d-%d", v, time.Now().UnixMilli())
	slots := make([]slot.Range, 4096)
	for i := range slots {
		slots[i] = slot.Only(slot.At(8, uint32(2*i)))
	}
	n.end(t, s, ended.Ending{Slots: slots})
	n.run(t)
	e := n.listen(t, "")
	for e.next(t).slots() < 4096 { // until it is told
	}
	if hello := n.listen(t, id).next(t); hello.Refetch || hello.slots() != 4096 {
		t.Errorf("after 4,096: refetch %t, %d slots", hello.Refetch, hello.slots())
	}
	last := n.end(t, s, only(slot.At(7, 2)))
	for e.next(t).Position < uint64(last) {
	}
	if hello := n.listen(t, id).next(t); !hello.Refetch {
		t.Errorf("after 4,097: refetch %t, %d slots", hello.Refetch, hello.slots())
	}
}

func TestTheFirstEndingGoesOutAtOnceAndThoseAfterItTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		n := start(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = n.Run(ctx, nil) }()
		defer func() { cancel(); synctest.Wait() }()
		e := n.listen(t, "")
		synctest.Wait()
		<-e.frames
		for i := range 10 {
			n.end(t, s, only(slot.At(7, uint32(i))))
			synctest.Wait()
		}
		if m := parse(t, <-e.frames); m.slots() != 1 || len(e.frames) != 0 {
			t.Errorf("at once there are %d endings and %d more messages, want 1 and 0", m.slots(), len(e.frames))
		}
		time.Sleep(24 * time.Millisecond)
		synctest.Wait()
		if len(e.frames) != 0 {
			t.Error("the second message did not wait for others")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if len(e.frames) != 1 {
			t.Fatalf("after 25 ms there are %d messages, want 1", len(e.frames))
		}
		if m := parse(t, <-e.frames); m.slots() != 9 {
			t.Errorf("the second message has %d endings, want 9", m.slots())
		}
	})
}

func TestTheStreamBeatsWhileSomebodyListensAndOnlyThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		n := start(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = n.Run(ctx, nil) }()
		defer func() { cancel(); synctest.Wait() }()
		time.Sleep(24 * time.Hour)
		if got := n.signer.events.Load(); got != 0 {
			t.Errorf("%d messages were signed for nobody", got)
		}
		e := newEar()
		l := n.join(t, "")
		left := make(chan struct{})
		inner, leave := context.WithCancel(ctx)
		go func() { defer close(left); l.Serve(inner, e) }()
		synctest.Wait()
		chain := parse(t, <-e.frames).Next
		began := time.Now()
		for i := range 3 {
			beat := e.next(t)
			if beat.Event != "beat" || beat.Chain != chain || beat.Position != 0 || time.Since(began) != time.Duration(i+1)*status.Beat {
				t.Errorf("after %v: %+v, want a beat after %s", time.Since(began), beat, chain)
			}
			chain = digest(beat.JWS)
		}
		leave()
		<-left
		signed := n.signer.events.Load()
		time.Sleep(time.Hour)
		if got := n.signer.events.Load() - signed; got > 1 {
			t.Errorf("after the last has left, %d messages were signed", got)
		}
	})
}

func TestThousandWhoComeBackAtOnceCostOneSignature(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	v := n.end(t, s, only(slot.At(7, 1)))
	id := fmt.Sprintf("%d-%d", v, time.Now().UnixMilli())
	var work sync.WaitGroup
	for range 1000 {
		work.Go(func() { n.join(t, id).Leave() })
	}
	work.Wait()
	if got := n.signer.events.Load(); got != 1 {
		t.Errorf("1,000 hellos cost %d signatures, want 1", got)
	}
}

func TestAListThatBeginsIsToldOfUnlessSomethingInItHadEnded(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.register(t, "robot")
	old := n.take(t, "robot")
	restarted := start(t, s)
	restarted.run(t)
	e := restarted.listen(t, "")
	if hello := e.next(t); len(hello.Opened) != 0 {
		t.Errorf("hello opens %v", hello.Opened)
	}
	at := restarted.take(t, "robot") // the first of a process is in a list of its own
	if m := e.next(t); len(m.Opened) != 1 || m.Opened[0] != at.URI(issuer) || at.List() == old.List() {
		t.Errorf("the message is %+v, want %s to be opened", m, at.URI(issuer))
	}
	// Now one whose ending was told before its lease came.
	odd := slot.At(at.List()+50, 0)
	restarted.end(t, s, only(odd))
	e.next(t)
	third := start(t, s)
	third.register(t, "late")
	if _, err := s.Commit(t.Context(), leaseOp(odd)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the list exists", func() bool { return len(restarted.Board.Lists()) == 3 })
	restarted.end(t, s, only(at))
	for {
		m := e.next(t)
		for _, uri := range m.Opened {
			if uri == odd.URI(issuer) {
				t.Errorf("%s is opened as if nothing in it had ended", uri)
			}
		}
		if m.slots() > 0 {
			break
		}
	}
}

func TestWhoComesBackIsToldOfTheListsThatBegan(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.run(t)
	n.register(t, "robot")
	v := n.end(t, s, only(slot.At(7, 1)))
	id := fmt.Sprintf("%d-%d", v, time.Now().UnixMilli())
	at := n.take(t, "robot")
	if hello := n.listen(t, id).next(t); len(hello.Opened) != 1 || hello.Opened[0] != at.URI(issuer) {
		t.Errorf("hello is %+v, want %s to be opened", hello, at.URI(issuer))
	}
	w := n.end(t, s, only(at))
	later := fmt.Sprintf("%d-%d", w, time.Now().UnixMilli())
	e := n.listen(t, later)
	if hello := e.next(t); len(hello.Opened) != 0 || hello.Refetch {
		t.Errorf("hello is %+v, want nothing to be opened", hello)
	}
}

// Nodes hear of an ending within milliseconds of one another, and listeners move
// between them.
func TestWhoComesBackFromAFasterNodeGoesOn(t *testing.T) {
	s := newStore(t)
	n := start(t, s) // says nothing yet
	v := n.end(t, s, only(slot.At(7, 1)))
	hello := n.listen(t, fmt.Sprintf("%d-%d", v, time.Now().UnixMilli())).next(t)
	if hello.Refetch || hello.Position != uint64(v) || hello.slots() != 0 {
		t.Errorf("hello is %+v, want to go on at %d", hello, v)
	}
}

func TestAnEndingOfAKeySaysToFetchTheKeys(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.run(t)
	e := n.listen(t, "")
	e.next(t)
	n.end(t, s, ended.Ending{Kind: ended.KindKey, KeyID: "k"})
	if m := e.next(t); !m.Keys || len(m.Ended) != 0 {
		t.Errorf("the message is %+v, want keys", m)
	}
}

func TestWhatCantBeSignedIsToldLater(t *testing.T) {
	s := newStore(t)
	n := start(t, s)
	n.run(t)
	e := n.listen(t, "")
	hello := e.next(t)
	away := errors.New("the keys are away")
	n.signer.err.Store(&away)
	n.end(t, s, only(slot.At(7, 1)))
	if _, err := n.Hub.Join(t.Context(), home, ""); !errors.Is(err, away) {
		t.Logf("Join = %v (a hello was ready)", err)
	}
	time.Sleep(50 * time.Millisecond)
	n.end(t, s, only(slot.At(7, 2)))
	n.signer.err.Store(nil)
	if m := e.next(t); m.slots() != 2 || m.Chain != hello.Next {
		t.Errorf("the message is %+v, want both endings", m)
	}
}

func TestOneWhoDoesNotReadIsDroppedAndKeepsNobodyWaiting(t *testing.T) {
	s := newStore(t)
	left := make(chan string, 10)
	n := start(t, s, func(o *status.Options) { o.Count.Left = func(reason string) { left <- reason } })
	n.run(t)
	slow, quick := newEar(), n.listen(t, "")
	slow.stuck = make(chan struct{})
	n.join(t, "").Detach(slow)
	quick.next(t)
	for i := range 5 {
		v := n.end(t, s, only(slot.At(7, uint32(i))))
		for quick.next(t).Position < uint64(v) {
		}
	}
	for range 600 { // more messages than anybody may be behind
		if err := n.Hub.Say(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	close(slow.stuck)
	if reason := <-left; reason != "slow" {
		t.Errorf("one left as %s, want slow", reason)
	}
	eventually(t, "the slow one's wire is closed", slow.closed.Load)
}

func TestHowManyMayListenIsBoundedPerAddressAndInAll(t *testing.T) {
	n := start(t, newStore(t), func(o *status.Options) { o.ListenersPerAddress, o.Listeners = 2, 6 })
	join := func(address string) (*status.Listener, error) {
		return n.Hub.Join(t.Context(), netip.MustParseAddr(address), "")
	}
	first, err := join("2001:db8:1:2::1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := join("2001:db8:1:2:ffff::9"); err != nil {
		t.Fatal(err)
	}
	if _, err := join("2001:db8:1:2::3"); fault.KindOf(err) != fault.TooMany || fault.RetryAfter(err) == 0 {
		t.Errorf("the third of a /64: %v, want TooMany and when to come back", err)
	}
	first.Leave()
	first.Leave() // once
	for _, address := range []string{"2001:db8:1:2::3", "2001:db8:1:3::1", "192.0.2.1", "::ffff:192.0.2.1"} {
		if _, err := join(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := join("192.0.2.1"); fault.KindOf(err) != fault.TooMany {
		t.Errorf("the third of an IPv4 address, however it is written: %v, want TooMany", err)
	}
	if _, err := join("192.0.2.6"); err != nil {
		t.Error(err)
	}
	if _, err := join("192.0.2.7"); fault.KindOf(err) != fault.Unavailable || fault.RetryAfter(err) == 0 {
		t.Errorf("one too many: %v, want Unavailable and when to come back", err)
	}
}

func TestStoppingLetsEveryListenerGo(t *testing.T) {
	n := start(t, newStore(t))
	stopping, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); _ = n.Run(context.Background(), stopping) }()
	var ears []*ear
	for range 100 {
		e := n.listen(t, "")
		e.next(t)
		ears = append(ears, e)
	}
	close(stopping)
	<-done
	for _, e := range ears {
		if !e.closed.Load() {
			t.Fatal("somebody listens still")
		}
	}
	if _, err := n.Hub.Join(t.Context(), home, ""); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Join = %v after the end, want Unavailable", err)
	}
}

func BenchmarkFanOut(b *testing.B) {
	n := start(b, newStore(b))
	n.run(b)
	const many = 1000
	var heard sync.WaitGroup
	for range many {
		n.join(b, "").Detach(counter{&heard})
		heard.Add(1)
	}
	heard.Wait() // hello
	b.ReportAllocs()
	for b.Loop() {
		heard.Add(many)
		if err := n.Hub.Say(b.Context()); err != nil {
			b.Fatal(err)
		}
		heard.Wait()
	}
}

type counter struct{ heard *sync.WaitGroup }

func (c counter) Send([]byte) error { c.heard.Done(); return nil }
func (c counter) Close() error      { return nil }
