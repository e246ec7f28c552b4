package token

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/keys"
)

// ErrNotActive is what every access token gets that is not ours, not an access
// token, or expired; the cause says which, for the log.
func errNotActive(cause error) error {
	return fault.Wrap(fault.Unauthenticated, cause, "the access token is not valid, or has expired")
}

// ParseAccess reads an access token of this issuer that is valid at now. What it
// returns must not be changed: it may be the memory's.
func (m *Mint) ParseAccess(compact string, now time.Time) (Access, error) {
	// A longer one is refused below, unread.
	name := digest{}
	if len(compact) <= keys.MaxToken {
		name = sha256.Sum256([]byte(compact))
		if s, ok := m.Memory.recall(name); ok && m.Keys.Holds(s.kid) {
			if err := m.checkTime(s.access, now); err != nil {
				return Access{}, err
			}
			return s.access, nil
		}
	}
	header, payload, err := m.Keys.Verify(compact)
	if err != nil {
		return Access{}, errNotActive(err)
	}
	// An ID token is signed by the same keys and must not pass for an access
	// token (RFC 9068 §4, RFC 8725 §3.11).
	if !strings.EqualFold(header.Typ, TypeAccess) {
		return Access{}, errNotActive(fmt.Errorf("typ is %q", header.Typ))
	}
	c, err := readClaims(payload)
	if err != nil {
		return Access{}, errNotActive(err)
	}
	if c.Issuer != m.Issuer {
		return Access{}, errNotActive(fmt.Errorf("iss is %q", c.Issuer))
	}
	a := c.access()
	if err := m.checkTime(a, now); err != nil {
		return Access{}, err
	}
	// One without a slot could not be ended: we made none such.
	if a.Slot, err = c.slot(m.Issuer); err != nil {
		return Access{}, errNotActive(err)
	}
	m.Memory.remember(name, seen{header.Kid, a})
	return a, nil
}

// refreshed bounds how often strangers' tokens have the ring read.
const refreshed = time.Second

// ReadAccess is ParseAccess for whoever must not take a token of ours for a
// stranger's: before it calls a key unknown it reads the ring anew. It fails with
// the store's error when that can't be done.
func (m *Mint) ReadAccess(ctx context.Context, compact string, now time.Time) (Access, error) {
	a, err := m.ParseAccess(compact, now)
	if !errors.Is(err, keys.ErrUnknownKey) {
		return a, err
	}
	if err := m.Keys.Refresh(ctx, refreshed); err != nil {
		return Access{}, fmt.Errorf("looking for the key of a token: %w", err)
	}
	return m.ParseAccess(compact, now)
}

func (m *Mint) checkTime(a Access, now time.Time) error {
	if !now.Before(a.Expires) {
		return errNotActive(fmt.Errorf("exp is %d", a.Expires.Unix()))
	}
	return nil
}

// Hint is what an id_token_hint says, once it is known to be ours.
type Hint struct {
	Subject   string
	ClientID  string
	SessionID string
}

// ParseHint reads an ID token that this issuer signed, expired or not (OpenID
// Connect RP-Initiated Logout §2: expired hints are to be accepted).
func (m *Mint) ParseHint(compact string) (Hint, error) {
	notOurs := func(cause error) error {
		return fault.Wrap(fault.Invalid, cause, "is not an ID token of this issuer").On("id_token_hint")
	}
	header, payload, err := m.Keys.Verify(compact)
	if err != nil {
		return Hint{}, notOurs(err)
	}
	// Not only access tokens: whatever else the keys sign for a client, a logout
	// token above all, looks like an ID token but for its type (RFC 8725 §3.11).
	if !strings.EqualFold(header.Typ, TypeID) {
		return Hint{}, notOurs(fmt.Errorf("typ is %q", header.Typ))
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return Hint{}, notOurs(err)
	}
	if c.Issuer != m.Issuer || c.Subject == "" || len(c.Audience) != 1 {
		return Hint{}, notOurs(fmt.Errorf("iss %q", c.Issuer))
	}
	return Hint{Subject: c.Subject, ClientID: c.Audience[0], SessionID: c.SessionID}, nil
}

// claims is the union of what our tokens carry.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	Expires   int64    `json:"exp"`
	IssuedAt  int64    `json:"iat"`
	ID        string   `json:"jti"`
	ClientID  string   `json:"client_id"`
	Scope     string   `json:"scope"`
	AuthTime  int64    `json:"auth_time"`
	ACR       string   `json:"acr"`
	AMR       []string `json:"amr"`
	SessionID string   `json:"sid"`
	Roles     []string `json:"roles"`
	Groups    []string `json:"groups"`
	Status    struct {
		List struct {
			Index uint64 `json:"idx"`
			URI   string `json:"uri"`
		} `json:"status_list"`
	} `json:"status"`
}

func (c claims) slot(issuer string) (slot.Slot, error) {
	s, ok := slot.Parse(issuer, c.Status.List.URI, c.Status.List.Index)
	if !ok {
		return 0, fmt.Errorf("status_list %q, %d", c.Status.List.URI, c.Status.List.Index)
	}
	return s, nil
}

func (c claims) access() Access {
	a := Access{
		Subject: c.Subject, Audience: c.Audience, ClientID: c.ClientID, Scopes: strings.Fields(c.Scope),
		ID: c.ID, IssuedAt: time.Unix(c.IssuedAt, 0), Expires: time.Unix(c.Expires, 0),
		ACR: c.ACR, AMR: c.AMR, SessionID: c.SessionID, Roles: c.Roles, Groups: c.Groups,
	}
	if c.AuthTime != 0 {
		a.AuthTime = time.Unix(c.AuthTime, 0)
	}
	return a
}

// audience reads aud as RFC 7519 §4.1.3 allows it: a string, or several.
type audience []string

func (a *audience) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '[' {
		return json.Unmarshal(raw, (*[]string)(a))
	}
	var one string
	if err := json.Unmarshal(raw, &one); err != nil {
		return err
	}
	*a = audience{one}
	return nil
}

var _ Signer = (*keys.Ring)(nil)
