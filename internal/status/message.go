package status

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"time"

	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

// The events of the stream.
const (
	eventHello = "hello"
	eventEnded = "ended"
	eventBeat  = "beat"
)

// statement is what a message says.
type statement struct {
	at       time.Time
	position store.Version
	chain    string // of every message but hello
	next     string // of hello
	from     *id    // of a hello that continues
	endings  []told // what has ended
	opened   []uint64
	keys     bool
	refetch  bool
}

// claims writes the payload; what is false or empty is left out.
func (m *statement) claims(b *Board) []byte {
	c := make([]byte, 0, 256+16*len(m.endings))
	c = append(append(c, `{"iss":`...), b.quoted...)
	c = strconv.AppendInt(append(c, `,"iat":`...), m.at.Unix(), 10)
	c = strconv.AppendUint(append(c, `,"position":`...), uint64(m.position), 10)
	if m.chain != "" {
		c = append(append(append(c, `,"chain":"`...), m.chain...), '"')
	}
	if m.next != "" {
		c = append(append(append(c, `,"next":"`...), m.next...), '"')
	}
	if m.from != nil {
		c = strconv.AppendUint(append(c, `,"from":`...), uint64(m.from.position), 10)
	}
	c = appendEnded(c, b, m.endings)
	if len(m.opened) > 0 {
		c = append(c, `,"opened":[`...)
		for _, number := range m.opened {
			c = append(append(c, b.uri(number)...), ',')
		}
		c[len(c)-1] = ']'
	}
	if m.keys || slices.ContainsFunc(m.endings, func(t told) bool { return t.keys }) {
		c = append(c, `,"keys":true`...)
	}
	if m.refetch {
		c = append(c, `,"refetch":true`...)
	}
	return append(c, '}')
}

// appendEnded writes the slots of all endings, by list.
func appendEnded(c []byte, b *Board, endings []told) []byte {
	var all []slot.Range
	for i := range endings {
		all = append(all, endings[i].slots...)
	}
	if len(all) == 0 {
		return c
	}
	slices.SortFunc(all, func(a, b slot.Range) int {
		if a.First < b.First || a.First == b.First && a.Len() < b.Len() {
			return -1
		}
		return 1
	})
	c = append(c, `,"ended":[`...)
	for len(all) > 0 {
		number := all[0].First.List()
		n := slices.IndexFunc(all, func(r slot.Range) bool { return r.First.List() != number })
		if n < 0 {
			n = len(all)
		}
		c = append(append(c, `{"uri":`...), b.uri(number)...)
		c = appendSlots(c, all[:n])
		c = append(c, `},`...)
		all = all[n:]
	}
	c[len(c)-1] = ']'
	return c
}

// appendSlots writes idx and ranges of one list.
func appendSlots(c []byte, of []slot.Range) []byte {
	single := func(r slot.Range) bool { return r.Len() == 1 }
	if slices.ContainsFunc(of, single) {
		c = append(c, `,"idx":[`...)
		for _, r := range of {
			if single(r) {
				c = append(strconv.AppendUint(c, uint64(r.First.Index()), 10), ',')
			}
		}
		c[len(c)-1] = ']'
	}
	if slices.ContainsFunc(of, func(r slot.Range) bool { return !single(r) }) {
		c = append(c, `,"ranges":[`...)
		for _, r := range of {
			if !single(r) {
				c = strconv.AppendUint(append(c, '['), uint64(r.First.Index()), 10)
				c = strconv.AppendUint(append(c, ','), uint64(r.Len()), 10)
				c = append(c, `],`...)
			}
		}
		c[len(c)-1] = ']'
	}
	return c
}

// frame is the event as it goes over the wire (HTML Standard §9.2.6).
func (m *statement) frame(event, jws string) []byte {
	f := make([]byte, 0, len(jws)+96)
	f = id{m.position, m.at.UnixMilli()}.append(append(f, "id: "...))
	f = append(append(f, "\nevent: "...), event...)
	f = append(append(f, "\ndata: "...), jws...)
	return append(f, "\n\n"...)
}

// chained is what the message after jws says of it.
func chained(jws string) string {
	sum := sha256.Sum256([]byte(jws))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
