package signettest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/pkg/verify"
)

// awaited bounds how long a verifier may take to hear of an ending: far longer
// than it does, so that a machine with other work fails no test.
const awaited = 10 * time.Second

// Revoke revokes a token as the client does that it was issued to (RFC 7009). An
// access or refresh token of [Issuer.SignIn] ends with its whole grant; one of
// [Issuer.Token], and one that a machine got for itself, end alone.
//
// Verifiers hear of it within milliseconds; [Issuer.Await] waits for them. It
// fails the test when the token is none of this issuer's, or has expired.
func (iss *Issuer) Revoke(t testing.TB, token string) {
	t.Helper()
	if err := iss.revoke(token); err != nil {
		t.Fatalf("signettest: revoking a token: %v", err)
	}
}

func (iss *Issuer) revoke(raw string) error {
	// A refresh token says to nobody but the issuer whose it is. A client that asks
	// for another's is answered as if it were done, and nothing is.
	owners := iss.known.clients()
	if strings.Count(raw, ".") == 2 {
		access, err := iss.app.Mint().ParseAccess(raw, time.Now())
		if err != nil {
			return err
		}
		owners = slices.DeleteFunc(owners, func(c Client) bool { return c.ID != access.ClientID })
		if len(owners) == 0 { // minted for a client that does not exist
			return iss.app.Operator.Ended.Token(iss.ctx, access.ClientID, access.Slot, ended.ByRevocation)
		}
	}
	if len(owners) == 0 {
		return errors.New("no client was registered that could have it")
	}
	for _, c := range owners {
		if err := iss.revokeAs(c, raw); err != nil {
			return err
		}
	}
	return nil
}

// revokeAs makes the request of RFC 7009 §2.1.
func (iss *Issuer) revokeAs(c Client, raw string) error {
	r, err := iss.asClient(c, "/revoke", url.Values{"token": {raw}})
	if err != nil {
		return fmt.Errorf("making the revocation request: %w", err)
	}
	resp, err := iss.HTTPClient().Do(r)
	if err != nil {
		return fmt.Errorf("asking for revocation: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // nothing was written
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the revocation endpoint answered %q to %s", resp.Status, c.ID)
	}
	return nil
}

// EndSession ends the browser session behind an access token, as the person does
// who signs out: all grants that began in it end with it, of all clients, but for
// those with offline access. Minted tokens with the same [SessionID] end too.
//
// It fails the test when the token is none of this issuer's, has expired, or has
// no session behind it.
func (iss *Issuer) EndSession(t testing.TB, token string) {
	t.Helper()
	access, err := iss.app.Mint().ParseAccess(token, time.Now())
	if err == nil && access.SessionID == "" {
		err = errors.New("the token is a machine's and has no session behind it")
	}
	if err == nil {
		err = iss.app.Operator.Ended.Session(iss.ctx, access.Subject, access.SessionID, ended.BySignOut)
	}
	if err == nil {
		err = iss.endMinted(ended.BySignOut, func(m minted) bool { return m.session == access.SessionID && m.subject == access.Subject })
	}
	if err != nil {
		t.Fatalf("signettest: ending a session: %v", err)
	}
}

// EndUser ends everything of a user, as an operator does: every session and
// every grant, those with offline access included. The user may sign in again.
func (iss *Issuer) EndUser(t testing.TB, who User) {
	t.Helper()
	iss.endUser(t, who, "ending everything of", iss.app.Operator.EndSessions)
}

// DisableUser ends everything of a user and keeps them from signing in.
func (iss *Issuer) DisableUser(t testing.TB, who User) {
	t.Helper()
	iss.endUser(t, who, "disabling", func(ctx context.Context, subject string) error {
		_, err := iss.app.Operator.DisableUser(ctx, subject)
		return err
	})
}

func (iss *Issuer) endUser(t testing.TB, who User, doing string, end func(context.Context, string) error) {
	t.Helper()
	err := end(iss.ctx, who.Subject)
	if err == nil {
		err = iss.endMinted(ended.ByOperator, func(m minted) bool { return m.subject == who.Subject })
	}
	if err != nil {
		t.Fatalf("signettest: %s user %q: %v", doing, who.Login, err)
	}
}

// EnableUser lets a disabled user sign in again. What ended stays ended.
func (iss *Issuer) EnableUser(t testing.TB, who User) {
	t.Helper()
	if _, err := iss.app.Operator.EnableUser(iss.ctx, who.Subject); err != nil {
		t.Fatalf("signettest: enabling user %q: %v", who.Login, err)
	}
}

// DisableClient ends every access token of a client, its own and its users', and
// gives it no more. Sessions and grants stay.
func (iss *Issuer) DisableClient(t testing.TB, c Client) {
	t.Helper()
	if _, err := iss.app.Operator.DisableClient(iss.ctx, c.ID); err != nil {
		t.Fatalf("signettest: disabling client %q: %v", c.ID, err)
	}
}

// EnableClient gives a disabled client tokens again. What ended stays ended.
func (iss *Issuer) EnableClient(t testing.TB, c Client) {
	t.Helper()
	if _, err := iss.app.Operator.EnableClient(iss.ctx, c.ID); err != nil {
		t.Fatalf("signettest: enabling client %q: %v", c.ID, err)
	}
}

// Await returns when every verifier knows of every ending that was made so far:
// from then on each refuses what has ended. That takes milliseconds; a verifier
// that takes ten seconds fails the test, as one of another issuer does.
func (iss *Issuer) Await(t testing.TB, verifiers ...*verify.Verifier) {
	t.Helper()
	ctx, cancel := context.WithTimeout(iss.ctx, awaited)
	defer cancel()
	position := uint64(iss.app.Status().Board.Head())
	for _, v := range verifiers {
		if err := v.Await(ctx, position); err != nil {
			t.Fatalf("signettest: %v", err)
		}
	}
}

// memo is what the issuer of a test remembers beside its store, which keeps
// neither secrets nor access tokens.
type memo struct {
	mu         sync.Mutex
	registered []Client // guarded by mu
	minted     []minted // guarded by mu
	holder     string   // guarded by mu; see slotFor
}

// minted is a token of [Issuer.Token]. It has no grant, so whatever ends its
// session or user ends it by its slot.
type minted struct {
	slot                     slot.Slot
	client, subject, session string
}

func (m *memo) addClient(c Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.registered = append(m.registered, c)
}

func (m *memo) clients() []Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.registered)
}

func (m *memo) addToken(a token.Access) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.minted = append(m.minted, minted{a.Slot, a.ClientID, a.Subject, a.SessionID})
}

// take removes and returns the tokens that which names.
func (m *memo) take(which func(minted) bool) (taken []minted) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.minted = slices.DeleteFunc(m.minted, func(one minted) bool {
		if which(one) {
			taken = append(taken, one)
			return true
		}
		return false
	})
	return taken
}

func (iss *Issuer) endMinted(cause ended.Cause, which func(minted) bool) error {
	for _, m := range iss.known.take(which) {
		if err := iss.app.Operator.Ended.Token(iss.ctx, m.client, m.slot, cause); err != nil {
			return err
		}
	}
	return nil
}
