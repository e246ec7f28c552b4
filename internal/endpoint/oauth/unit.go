package oauth

import (
	"slices"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

// unit is one token request's unit of work: what was read, once, and what will be
// committed, once. It belongs to one request and needs no lock.
type unit struct {
	now           time.Time
	grantType     string
	client        client.Client // set by client authentication
	authenticated bool          // in an earlier attempt at the same request

	// What the presented code or refresh token named, read in one round trip.
	opened  grant.Code // what was sealed in the code
	grant   grant.Grant
	user    user.User
	session session.Session
	verdict grant.Verdict
	stands  []store.Op // what was read and must still be so when the tokens are committed

	slot  slot.Slot // that the access token will carry
	moved bool      // the grant took another slot

	// What the tokens will say: the grant's, narrowed by the request.
	scopes   []string
	audience []string
}

// redeems reports whether a code was presented, and no refresh token.
func (u *unit) redeems() bool { return u.grantType == client.GrantCode }

// authentication is how the person behind the tokens signed in.
func (u *unit) authentication() grant.Authentication {
	if u.redeems() {
		return u.opened.Authentication
	}
	return u.grant.Authentication
}

// claims are those that the client asked to find in the ID token.
func (u *unit) claims() map[string]any {
	asked := u.grant.Claims
	if u.redeems() {
		asked = u.opened.Claims
	}
	if len(asked.IDToken) == 0 {
		return nil
	}
	out := make(map[string]any, len(asked.IDToken))
	for _, name := range asked.IDToken {
		if value, ok := u.user.Claim(name); ok {
			out[name] = value
		}
	}
	return out
}

// again is a new attempt at the same request: what u read has changed meanwhile.
// The client has authenticated; its assertion is spent.
func (u *unit) again() *unit {
	return &unit{now: time.Now(), grantType: u.grantType, client: u.client, authenticated: true}
}

// stand demands that r is as it was read when the tokens are committed: nothing
// begins or goes on in what has ended since.
func (u *unit) stand(r store.Record) { u.stands = append(u.stands, store.Unchanged(r.Key, r.Version)) }

// begin turns the redeemed code into the grant that will be written.
func (u *unit) begin(key seal.KeyID) {
	u.grant = grant.Grant{
		Ref: u.opened.Ref, ClientID: u.client.ID, Scopes: u.opened.Scopes, Audience: u.opened.Audience,
		Claims: u.opened.Claims, Authentication: u.opened.Authentication, Created: u.now.UTC(), Refresh: client.RefreshNone,
		Epoch: u.user.Epoch,
	}
	if !u.client.May(client.GrantRefresh) {
		return
	}
	u.grant.Refresh, u.grant.MACKey = client.RefreshSession, key
	if slices.Contains(u.opened.Scopes, client.ScopeOffline) {
		u.grant.Refresh = client.RefreshOffline
	}
}

// activeUser reads the user behind a grant, who must still be allowed to sign in.
func activeUser(r store.Record) (user.User, error) {
	who, err := user.Decode(r)
	if err != nil {
		return who, err
	}
	if who.Disabled {
		return who, fault.New(fault.Denied, "the user is disabled")
	}
	return who, nil
}
