package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/cookie"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/keys"
)

// How full the store is before anything is measured.
const (
	users   = 2000
	clients = 50
)

// keyFile seals the records, and lies next to the store.
const keyFile = "signet.key"

// The clients that the scenarios use.
const (
	clientRobot = "robot" // client credentials
	clientShop  = "shop"  // code and refresh, ID tokens signed with ES256
	clientOld   = "old"   // the same with RS256, the standard's default

	callback = "https://shop.example.com/callback"
	audience = "https://orders.example.com"
	scope    = "orders:read"
)

// estate is a store with people, clients and sessions, and what one must know
// to use them. Each server gets a copy.
type estate struct {
	dir     string
	secrets map[string]string // by client
	cookies []string          // one signed-in browser each
}

// prepare fills a store in dir, in process and without fsync. Sessions are
// written as sign-in writes them, but nobody's password is asked: what a
// sign-in costs is argon2id's and not under measurement.
func prepare(ctx context.Context, dir string, browsers int) (_ estate, err error) {
	e := estate{dir: dir, secrets: map[string]string{}}
	a, err := app.New(ctx, settings(dir, string(keys.ES256), slog.LevelError), app.Options{NoSync: true, Log: io.Discard})
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	for _, algorithm := range []keys.Algorithm{keys.EdDSA, keys.RS256} {
		if err := a.Keys().Ensure(ctx, algorithm); err != nil {
			return e, err
		}
	}
	if err := e.addClients(ctx, a); err != nil {
		return e, fmt.Errorf("adding clients: %w", err)
	}
	for i := range users {
		login := fmt.Sprintf("user%d", i)
		u, err := a.Operator.Users.Create(ctx, user.User{
			Login: login, Name: "User " + login, GivenName: "User", FamilyName: login, Email: login + "@example.com", Roles: []string{"clerk"},
		})
		if err != nil {
			return e, fmt.Errorf("adding users: %w", err)
		}
		if i < browsers {
			if err := e.signIn(ctx, a, u.Subject); err != nil {
				return e, fmt.Errorf("signing in: %w", err)
			}
		}
	}
	return e, nil
}

func (e *estate) addClients(ctx context.Context, a *app.App) error {
	yes, scopes := true, "orders:read orders:write"
	code := admin.ClientSettings{
		FirstParty: &yes, RedirectURIs: &[]string{callback}, Scope: &scopes, Audience: &[]string{audience},
	}
	old, rs256 := code, string(keys.RS256)
	old.IDTokenAlg = &rs256
	robot := admin.ClientSettings{Grants: &[]string{"client_credentials"}, Scope: &scopes, Audience: &[]string{audience}}
	all := map[string]admin.ClientSettings{clientShop: code, clientOld: old, clientRobot: robot}
	for i := range clients {
		all[fmt.Sprintf("client%d", i)] = code
	}
	for id, settings := range all {
		made, err := a.Operator.AddClient(ctx, id, settings)
		if err != nil {
			return err
		}
		e.secrets[id] = made.Secret.Reveal()
	}
	return nil
}

// signIn begins a session and keeps the cookies of its browser.
func (e *estate) signIn(ctx context.Context, a *app.App, subject string) error {
	policy := session.Policy{Idle: 12 * time.Hour, Absolute: 24 * time.Hour}
	s, handle := policy.Begin(authn.New(subject, time.Now(), authn.AMRPassword), session.Origin{Address: "203.0.113.7", Agent: "bench"})
	put, err := policy.Put(s)
	if err != nil {
		return err
	}
	if _, err := a.Store().Commit(ctx, put); err != nil {
		return err
	}
	const prefix = "__Host-" // the issuer is https
	e.cookies = append(e.cookies, prefix+string(cookie.Session)+"="+handle.Cookie()+"; "+prefix+string(cookie.Journey)+"="+rand.Text())
	return nil
}

// copyTo gives a server a store of its own: bbolt locks its file.
func (e estate) copyTo(dir string) error {
	for _, name := range []string{"signet.db", keyFile} {
		if err := copyFile(filepath.Join(e.dir, name), filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("copying the store: %w", err)
		}
	}
	return nil
}

func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
