// Package admin owns what an operator can do, without transport: the rules of
// adding, changing, showing and ending clients, users and keys.
//
//	command line ──▶ endpoint/adminapi ──▶ Operator ──▶ client, user, keys
//	                                          │
//	                                          └──▶ ended, for what must stop now
//
// Settings go in (nil leaves a thing as it is), views come out. A view has no
// secret, no digest and no hash: a secret leaves once, in the answer to the call
// that made it.
//
// It never asks who is calling: whoever holds an Operator is the operator.
package admin

import (
	"github.com/signet-id/signet/internal/authn/password"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/outbox"
	"github.com/signet-id/signet/internal/refusal"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/keys"
)

// Operator does what operators do. All fields but Stopping are required; it is safe
// for concurrent use.
type Operator struct {
	Store     store.Store
	Clients   *client.Directory
	Users     *user.Directory
	Passwords *password.Hasher
	Keys      *keys.Ring
	// Box seals the secrets that must be read again: of clients that make MACs.
	Box      client.Sealer
	Ended    *ended.Endings
	Refusals *refusal.Log
	Outbox   *outbox.Delivery
	// Stopping is closed when the server begins to stop: streams end then.
	Stopping <-chan struct{}
}

func invalid(field, format string, args ...any) error {
	return fault.New(fault.Invalid, format, args...).On(field)
}

// set assigns what was given.
func set[T any](to *T, given *T) {
	if given != nil {
		*to = *given
	}
}
