package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/internal/store/transfer"
	"github.com/signet-id/signet/keys"
)

const (
	// clientGateway may introspect the tokens of the other clients: it has their audience.
	clientGateway = "gateway"
	// password is that of everybody who signs in with one.
	password = "a long walk by the river"
)

func loginOf(person int) string { return fmt.Sprintf("user%d", person) }

// furnish adds to the estate what the costs of sign-ins and introspection are
// measured with.
func (e *estate) furnish(ctx context.Context) (err error) {
	a, err := app.New(ctx, settings(e.dir, string(keys.ES256), slog.LevelError), app.Options{NoSync: true, Log: io.Discard})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	yes := true
	made, err := a.Operator.AddClient(ctx, clientGateway, admin.ClientSettings{
		Grants: &[]string{"client_credentials"}, Audience: &[]string{audience}, Introspects: &yes,
	})
	if err != nil {
		return fmt.Errorf("adding a client: %w", err)
	}
	e.secrets[clientGateway] = made.Secret.Reveal()
	for i := range signingIn {
		// Those behind: a new password ends the sessions that there are.
		if _, err := a.Operator.SetPassword(ctx, loginOf(users-1-i), secret.New(password)); err != nil {
			return fmt.Errorf("setting a password: %w", err)
		}
	}
	return nil
}

// moveTo copies the records to another engine, as an operator would.
func (e estate) moveTo(ctx context.Context, url string) (err error) {
	log := slog.New(slog.DiscardHandler)
	target, err := config.ParseEngine(url)
	if err != nil {
		return err
	}
	from, err := app.OpenEngine(ctx, settings(e.dir, "", slog.LevelError).Engine(), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := app.OpenEngine(ctx, target, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	_, err = transfer.Copy(ctx, from, to, transfer.CopyOptions{Journals: app.Journals(), Alone: true})
	return err
}
