package outbox

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/store"
)

// What is due is the head of a List of duePrefix: a key begins with its time. The
// name behind it stays the same for as long as the call is not delivered.
const (
	prefix     = "outbox/"
	duePrefix  = prefix + "due/"
	deadPrefix = prefix + "dead/"
	timeDigits = 16
)

func dueKey(at time.Time, id string) string {
	return fmt.Sprintf("%s%0*x-%s", duePrefix, timeDigits, at.UnixMilli(), id)
}

func deadKey(id string) string { return deadPrefix + id }

// parseDue is the inverse of dueKey.
func parseDue(key string) (at time.Time, id string, ok bool) {
	rest, ok := strings.CutPrefix(key, duePrefix)
	if !ok || len(rest) != timeDigits+1+ident.Length || rest[timeDigits] != '-' {
		return at, "", false
	}
	ms, err := strconv.ParseInt(rest[:timeDigits], 16, 64)
	return time.UnixMilli(ms), rest[timeDigits+1:], err == nil
}

// row is what is stored of one call, or of several that were not tried yet.
type row struct {
	Calls    []Call    `json:"calls"`
	Created  time.Time `json:"created"`
	Attempts int       `json:"attempts,omitempty"`
	Failing  time.Time `json:"failing_since,omitzero"`
	Asked    time.Time `json:"asked,omitzero"` // when the operator said: now
	GivenUp  time.Time `json:"given_up,omitzero"`
	Error    string    `json:"error,omitempty"` // our own words for the last failure
}

// item is a row as it was read.
type item struct {
	row
	key, id string
	version store.Version
}

func readItem(r store.Record, id string) (item, error) {
	it := item{key: r.Key, id: id, version: r.Version}
	if err := json.Unmarshal(r.Value, &it.row); err != nil {
		return it, fmt.Errorf("reading %s: %w", r.Key, err)
	}
	if len(it.Calls) == 0 {
		return it, fmt.Errorf("reading %s: it holds no call", r.Key)
	}
	return it, nil
}

// call is the one call of a row that is not a bundle.
func (it item) call() Call { return it.Calls[0] }

// failed is what becomes of the row after a failure at now, whether it was its own
// or the client is known not to answer. It is given up when it has failed for long
// enough; a row that only waited, for a server that was not running, has not failed.
func (r row) failed(why string, now time.Time) row {
	r.Error, r.Asked = why, time.Time{}
	if r.Failing.IsZero() {
		r.Failing = now.UTC()
	}
	if now.Sub(r.Failing) >= GiveUp {
		r.GivenUp = now.UTC()
	}
	return r
}

// revived is the row as the operator wants it tried: now, and from the beginning.
func (r row) revived(now time.Time) row {
	r.Attempts, r.Failing, r.GivenUp, r.Asked = 0, time.Time{}, time.Time{}, now.UTC()
	return r
}

// move takes the row to where it now belongs, in one step: among what was given up,
// or among what is due at at.
func (it item) move(to row, at time.Time) ([]store.Op, error) {
	key := dueKey(at, it.id)
	if !to.GivenUp.IsZero() {
		key = deadKey(it.id)
	}
	op, err := to.put(key)
	if err != nil {
		return nil, err
	}
	if key == it.key { // the same millisecond
		return []store.Op{op.If(it.version)}, nil
	}
	return []store.Op{it.remove(), op}, nil
}

// remove deletes the row if it is still the one that was read.
func (it item) remove() store.Op { return store.Delete(it.key).If(it.version) }

// wait is how long to wait after so many failures in a row; chance is from [0, 1).
func wait(failures int, chance float64) time.Duration {
	d := LongestWait
	if shift := max(0, failures-1); shift < 10 { // 2¹⁰ s are more than ten minutes
		d = FirstWait << shift
	}
	return time.Duration(float64(d) * (0.8 + 0.4*chance))
}
