package verify

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// answered is a good answer to the request for a list.
type answered struct {
	listToken
	ended []uint32
	etag  string
	by    *key          // what signed it
	age   time.Duration // spent in caches
	same  bool          // the list is still what it was: 304
}

// fetchList makes one attempt at l, and installs what it brings.
func (e *endings) fetchList(ctx context.Context, l *list) {
	a, err := e.askList(ctx, l)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.moment(time.Now())
	switch {
	case err != nil:
		l.etag, l.next = "", now.mono+listEvery
		if unreachable(err) || ctx.Err() != nil {
			break // gather says so, once for all lists
		}
		e.refusedLists.Add(1)
		if l.err == nil { // and not at every attempt
			e.log.WarnContext(ctx, "ignoring a status list of the issuer", "list", l.uri, "error", err)
		}
	default:
		e.fetched.Add(1)
		e.install(l, a, now)
	}
	l.err, l.tried = err, true
	close(l.fetching)
	l.fetching = nil
	e.rouse()
}

// install takes in an answer. Its bits are facts, however old; that the others
// are 0 counts only if nothing was told since that it does not know of. It is
// called with mu held.
func (e *endings) install(l *list, a answered, now moment) {
	for _, index := range a.ended {
		e.told.Add(uint64(l.set(index, 1)))
	}
	if a.same {
		a.Position = l.position
	} else {
		l.expires, l.etag, l.signer, l.pause = a.Expires, a.etag, a.by, pauseOf(a.TTL)
	}
	if a.Position < e.needed(l, now) {
		l.lagging++
		l.etag = ""
		l.next = now.mono + min(firstLag<<min(l.lagging-1, 10), listEvery)
		return
	}
	l.position, l.lagging, l.next = a.Position, 0, now.mono+l.pause
	if s := e.span.Load(); s != nil && a.Position >= max(s.from, l.since) {
		l.span.Store(s)
	}
	at := now.before(a.age)
	if !a.same {
		if signed := heardAt(now, a.IssuedAt); signed.wall < at.wall {
			at = signed
		}
	}
	l.polled.Store(at)
}

// needed is the position to which an answer must be complete in order to say
// anything about l. It is called with mu held.
func (e *endings) needed(l *list, now moment) uint64 {
	s := e.span.Load()
	if s != nil && e.live.Load() {
		return max(s.from, l.since)
	}
	// What has expired binds nobody: the journal may have been restored from a
	// backup, and have begun to count again from there.
	if l.expires != 0 && now.wall > time.Duration(l.expires)*time.Second {
		return 0
	}
	if s != nil && l.span.Load() == s {
		return max(l.position, s.to.Load())
	}
	return l.position
}

// askList asks for l and checks what comes.
func (e *endings) askList(ctx context.Context, l *list) (answered, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	header := http.Header{"Accept": {"application/" + listType}}
	if e.live.Load() { // a cache cannot know what the stream has just told
		header.Set("Cache-Control", "no-cache")
	}
	now := time.Now()
	etag := e.validator(l, now)
	if etag != "" {
		header.Set("If-None-Match", etag)
	}
	resp, body, err := get(ctx, e.client, l.uri, header)
	if err != nil {
		return answered{}, err
	}
	a := answered{etag: resp.Header.Get("ETag"), age: ageOf(resp.Header)}
	if resp.StatusCode == http.StatusNotModified && etag != "" {
		a.same = true
		return a, nil
	}
	if resp.StatusCode != http.StatusOK {
		return a, fmt.Errorf("it answered %d", resp.StatusCode)
	}
	payload, by, err := e.open(ctx, string(body), listType)
	if err != nil {
		return a, err
	}
	a.by = by
	if a.listToken, err = parseList(payload, e.issuer, l.uri, time.Now()); err != nil {
		return a, err
	}
	err = a.eachSet(func(index uint32) { a.ended = append(a.ended, index) })
	return a, err
}

// validator names what a 304 would confirm: nothing, if that has expired, or the
// key that signed it is no longer published.
func (e *endings) validator(l *list, now time.Time) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if set := e.keys.live(now); set == nil || l.signer == nil || !set.holds(l.signer) {
		return ""
	}
	if l.expires <= now.Unix() {
		return ""
	}
	return l.etag
}

// ageOf is the time that an answer has spent in caches (RFC 9111 §5.1).
func ageOf(h http.Header) time.Duration {
	seconds, err := strconv.ParseInt(h.Get("Age"), 10, 32)
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
