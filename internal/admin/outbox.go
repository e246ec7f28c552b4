package admin

import (
	"context"
	"time"

	"github.com/signet-id/signet/internal/outbox"
)

// CallView is a client that is still to be told of a logout. A row that holds
// several calls which were not tried yet is seen as so many views of one ID.
type CallView struct {
	ID        string    `json:"id"`
	ClientID  string    `json:"client_id,omitempty"`
	Subject   string    `json:"sub,omitempty"`
	SessionID string    `json:"sid,omitempty"`
	Attempts  int       `json:"attempts"`
	Created   time.Time `json:"created,omitzero"`
	Next      time.Time `json:"next_try,omitzero"`
	GivenUp   time.Time `json:"given_up,omitzero"`
	Error     string    `json:"last_error,omitempty"`
}

// ListCalls returns the logout calls of up to limit rows of the outbox behind after:
// those that were given up first, or alone. There are more when next is not empty.
func (o *Operator) ListCalls(ctx context.Context, givenUpOnly bool, after string, limit int) (views []CallView, next string, err error) {
	page, next, err := o.Outbox.List(ctx, givenUpOnly, after, limit)
	if err != nil {
		return nil, "", err
	}
	views = make([]CallView, 0, len(page))
	for _, e := range page {
		views = append(views, viewCalls(e)...)
	}
	return views, next, nil
}

func viewCalls(e outbox.Entry) []CallView {
	view := CallView{ID: e.ID, Attempts: e.Attempts, Created: e.Created, Next: e.Next, GivenUp: e.GivenUp, Error: e.Error}
	if len(e.Calls) == 0 {
		return []CallView{view} // it can't be read, and Error says so
	}
	views := make([]CallView, 0, len(e.Calls))
	for _, c := range e.Calls {
		view.ClientID, view.Subject, view.SessionID = c.ClientID, c.Subject, c.SessionID
		views = append(views, view)
	}
	return views
}

// RetryCalls has the rows named tried now and as if they were new, whether they were
// given up or wait; without a name all that were given up. It returns how many.
func (o *Operator) RetryCalls(ctx context.Context, ids ...string) (int, error) {
	if len(ids) == 0 {
		return o.Outbox.Retry(ctx, "")
	}
	retried := 0
	for _, id := range ids {
		if id == "" {
			return retried, invalid("id", "a call has a name; see: signet outbox list")
		}
		n, err := o.Outbox.Retry(ctx, id)
		if err != nil {
			return retried, err
		}
		retried += n
	}
	return retried, nil
}
