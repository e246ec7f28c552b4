package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/cli"
	"github.com/signet-id/signet/internal/config"
)

// issuerURL is as in production: https, with TLS left to a proxy on this host.
const issuerURL = "https://id.example.com"

// settings are those of an issuer behind a proxy, on the store in dir.
func settings(dir, algorithm string, level slog.Level) config.Config {
	c := config.Default()
	c.Issuer = issuerURL
	c.Store = "bolt:" + filepath.Join(dir, "signet.db")
	c.HTTP.Address = "127.0.0.1:0"
	c.HTTP.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	c.Metrics.Address = config.Off
	c.Tokens.AccessAlgorithm = algorithm
	c.Log.Level = level
	return c
}

// serveIssuer is the child that is measured: the composed app with its fsyncs,
// its log on stderr, and a hook that counts what it asks of the engine.
func serveIssuer(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet(roleIssuer, flag.ContinueOnError)
	dir := flags.String("dir", "", "the folder of the store")
	engine := flags.String("store", "", "an engine of the network that has the records; the folder has the key")
	algorithm := flags.String("algorithm", "ES256", "what signs access tokens")
	quiet := flags.Bool("quiet", false, "log warnings and errors only")
	if err := flags.Parse(args); err != nil {
		return err
	}
	level := slog.LevelInfo
	if *quiet {
		level = slog.LevelWarn
	}
	cfg := settings(*dir, *algorithm, level)
	if *engine != "" {
		cfg.Store, cfg.Keys.EncryptionKeyFile = *engine, filepath.Join(*dir, keyFile)
		cfg.Admin.Socket = filepath.Join(*dir, "signet.sock")
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	trips := &counting{}
	a, err := app.New(ctx, cfg, app.Options{Version: "bench", Log: os.Stderr, Wrap: trips.before})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	address, err := a.Listen(ctx)
	if err != nil {
		return err
	}
	defer cli.Reserve(os.Environ())() // as signet serve does
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- a.Run(ctx) }()
	err = (&subject{counts: trips.counts}).obey(os.Stdin, os.Stdout, address.String())
	stop()
	if failed := <-served; failed != nil {
		return fmt.Errorf("serving: %w", errors.Join(failed, err))
	}
	return err
}
