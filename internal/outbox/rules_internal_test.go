package outbox

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/ident"
)

func waiting(clientID, name string) item {
	return item{row: row{Calls: []Call{{ClientID: clientID, Subject: "alice", SessionID: name}}}, key: clientID + "/" + name, id: name}
}

func TestTheWaitDoublesUpToTenMinutesAFifthMoreOrLess(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 10: 512 * time.Second,
		11: 10 * time.Minute, 64: 10 * time.Minute, 1 << 40: 10 * time.Minute,
	} {
		for chance, factor := range map[float64]float64{0: 0.8, 0.5: 1, 0.99999: 1.2} {
			got := wait(failures, chance)
			if f := float64(got) / float64(want); f < factor-0.001 || f > factor+0.001 {
				t.Errorf("after %d failures, by chance %v: %s, want %v times %s", failures, chance, got, factor, want)
			}
		}
	}
}

func TestAKeyIsReadBackAsItWasWrittenAndSortsByTime(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 7e6, time.UTC)
	id := ident.New()
	got, gotID, ok := parseDue(dueKey(at, id))
	if !ok || !got.Equal(at) || gotID != id {
		t.Errorf("got %s, %q, %t", got, gotID, ok)
	}
	if dueKey(at, "z") >= dueKey(at.Add(time.Millisecond), "a") || dueKey(at, "z") >= dueKey(at.Add(100*365*24*time.Hour), "a") {
		t.Error("the keys do not sort by time")
	}
	for _, bad := range []string{"", "outbox/due/", "outbox/dead/" + id, dueKey(at, "short"), strings.Replace(dueKey(at, id), "-", "_", 1), "outbox/due/zzzzzzzzzzzzzzzz-" + id} {
		if _, _, ok := parseDue(bad); ok && !strings.HasSuffix(bad, id) {
			t.Errorf("%q is read as a key", bad)
		}
	}
}

// §2.8 of Back-Channel Logout: 200, and 204 for the clients that have nothing to say.
func TestNothingBut200And204IsADelivery(t *testing.T) {
	for code, want := range map[int]says{
		200: agrees, 204: agrees, 201: refuses, 202: refuses, 206: refuses, 301: refuses, 302: refuses, 307: refuses,
		400: refuses, 401: refuses, 404: refuses, 500: refuses, 501: refuses, 429: fails, 502: fails, 503: fails, 504: fails, 0: refuses, 100: refuses,
	} {
		if got, _ := read(code, nil); got != want {
			t.Errorf("%d: got %d, want %d", code, got, want)
		}
	}
	secret := errors.New("10.1.2.3 said something")
	for _, err := range []error{
		fault.Wrap(fault.Denied, secret, "x"), fault.Wrap(fault.Invalid, secret, "x"), fault.Wrap(fault.Unavailable, secret, "x"), secret,
	} {
		if got, why := read(200, err); got != fails || why == "" || strings.Contains(why, "10.1.2.3") {
			t.Errorf("%v: got %d, %q", err, got, why)
		}
	}
}

func TestHoweverManyWaitFewAreHeld(t *testing.T) {
	d, now := newDesk(), time.Now()
	for client := range 200 {
		for n := range 100 {
			switch d.offer(waiting(fmt.Sprint("c", client), fmt.Sprint(n)), now) {
			case accepted, enough, full:
			default:
				t.Fatal("what was never offered is known or paused")
			}
		}
	}
	if d.waiting != maxHeld || len(d.held) != maxHeld || len(d.lanes) > maxHeld/minLane+1 {
		t.Errorf("%d wait, %d are held, in %d lanes; at most %d are to be", d.waiting, len(d.held), len(d.lanes), maxHeld)
	}
	if d.wantsMore() {
		t.Error("a full desk wants more")
	}
	tried := 0
	for !d.wantsMore() {
		it, _, ok := d.next()
		if !ok {
			t.Fatal("nobody is next, and no more is wanted")
		}
		tried++
		d.settle(result{item: it, says: agrees, at: now})
	}
	if tried == 0 || tried > maxHeld/2 {
		t.Errorf("%d were tried until it wanted more", tried)
	}
	for {
		it, _, ok := d.next()
		if !ok {
			break
		}
		d.settle(result{item: it, says: agrees, at: now})
	}
	if d.waiting != 0 || d.running != 0 || len(d.held) != 0 || len(d.order) != 0 || len(d.lanes) != 0 {
		t.Errorf("in the end: %+v", d)
	}
}

