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
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
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
// its log on stderr, and a hook that reads the engine's counts.
func serveIssuer(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet(roleIssuer, flag.ContinueOnError)
	dir := flags.String("dir", "", "the folder of the store")
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
	if err := cfg.Validate(); err != nil {
		return err
	}
	s := &subject{}
	a, err := app.New(ctx, cfg, app.Options{Version: "bench", Log: os.Stderr, Wrap: func(engine store.Store) store.Store {
		if counting, ok := engine.(interface{ Stats() boltstore.Stats }); ok {
			s.stats = counting.Stats
		}
		return engine
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if s.stats == nil {
		return errors.New("the engine counts nothing")
	}
	address, err := a.Listen(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- a.Run(ctx) }()
	err = s.obey(os.Stdin, os.Stdout, address.String())
	stop()
	if failed := <-served; failed != nil {
		return fmt.Errorf("serving: %w", errors.Join(failed, err))
	}
	return err
}
