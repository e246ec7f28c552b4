// Package refusal owns why requests are refused: the closed list of reasons, and
// a memory of the latest refusals that an operator can have explained.
//
//	endpoint ──Reason──▶ code for the client, page in docs/errors.md for its developer
//	         ──Entry───▶ Log ──Find(id)──▶ signet explain ID
//
// What was registered against what was sent is told to the operator alone: an
// anonymous visitor learns the reason and the id. It never holds a secret, a
// token or a code, and it forgets: the memory is bounded and dies with the process.
package refusal

import (
	"slices"
	"sync"
	"time"
)

// Manual is the page that explains each reason under a heading of its name.
const Manual = "https://github.com/signet-id/signet/blob/main/docs/errors.md"

// Reason is one way in which a request can be wrong. Its text is stable: it is a
// heading of the manual, and programs may compare it.
type Reason string

// Code is the OAuth error code of the reason (RFC 6749 §4.1.2.1 and §5.2 and
// their extensions).
func (r Reason) Code() string {
	if code, ok := codes()[r]; ok {
		return code
	}
	return "server_error"
}

// Page is the address of the reason's explanation, for error_uri.
func (r Reason) Page() string { return Manual + "#" + string(r) }

// Reasons lists every reason, in order.
func Reasons() []Reason {
	var out []Reason
	for r := range codes() {
		out = append(out, r)
	}
	slices.Sort(out)
	return out
}

// Entry is one refused request.
type Entry struct {
	ID          string              `json:"id"` // the request's
	Time        time.Time           `json:"time"`
	Route       string              `json:"route"`
	Reason      Reason              `json:"reason"`
	Code        string              `json:"error"`
	Description string              `json:"error_description"`
	Cause       string              `json:"cause,omitempty"` // for the operator alone
	ClientID    string              `json:"client_id,omitempty"`
	Address     string              `json:"address,omitempty"`
	Sent        map[string][]string `json:"sent,omitempty"`
	Registered  map[string][]string `json:"registered,omitempty"`
}

// Log remembers the latest refusals. Safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	entries []Entry // a ring
	next    int
}

// NewLog makes a Log of the latest size refusals.
func NewLog(size int) *Log { return &Log{entries: make([]Entry, size)} }

// Add remembers e in the place of the oldest.
func (l *Log) Add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[l.next] = e
	l.next = (l.next + 1) % len(l.entries)
}

// Find returns the refusal of the request named id, if it is still remembered.
func (l *Log) Find(id string) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.entries, func(e Entry) bool { return id != "" && e.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return l.entries[i], true
}
