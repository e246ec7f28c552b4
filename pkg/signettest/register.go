package signettest

import (
	"crypto/rand"
	"testing"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/user"
)

// User is a person who can sign in.
type User struct {
	Subject  string // the sub of their tokens: opaque, and not the login
	Login    string
	Password string
}

// UserOption changes what [Issuer.User] adds.
type UserOption interface{ forUser(*person) }

// person is a user before they are added.
type person struct {
	user.User
	password string
}

type userOption func(*person)

func (o userOption) forUser(p *person) { o(p) }

// Password is what the user signs in with, of any quality; a random one
// otherwise.
func Password(password string) UserOption {
	return userOption(func(p *person) { p.password = password })
}

// Name is what the user is called; nothing otherwise.
func Name(name string) UserOption {
	return userOption(func(p *person) { p.Name = name })
}

// Email is the user's verified e-mail address; none otherwise.
func Email(address string) UserOption {
	return userOption(func(p *person) { p.SetEmail(address, true) })
}

// User adds a user with that login, who has a password, and neither roles nor
// groups. A login that is taken, or is none, fails the test.
func (iss *Issuer) User(t testing.TB, login string, options ...UserOption) User {
	t.Helper()
	p := person{password: rand.Text()}
	p.Login = login
	for _, o := range options {
		o.forUser(&p)
	}
	hash, err := iss.app.Operator.Passwords.Hash(iss.ctx, p.password)
	if err != nil {
		t.Fatalf("signettest: hashing the password of %q: %v", login, err)
	}
	p.User.Password = hash
	made, err := iss.app.Operator.Users.Create(iss.ctx, p.User)
	if err != nil {
		t.Fatalf("signettest: adding user %q: %v", login, err)
	}
	return User{Subject: made.Subject, Login: made.Login, Password: p.password}
}

// Client is a registered application.
type Client struct {
	ID          string
	Secret      string // empty for a public client
	RedirectURI string // empty for a machine
}

// ClientOption changes what [Issuer.Client] registers.
type ClientOption interface{ forClient(*registration) }

// registration is a client before it is added.
type registration struct {
	admin.ClientSettings
	more []string // redirect URIs beyond the first; none for a machine
}

type clientOption func(*registration)

func (o clientOption) forClient(r *registration) { o(r) }

// Public makes the client one that cannot keep a secret, such as a browser or
// native app.
func Public() ClientOption {
	return clientOption(func(r *registration) { r.AuthMethod = new(client.AuthNone) })
}

// ThirdParty makes the client somebody else's: people are asked for their
// consent, and [Issuer.SignIn] gives it.
func ThirdParty() ClientOption {
	return clientOption(func(r *registration) { r.FirstParty = new(false) })
}

// OfflineAccess lets the client ask for the scope offline_access, and so for
// refresh tokens that outlive the session.
func OfflineAccess() ClientOption {
	return clientOption(func(r *registration) { r.Refresh = new(client.RefreshOffline) })
}

// RedirectURIs registers more than the one URI that every client has.
func RedirectURIs(uris ...string) ClientOption {
	return clientOption(func(r *registration) { r.more = uris })
}

// PostLogoutRedirectURIs registers where the client may send people who have
// signed out (OpenID Connect RP-Initiated Logout §2).
func PostLogoutRedirectURIs(uris ...string) ClientOption {
	return clientOption(func(r *registration) { r.PostLogoutRedirectURIs = &uris })
}

// Client registers a client: confidential, first-party, with PKCE, and with the
// issuer's audience. It is registered for the code flow with refresh tokens, or,
// when redirectURI is empty, as a machine for the client credentials grant. An
// id that is taken, or a URI that may not be registered, fails the test.
func (iss *Issuer) Client(t testing.TB, id, redirectURI string, options ...ClientOption) Client {
	t.Helper()
	r := registration{ClientSettings: admin.ClientSettings{
		FirstParty: new(true), Audience: &iss.settings.audience,
	}}
	for _, o := range options {
		o.forClient(&r)
	}
	if redirectURI != "" {
		r.ClientSettings.RedirectURIs = new(append([]string{redirectURI}, r.more...))
	}
	made, err := iss.app.Operator.AddClient(iss.ctx, id, r.ClientSettings)
	if err != nil {
		t.Fatalf("signettest: registering client %q: %v", id, err)
	}
	c := Client{ID: made.ID, Secret: made.Secret.Reveal(), RedirectURI: redirectURI}
	iss.known.addClient(c)
	return c
}
