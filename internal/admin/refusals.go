package admin

import (
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/refusal"
)

// Explain returns what was sent against what was registered in the refused
// request named id.
func (o *Operator) Explain(id string) (refusal.Entry, error) {
	e, ok := o.Refusals.Find(id)
	if !ok {
		return e, fault.New(fault.NotFound,
			"no refusal is remembered under %q: it was too long ago, or on another server, or before this one started", id).On("id")
	}
	return e, nil
}
