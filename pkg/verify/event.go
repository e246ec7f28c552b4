package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	eventType = "status-event+jwt"
	maxEvent  = 1 << 20 // bytes of one event, whatever it consists of
)

// event is a server-sent event, not yet believed.
type event struct{ id, kind, text string }

// eventParser takes a text/event-stream apart (HTML Standard §9.2.6), in
// whatever pieces it comes.
type eventParser struct {
	line    []byte // as much as has come of the current one
	cr      bool   // the last byte ended a line, and a line feed after it belongs to it
	started bool
	id      string
	kind    string
	text    []byte
	filled  bool // a data line has come
}

// feed returns the events that chunk completes.
func (p *eventParser) feed(chunk []byte) (events []event, err error) {
	for len(chunk) > 0 {
		if p.cr && chunk[0] == '\n' {
			p.cr, chunk = false, chunk[1:]
			continue
		}
		p.cr = false
		end := bytes.IndexAny(chunk, "\r\n")
		if end < 0 {
			p.line, chunk = append(p.line, chunk...), nil
		} else {
			p.line = append(p.line, chunk[:end]...)
			p.cr = chunk[end] == '\r'
			chunk = chunk[end+1:]
		}
		if len(p.line)+len(p.text) > maxEvent {
			return events, fmt.Errorf("an event exceeds %d bytes", maxEvent)
		}
		if end < 0 {
			break
		}
		if e, ok := p.endLine(); ok {
			events = append(events, e)
		}
	}
	return events, nil
}

// endLine takes the line in; an empty one ends the event.
func (p *eventParser) endLine() (e event, ok bool) {
	line := p.line
	p.line = p.line[:0]
	if !p.started {
		p.started = true
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	if len(line) == 0 {
		e, ok = event{p.id, p.kind, string(p.text)}, p.filled
		p.kind, p.text, p.filled = "", nil, false
		return e, ok
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) { // a comment has no name
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			p.id = string(value)
		}
	case "event":
		p.kind = string(value)
	case "data":
		if p.filled {
			p.text = append(p.text, '\n')
		}
		p.text, p.filled = append(p.text, value...), true
	}
	return event{}, false
}

// told reports whether e is a message of ours; other events are ignored.
func (e event) told() bool { return e.kind == "hello" || e.kind == "ended" || e.kind == "beat" }

// message is the signed content of an event.
type message struct {
	Issuer   string   `json:"iss"`
	IssuedAt int64    `json:"iat"`
	Position uint64   `json:"position"`
	Chain    string   `json:"chain"`
	Next     string   `json:"next"`
	From     *uint64  `json:"from"`
	Ended    []ending `json:"ended"`
	Opened   []string `json:"opened"`
	Keys     bool     `json:"keys"`
	Refetch  bool     `json:"refetch"`

	event event
}

// ending is what of one list has ended.
type ending struct {
	URI    string     `json:"uri"`
	Index  []uint64   `json:"idx"`
	Ranges [][]uint64 `json:"ranges"` // first, count
}

// chained is the chain value of the message that follows text.
func chained(text string) string {
	sum := sha256.Sum256([]byte(text))
	return strictBase64.EncodeToString(sum[:16])
}

// parseMessage reads a payload that was found genuine. prefix is what every list
// of the issuer begins with.
func parseMessage(e event, payload []byte, issuer, prefix string) (message, error) {
	m := message{event: e}
	if err := json.Unmarshal(payload, &m); err != nil {
		return m, fmt.Errorf("reading the event: %w", err)
	}
	if m.Issuer != issuer {
		return m, fmt.Errorf("it is from another issuer, %q", m.Issuer)
	}
	if m.IssuedAt <= 0 {
		return m, errors.New("it has no iat")
	}
	// The id is not signed, and what resumes the stream later.
	if position, _, ok := strings.Cut(e.id, "-"); !ok || position != strconv.FormatUint(m.Position, 10) {
		return m, fmt.Errorf("its id %q is not that of position %d", e.id, m.Position)
	}
	for _, one := range m.Ended {
		if err := one.check(prefix); err != nil {
			return m, err
		}
	}
	for _, uri := range m.Opened {
		if !isListURI(uri, prefix) {
			return m, fmt.Errorf("%q is no list of the issuer", uri)
		}
	}
	return m, nil
}

func (e ending) check(prefix string) error {
	if !isListURI(e.URI, prefix) {
		return fmt.Errorf("%q is no list of the issuer", e.URI)
	}
	for _, index := range e.Index {
		if index >= listSize {
			return fmt.Errorf("index %d is beyond the list", index)
		}
	}
	for _, r := range e.Ranges {
		if len(r) != 2 || r[1] > listSize || r[0] > listSize-r[1] {
			return fmt.Errorf("range %v is beyond the list", r)
		}
	}
	return nil
}

// apply sets the bits of e and returns how many were news.
func (e ending) apply(l *list) (fresh int) {
	for _, index := range e.Index {
		fresh += l.set(uint32(index), 1)
	}
	for _, r := range e.Ranges {
		fresh += l.set(uint32(r[0]), uint32(r[1]))
	}
	return fresh
}

// isListURI reports whether uri can be a list of the issuer whose lists begin
// with prefix. Who else could say that a token has ended?
func isListURI(uri, prefix string) bool {
	return len(uri) > len(prefix) && len(uri) <= maxURI && strings.HasPrefix(uri, prefix)
}
