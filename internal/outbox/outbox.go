// Package outbox owns what clients are to be told of endings, until they were told:
// the rows that hold it, and the delivery (OpenID Connect Back-Channel Logout 1.0).
//
//	an ending ──Ops──▶ rows, in the Commit that makes it true
//	                     │ Watch, timer; one node, by lease
//	                     ▼
//	         desk: whose turn it is ──▶ attempt: a fresh logout token, one POST
//	                     ▲                  ├─ 200, 204 ──▶ the row goes
//	                     └── due later ◀────┤
//	                                        └─ 3 days of failures ──▶ given up: kept
//	                                           30 days, shown to the operator, retried
//	                                           when they say so
//
// A call is delivered at least once: its row goes when the client has answered, so
// a crash in between tells it twice. A client that does not answer is left in peace
// for a while, and what waits for it moves out of the way of the others.
//
// It never decides what ends and who is told of it, and keeps of a client's answer
// nothing but the status. However many calls wait, few are in memory.
package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/lease"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/token"
)

// How a call is tried. The first wait after a failure is FirstWait; each is twice
// the one before it, up to LongestWait, and a fifth more or less, so that what
// failed together does not come back together.
const (
	FirstWait   = time.Second
	LongestWait = 10 * time.Minute
	// GiveUp is how long a call fails until it is not tried any more, Keep how long
	// it can be seen and retried after that.
	GiveUp = 3 * 24 * time.Hour
	Keep   = 30 * 24 * time.Hour
	// Timeout bounds one attempt, Concurrent how many run at once: the Poster must
	// allow as many.
	Timeout    = 5 * time.Second
	Concurrent = 16
)

// The outcomes that are counted. Failed is an attempt, the others are the end of a
// call.
const (
	Delivered = "delivered"
	Failed    = "failed"
	GivenUp   = "given_up"
	Dropped   = "dropped" // nobody to tell any more
)

// Outcomes are all of them, for who counts.
func Outcomes() []string { return []string{Delivered, Failed, GivenUp, Dropped} }

// Call is one client that is to be told: that a session ended, or every session of
// the subject when none is named.
type Call struct {
	ClientID  string `json:"client_id"`
	Subject   string `json:"sub"`
	SessionID string `json:"sid,omitempty"`
}

// Ops are the rows that hold calls, at most limit of them: they belong into the
// Commit that makes the calls true. A row holds one call, or several when there are
// more calls than rows.
func Ops(calls []Call, now time.Time, limit int) ([]store.Op, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	if limit < 1 {
		return nil, fmt.Errorf("writing logout calls: %d of them, and room for no row", len(calls))
	}
	rows := min(limit, len(calls))
	ops := make([]store.Op, 0, rows)
	for i := range rows {
		// The i-th of rows equal parts.
		part := calls[i*len(calls)/rows : (i+1)*len(calls)/rows]
		op, err := row{Calls: part, Created: now.UTC()}.put(dueKey(now, ident.New()))
		if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// put writes the row under a key at which nothing is yet.
func (r row) put(key string) (store.Op, error) {
	value, err := json.Marshal(r)
	if err != nil {
		return store.Op{}, fmt.Errorf("writing a logout call: %w", err)
	}
	op := store.Put(key, value).IfAbsent()
	if !r.GivenUp.IsZero() {
		op = op.Until(r.GivenUp.Add(Keep))
	}
	return op, nil
}

// Poster is all that this package needs of the network. It returns an error when
// there was no answer.
type Poster interface {
	Post(ctx context.Context, url string, form url.Values) (status int, err error)
}

// Options are what a Delivery works with. All but Count are required.
type Options struct {
	Store   store.Store
	Clients *client.Directory
	Mint    *token.Mint
	Fetch   Poster
	Node    string // the name of this node
	Log     *slog.Logger
	Count   func(outcome string)
}

// Delivery tells clients what waits in the outbox, and shows it. Make it with New;
// it is safe for concurrent use.
type Delivery struct{ Options }

// New makes a Delivery. Nothing is delivered unless it runs.
func New(o Options) *Delivery {
	if o.Count == nil {
		o.Count = func(string) {}
	}
	return &Delivery{o}
}

// Run delivers whenever there is something to deliver and this node is the one to
// do it, until ctx ends or the store is closed.
func (d *Delivery) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	b := newBell()
	var listening sync.WaitGroup
	listening.Go(func() { d.listen(ctx, b) })
	defer listening.Wait()
	defer stop()
	for desk := newDesk(); ; {
		if err := d.await(ctx, b); err != nil {
			return err
		}
		err := lease.Hold(ctx, d.Store, "outbox", d.Node, d.Log, func(ctx context.Context) error {
			desk = desk.anew()
			return d.deliver(ctx, desk)
		})
		if err != nil {
			return err
		}
	}
}
