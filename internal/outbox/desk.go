package outbox

import (
	"slices"
	"time"
)

// How many calls run and wait in memory. A client that failed gets one attempt at a
// time, and all who failed together no more than half of the places: so those who
// never answer cannot occupy them all for a Timeout.
const (
	perClient   = 2
	maxSuspects = Concurrent / 2
	maxHeld     = 4096 // rows that wait for their turn
	minLane     = 64   // rows that one client may have among them, however full it is
	lowLane     = 16   // a lane that is so short wants more rows
	// toleratedRefusals is how many calls a client may refuse in a row before it is
	// paused as well, though never for longer than refusedPause: those that it
	// refuses for ever must not hold up the others.
	toleratedRefusals = 8
	refusedPause      = time.Minute
)

// verdict says what is to be done with a row that was offered.
type verdict int

const (
	accepted verdict = iota
	known            // it is in hand already
	paused           // its client does not answer: the row must wait as well
	enough           // its client has enough rows here; it is offered again
	full             // no client gets any more room; it is offered again
)

// desk decides whose turn it is. It knows no store, no network and no clock, and
// belongs to one goroutine.
type desk struct {
	lanes    map[string]*lane
	order    []string            // the clients with rows that wait; the next one first
	held     map[string]struct{} // by key: what waits, is tried, or is being moved
	waiting  int
	running  int
	suspects int // attempts that run for clients that failed before
	// full says that rows were turned away whose clients may have none here; more
	// that a lane has turned some away.
	full, more bool
}

// lane is what is known of one client.
type lane struct {
	waiting  []item
	running  int
	more     bool // rows of this client were turned away
	failures int  // attempts in a row that it did not answer
	refusals int  // calls in a row that it refused since it was paused for that
	rounds   int  // how often in a row it was paused for that
	until    time.Time
	paused   time.Time // when it was paused last
	why      string
}

func newDesk() *desk {
	return &desk{lanes: map[string]*lane{}, held: map[string]struct{}{}}
}

// anew is an empty desk for the next shift, which knows what was learnt of clients
// that do not answer.
func (d *desk) anew() *desk {
	next := newDesk()
	for id, l := range d.lanes {
		if l.failures+l.refusals+l.rounds > 0 {
			next.lanes[id] = &lane{failures: l.failures, refusals: l.refusals, rounds: l.rounds, until: l.until, paused: l.paused, why: l.why}
		}
	}
	return next
}

func (d *desk) holds(key string) bool { _, ok := d.held[key]; return ok }

func (d *desk) lane(clientID string) *lane {
	l, ok := d.lanes[clientID]
	if !ok {
		l = &lane{}
		d.lanes[clientID] = l
	}
	return l
}

// offer puts a row of one call on the desk, if there is room for it.
func (d *desk) offer(it item, now time.Time) verdict {
	if d.holds(it.key) {
		return known
	}
	clientID := it.call().ClientID
	l := d.lane(clientID)
	if it.Asked.After(l.paused) {
		l.until = time.Time{} // the operator knows better, once per pause
	}
	if now.Before(l.until) {
		return paused
	}
	switch {
	case d.waiting >= maxHeld:
		d.full = true
		d.forget(clientID, l)
		return full
	case len(l.waiting) >= max(minLane, (maxHeld-d.waiting)/4):
		l.more, d.more = true, true
		return enough
	}
	if len(l.waiting) == 0 {
		d.order = append(d.order, clientID)
	}
	l.waiting = append(l.waiting, it)
	d.held[it.key] = struct{}{}
	d.waiting++
	return accepted
}

// next takes the row that is to be tried now off the desk, if there is one, and
// says for how often its client has failed. The clients take turns.
func (d *desk) next() (it item, failures int, ok bool) {
	if d.running >= Concurrent {
		return item{}, 0, false
	}
	for i, clientID := range d.order {
		l := d.lanes[clientID]
		if !d.mayRun(l) {
			continue
		}
		it = l.take()
		d.waiting--
		d.order = slices.Delete(d.order, i, i+1)
		if len(l.waiting) > 0 {
			d.order = append(d.order, clientID)
		}
		l.running++
		d.running++
		if l.failures > 0 {
			d.suspects++
		}
		return it, l.failures, true
	}
	return item{}, 0, false
}

func (d *desk) mayRun(l *lane) bool {
	if l.failures > 0 {
		return l.running == 0 && d.suspects < maxSuspects
	}
	return l.running < perClient
}

// take is the row that was tried least, so that one that is refused time and again is
// not the one that finds out whether the client answers.
func (l *lane) take() item {
	least := 0
	for i := range l.waiting {
		if l.waiting[i].Attempts < l.waiting[least].Attempts {
			least = i
		}
	}
	it := l.waiting[least]
	l.waiting = slices.Delete(l.waiting, least, least+1)
	return it
}

// settle notes how an attempt ended. It returns the rows of a client that is now
// paused, which must move out of the way, and still holds them.
func (d *desk) settle(r result) []item {
	clientID := r.item.call().ClientID
	l := d.lane(clientID)
	d.running--
	l.running--
	if r.suspect {
		d.suspects--
	}
	d.release(r.item)
	var away []item
	switch r.says {
	case nothing:
	case agrees:
		l.failures, l.refusals, l.rounds, l.why = 0, 0, 0, ""
	case refuses:
		l.failures = 0
		if l.refusals++; l.refusals >= toleratedRefusals {
			l.refusals = 0
			l.rounds++
			away = d.pause(clientID, l, r, min(wait(l.rounds, 0.5), refusedPause))
		}
	case fails:
		if !r.at.Before(l.until) { // else its neighbour has paused the client already
			l.failures++
			away = d.pause(clientID, l, r, r.pause)
		}
	}
	d.forget(clientID, l)
	return away
}

// pause leaves a client in peace, and returns what waited for it.
func (d *desk) pause(clientID string, l *lane, r result, span time.Duration) (away []item) {
	// Keys have milliseconds: rows that wait for the end must not be due before it.
	l.paused, l.until, l.why = r.at, r.at.Add(span).Truncate(time.Millisecond), r.why
	away, l.waiting = l.waiting, nil
	d.waiting -= len(away)
	d.order = slices.DeleteFunc(d.order, func(id string) bool { return id == clientID })
	return away
}

// wantsMore reports whether there is room for rows that were turned away. It says
// so once.
func (d *desk) wantsMore() bool {
	room := d.full && d.waiting <= maxHeld/2
	if d.more && !room {
		for _, l := range d.lanes {
			room = room || l.more && len(l.waiting) <= lowLane
		}
	}
	if !room {
		return false
	}
	d.full, d.more = false, false
	for clientID, l := range d.lanes {
		l.more = false
		d.forget(clientID, l)
	}
	return true
}

// hold keeps a row that is being moved from being offered again.
func (d *desk) hold(it item) { d.held[it.key] = struct{}{} }

func (d *desk) release(items ...item) {
	for _, it := range items {
		delete(d.held, it.key)
	}
}

// forget drops a lane of which nothing need be known.
func (d *desk) forget(clientID string, l *lane) {
	if len(l.waiting) == 0 && l.running == 0 && l.failures == 0 && l.refusals == 0 && l.rounds == 0 && !l.more {
		delete(d.lanes, clientID)
	}
}