// One client cannot fill the desk before the others were seen.
func TestAClientWithManyCallsLeavesRoomForOthers(t *testing.T) {
	d, now := newDesk(), time.Now()
	for n := range 10 * maxHeld {
		d.offer(waiting("busy", fmt.Sprint(n)), now)
	}
	if got := d.waiting; got > maxHeld/4 {
		t.Errorf("it has %d of %d places", got, maxHeld)
	}
	if d.offer(waiting("shop", "1"), now) != accepted {
		t.Error("no room for another client")
	}
	it, _, _ := d.next()
	if again, _, _ := d.next(); it.call().ClientID == again.call().ClientID {
		t.Error("they do not take turns")
	}
}

func TestThoseWhoDoNotAnswerHaveHalfOfThePlaces(t *testing.T) {
	d, now := newDesk(), time.Now()
	for n := range 40 {
		id := fmt.Sprint("dead", n)
		d.offer(waiting(id, "0"), now)
		it, _, _ := d.next()
		d.settle(result{item: it, says: fails, at: now, pause: time.Second})
		if d.offer(waiting(id, "1"), now) != paused {
			t.Fatal("a client that failed is not paused")
		}
	}
	for n := range 40 {
		id := fmt.Sprint("dead", n)
		for name := range 3 {
			d.offer(waiting(id, fmt.Sprint("again", name)), now.Add(time.Second))
		}
	}
	running := map[string]int{}
	for {
		it, failures, ok := d.next()
		if !ok {
			break
		}
		if running[it.call().ClientID]++; failures != 1 {
			t.Errorf("%d failures, want 1", failures)
		}
	}
	if d.running != maxSuspects || len(running) != maxSuspects {
		t.Errorf("%d run, of %d clients, want %d", d.running, len(running), maxSuspects)
	}
	d.offer(waiting("shop", "1"), now)
	d.offer(waiting("shop", "2"), now)
	for range 2 {
		if it, _, ok := d.next(); !ok || it.call().ClientID != "shop" {
			t.Errorf("next is %q, %t, want shop", it.key, ok)
		}
	}
}

func TestARowThatIsInHandIsNotTakenTwice(t *testing.T) {
	d, now := newDesk(), time.Now()
	it := waiting("shop", "1")
	for step, f := range []func(){func() { d.offer(it, now) }, func() { d.next() }} {
		f()
		if d.offer(it, now) != known {
			t.Errorf("step %d: it is taken again", step)
		}
	}
	d.settle(result{item: it, says: fails, at: now, pause: time.Second})
	if d.offer(it, now.Add(time.Minute)) != accepted {
		t.Error("it is held for ever")
	}
}

func TestTheRowsOfAClientThatFailsAreGivenBackAndStayHeld(t *testing.T) {
	d, now := newDesk(), time.Now()
	for n := range 10 {
		d.offer(waiting("shop", fmt.Sprint(n)), now)
	}
	one, _, _ := d.next()
	two, _, _ := d.next()
	away := d.settle(result{item: one, says: fails, at: now, pause: time.Minute})
	if len(away) != 8 || d.waiting != 0 {
		t.Errorf("%d are given back, %d wait, want 8 and 0", len(away), d.waiting)
	}
	if d.offer(away[0], now.Add(time.Hour)) != known {
		t.Error("what is being moved is taken")
	}
	// Its neighbour began before the pause, and does not make it longer.
	d.settle(result{item: two, says: fails, at: now.Add(time.Second), pause: time.Hour})
	l := d.lanes["shop"]
	if l.failures != 1 || !l.until.Equal(now.Add(time.Minute).Truncate(time.Millisecond)) {
		t.Errorf("got %+v", l)
	}
	// Else they would be due while the client is still paused, and be moved for ever.
	if at, _, _ := parseDue(dueKey(l.until, ident.New())); at.Before(l.until) {
		t.Errorf("they are due at %s, and may be tried from %s", at, l.until)
	}
	d.release(away...)
	if d.offer(away[0], now.Add(time.Minute)) != accepted {
		t.Error("the pause does not end")
	}
}
