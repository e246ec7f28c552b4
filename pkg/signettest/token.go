package signettest

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/token"
)

// TokenOption changes what [Issuer.Token] mints.
type TokenOption interface{ forToken(*draft) }

// draft is a token before it is signed.
type draft struct {
	token.Access
	lifetime time.Duration // negative: it has ended that long ago
}

type tokenOption func(*draft)

func (o tokenOption) forToken(d *draft) { o(d) }

// ClientID names the client that obtained the token; DefaultClientID otherwise.
// A token whose subject is its client is a machine's own (RFC 9068 §2.2), with no
// sign-in behind it.
func ClientID(id string) TokenOption {
	return tokenOption(func(d *draft) { d.ClientID = id })
}

// ExpiresIn lets the token live that long; the issuer's lifetime of access
// tokens otherwise. With a negative d it has ended that long ago. The issuer
// keeps no bit for longer than its own tokens live, and an hour: what lives longer
// can't be revoked to its last day.
func ExpiresIn(d time.Duration) TokenOption {
	return tokenOption(func(t *draft) { t.lifetime = d })
}

// Expired makes a token that ended an hour ago.
func Expired() TokenOption { return ExpiresIn(-time.Hour) }

// SessionID is the sid of the session behind the token; a new one otherwise, and
// none for a machine.
func SessionID(sid string) TokenOption {
	return tokenOption(func(d *draft) { d.SessionID = sid })
}

// SignedInAt is when the person behind the token signed in: its auth_time.
// Otherwise that is when the token was issued, and never for a machine.
func SignedInAt(at time.Time) TokenOption {
	return tokenOption(func(d *draft) { d.AuthTime = at })
}

// SignedInBy is how the person behind the token signed in: its acr, and its amr
// by the names of RFC 8176. Otherwise that is by a password, and not at all for
// a machine.
func SignedInBy(acr string, amr ...string) TokenOption {
	return tokenOption(func(d *draft) { d.ACR, d.AMR = acr, amr })
}

// Token mints an access token (RFC 9068) and returns it in its compact form. It
// is signed like any other of this issuer, and by default reads as one of a
// person who has just signed in: for iss.Audience, without a scope, for as long
// as the issuer's access tokens live.
//
// It has a slot of its own in a status list, so that it can be ended alone
// ([Issuer.Revoke]); it ends with its session, its user and its client too, if
// they are ended through methods of this package.
//
// subject becomes sub as it is. Neither it nor the client need exist: services
// that verify tokens ask nobody. The issuer itself does look, for the grant
// behind a token, so its userinfo endpoint refuses minted ones; where that
// matters, take the token from [Issuer.SignIn].
func (iss *Issuer) Token(t testing.TB, subject string, options ...TokenOption) string {
	t.Helper()
	mint := *iss.app.Mint()
	d := draft{
		Access: token.Access{
			Subject: subject, ClientID: DefaultClientID, Audience: iss.settings.audience, ID: ident.New(),
		},
		lifetime: mint.AccessLifetime,
	}
	for _, o := range options {
		o.forToken(&d)
	}
	if d.Subject == "" || d.ClientID == "" {
		t.Fatal("signettest: a token needs a subject and a client (RFC 9068 §2.2)")
	}
	issued := time.Now()
	if d.lifetime <= 0 { // it was issued while it could still live
		issued = issued.Add(d.lifetime - mint.AccessLifetime)
		d.lifetime = mint.AccessLifetime
	}
	d.signIn(issued)
	mint.AccessLifetime = d.lifetime
	compact, err := iss.mint(mint, d.Access, issued)
	if err != nil {
		t.Fatalf("signettest: minting a token: %v", err)
	}
	return compact
}

// mint signs a on a slot of its own, so that it can be ended by itself.
func (iss *Issuer) mint(with token.Mint, a token.Access, issued time.Time) (compact string, err error) {
	if a.Slot, err = iss.slotFor(a.ClientID); err != nil {
		return "", err
	}
	if compact, err = with.Access(iss.ctx, a, issued); err != nil {
		return "", err
	}
	iss.known.addToken(a)
	return compact, nil
}

// slotFor takes a slot in the client's name, and so ends with the client. Slots
// are leased to clients that exist; for one that does not, a client holds them
// that nobody knows.
func (iss *Issuer) slotFor(clientID string) (slot.Slot, error) {
	if _, err := iss.app.Operator.ShowClient(clientID); fault.KindOf(err) == fault.NotFound {
		if clientID, err = iss.holder(); err != nil {
			return 0, err
		}
	} else if err != nil {
		return 0, err
	}
	taken, _, err := iss.app.Status().Slots.Take(iss.ctx, clientID)
	return taken, err
}

// holder makes that client the first time.
func (iss *Issuer) holder() (id string, err error) {
	iss.known.mu.Lock()
	defer iss.known.mu.Unlock()
	if iss.known.holder == "" {
		made, err := iss.app.Operator.AddClient(iss.ctx, "holder-"+rand.Text(), admin.ClientSettings{Audience: &iss.settings.audience})
		if err != nil {
			return "", err
		}
		iss.known.holder = made.ID
	}
	return iss.known.holder, nil
}

// signIn fills in what a sign-in leaves in a token, where no option did.
func (d *draft) signIn(at time.Time) {
	if d.Subject == d.ClientID {
		return
	}
	if d.SessionID == "" {
		d.SessionID = ident.New()
	}
	if d.AuthTime.IsZero() {
		d.AuthTime = at
	}
	if d.ACR == "" && len(d.AMR) == 0 {
		d.ACR, d.AMR = authn.ACROneFactor, []string{authn.AMRPassword}
	}
}
