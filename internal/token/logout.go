package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signet-id/signet/internal/object"
	"github.com/signet-id/signet/keys"
)

// TypeLogout says that a JWT is a logout token (OpenID Connect Back-Channel Logout
// 1.0 §2.4). The type is what keeps it from passing for an ID token.
const TypeLogout = "logout+jwt"

// LogoutLifetime is how long a logout token may be shown. It is made for one
// attempt at a delivery, so it need outlive nothing but that (§2.4: two minutes at most).
const LogoutLifetime = 2 * time.Minute

// Logout is what a logout token says: that a session of a subject ended, or all of
// them when no session is named.
type Logout struct {
	ClientID  string // the audience
	ID        string // jti
	Subject   string
	SessionID string
}

// Logout signs l with alg at now. There is never a nonce in it: a client that meets
// one must refuse it, since an ID token has one (§2.4).
func (m *Mint) Logout(ctx context.Context, alg keys.Algorithm, l Logout, now time.Time) (string, error) {
	if l.Subject == "" && l.SessionID == "" {
		return "", errors.New("signing a logout token: it names neither a subject nor a session")
	}
	compact, err := m.Keys.Sign(ctx, alg, TypeLogout, l.payload(m.Issuer, now))
	if err != nil {
		return "", fmt.Errorf("signing a logout token: %w", err)
	}
	return compact, nil
}

func (l Logout) payload(issuer string, now time.Time) []byte {
	w := object.New(384)
	w.Text("iss", issuer)
	w.Optional("sub", l.Subject)
	w.Text("aud", l.ClientID)
	w.Time("exp", now.Add(LogoutLifetime))
	w.Time("iat", now)
	w.Text("jti", l.ID)
	w.Open("events")
	w.Open("http://schemas.openid.net/event/backchannel-logout")
	w.Close()
	w.Close()
	w.Optional("sid", l.SessionID)
	return w.End()
}
