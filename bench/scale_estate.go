package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/keys"
)

// atOnce is how many records go into one Commit, or are written side by side.
const atOnce = 128

// grow fills the store by the rooms' own hands, without fsync: users and clients
// as an operator adds them, side by side so that they share transactions, and
// grants by their encoder, many to a Commit.
func (e estate) grow(ctx context.Context, s scale) (err error) {
	a, err := app.New(ctx, settings(e.dir, string(keys.ES256), slog.LevelError), app.Options{NoSync: true, Log: io.Discard})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	yes, scopes := true, "orders:read orders:write"
	code := admin.ClientSettings{FirstParty: &yes, RedirectURIs: &[]string{callback}, Scope: &scopes, Audience: &[]string{audience}}
	if err := sideBySide(s.clients, func(i int) error {
		_, err := a.Operator.AddClient(ctx, fmt.Sprintf("crowd%d", i), code)
		return err
	}); err != nil {
		return fmt.Errorf("adding clients: %w", err)
	}
	subjects := make([]string, s.users)
	if err := sideBySide(s.users, func(i int) error {
		login := fmt.Sprintf("person%d", i)
		u, err := a.Operator.Users.Create(ctx, user.User{
			Login: login, Name: "Person " + login, GivenName: "Person", FamilyName: login, Email: login + "@example.com", Roles: []string{"clerk"},
		})
		subjects[i] = u.Subject
		return err
	}); err != nil {
		return fmt.Errorf("adding users: %w", err)
	}
	for from := 0; from < s.grants; from += atOnce {
		if err := putGrants(ctx, a.Store(), subjects, from, min(from+atOnce, s.grants)); err != nil {
			return fmt.Errorf("adding grants: %w", err)
		}
	}
	return nil
}

func putGrants(ctx context.Context, to store.Store, subjects []string, from, before int) error {
	now := time.Now().UTC()
	ops := make([]store.Op, 0, before-from)
	for i := from; i < before; i++ {
		g := grant.Grant{
			Ref:      grant.Ref{Subject: subjects[i%len(subjects)], SessionID: ident.New(), ID: ident.New()},
			ClientID: clientShop, Scopes: []string{"openid", "profile", "email", scope}, Audience: []string{audience},
			Authentication: grant.Authentication{Time: now, ACR: "1", AMR: []string{"pwd"}},
			Created:        now, Refresh: client.RefreshOffline, Rotated: now,
		}
		op, err := g.Put(now.Add(30 * 24 * time.Hour))
		if err != nil {
			return err
		}
		ops = append(ops, op)
	}
	_, err := to.Commit(ctx, ops...)
	return err
}

// sideBySide does something for each number below n, many at a time.
func sideBySide(n int, do func(int) error) error {
	var next atomic.Int64
	_, err := onCores(atOnce, atOnce, func(int) error {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return nil
			}
			if err := do(i); err != nil {
				return err
			}
		}
	})
	return err
}
