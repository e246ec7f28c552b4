package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/keys"
)

// patience is for the Commit that notes an answer: it is made although the server
// is stopping, or the client would be told once more.
const patience = 5 * time.Second

var errUnsigned = errors.New("outbox: no logout token")

// says is what an attempt tells of the client, not of the call.
type says int

const (
	nothing says = iota // there was no attempt, or it was cut short
	agrees              // it was told
	refuses             // it answers, though not as it should: perhaps because of this call
	fails               // it does not answer, or says that it can't now
)

// result is how an attempt ended.
type result struct {
	item
	says    says
	at      time.Time
	pause   time.Duration // for the client, if it fails
	suspect bool          // the client had failed before
	why     string
	// unsettled says that the store did not take it: the row may be where it was.
	unsettled bool
}

// attempt tries one call, once, and writes down what became of it. The client has
// failed that often in a row.
func (d *Delivery) attempt(ctx context.Context, it item, failures int) result {
	r := result{item: it, suspect: failures > 0, pause: wait(failures+1, rand.Float64())} //nolint:gosec // jitter is no secret
	call := it.call()
	c, ok := d.Clients.Find(call.ClientID)
	if !ok || c.Disabled || c.BackchannelLogoutURI == "" {
		r.at = time.Now()
		return d.settled(r, d.drop(ctx, it))
	}
	status, err := d.tell(ctx, c, call)
	r.at = time.Now()
	if err != nil && ctx.Err() != nil {
		return r // we are stopping; the row is as it was
	}
	if r.says, r.why = read(status, err); r.says == agrees {
		return d.settled(r, d.delivered(ctx, it))
	}
	d.Count(Failed)
	d.Log.WarnContext(ctx, "a client was not told of a logout", slog.String("client", c.ID), slog.String("call", it.id),
		slog.Int("attempt", it.Attempts+1), slog.String("why", r.why), slog.Any("error", err))
	return d.settled(r, d.postpone(ctx, r))
}

// settled notes whether the outcome was written down. If it was not, the call is
// tried again, and its client left in peace for as long as if it had failed: the
// store may be in trouble for some time.
func (d *Delivery) settled(r result, err error) result {
	switch {
	case errors.Is(err, store.ErrConflict):
		r.unsettled = true // the operator has moved it, perhaps within the millisecond
	case err != nil:
		r.says, r.why, r.unsettled = fails, "the store failed", true
	}
	return r
}

// tell makes one request. The token is made for it alone: one that was kept would
// have expired, and a client remembers those that it has seen (§2.6).
func (d *Delivery) tell(ctx context.Context, c client.Client, call Call) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	signed, err := d.Mint.Logout(ctx, keys.Algorithm(c.IDTokenAlg), token.Logout{
		ClientID: c.ID, ID: ident.New(), Subject: call.Subject, SessionID: call.SessionID,
	}, time.Now())
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errUnsigned, err)
	}
	return d.Fetch.Post(ctx, c.BackchannelLogoutURI, url.Values{"logout_token": {signed}})
}

// read puts an answer into our own words: the client's may hold anything. §2.8 asks
// for 200 and allows 204; a redirect is not followed and tells us nothing.
func read(status int, err error) (says, string) {
	switch {
	case errors.Is(err, errUnsigned): // our failure, and no reason to leave the client in peace
		return refuses, "the logout token could not be made"
	case errors.Is(err, context.DeadlineExceeded):
		return fails, fmt.Sprintf("no answer within %s", Timeout)
	case fault.KindOf(err) == fault.Denied:
		return fails, "its address may not be asked"
	case fault.KindOf(err) == fault.Invalid:
		return fails, "its logout URI may not be asked"
	case err != nil:
		return fails, "it can't be reached"
	case status == http.StatusOK || status == http.StatusNoContent:
		return agrees, ""
	case status == http.StatusTooManyRequests, status == http.StatusBadGateway,
		status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return fails, fmt.Sprintf("it answered %d", status)
	}
	// A 500 too: some answer it for a session that they do not know.
	return refuses, fmt.Sprintf("it answered %d", status)
}

// delivered removes the row. When that fails the client will be told again: once
// too often is better than never.
func (d *Delivery) delivered(ctx context.Context, it item) error {
	d.Count(Delivered)
	d.Log.InfoContext(ctx, "a client was told of a logout", slog.String("client", it.call().ClientID), slog.String("call", it.id),
		slog.Int("attempt", it.Attempts+1))
	return d.commit(ctx, it.remove())
}

// drop removes the row of a client that is gone, disabled, or wants no calls.
func (d *Delivery) drop(ctx context.Context, it item) error {
	if err := d.commit(ctx, it.remove()); err != nil {
		return err
	}
	d.Count(Dropped)
	d.Log.InfoContext(ctx, "a logout call was dropped: its client is gone, disabled, or has no logout URI",
		slog.String("client", it.call().ClientID), slog.String("call", it.id))
	return nil
}

// postpone moves the row to its next attempt, or to what was given up.
func (d *Delivery) postpone(ctx context.Context, r result) error {
	to := r.failed(r.why, r.at)
	to.Attempts++
	delay := wait(to.Attempts, rand.Float64()) //nolint:gosec // jitter is no secret
	if r.says == fails {
		delay = max(delay, r.pause) // else it would only be moved once more
	}
	ops, err := r.move(to, r.at.Add(delay))
	if err != nil {
		return err
	}
	if err := d.commit(ctx, ops...); err != nil {
		return err
	}
	if !to.GivenUp.IsZero() {
		d.noteGivenUp(ctx, r.item, to)
	}
	return nil
}

func (d *Delivery) noteGivenUp(ctx context.Context, it item, to row) {
	d.Count(GivenUp)
	d.Log.ErrorContext(ctx, "a logout call was given up; see: signet outbox list --given-up",
		slog.String("client", it.call().ClientID), slog.String("call", it.id), slog.Int("attempts", to.Attempts), slog.String("why", to.Error))
}

// commit logs its error as well: some callers have nobody to return it to. That
// somebody else has moved a row meanwhile is no news.
func (d *Delivery) commit(ctx context.Context, ops ...store.Op) error {
	_, err := d.commitAs(ctx, ops...)
	return err
}

func (d *Delivery) commitAs(ctx context.Context, ops ...store.Op) (store.Version, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	version, err := d.Store.Commit(ctx, ops...)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		d.Log.ErrorContext(ctx, "writing to the outbox; it will be done again", slog.Any("error", err))
	}
	return version, err
}
