package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/lease"
	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
	"github.com/signet-id/signet/internal/store/etcdstore"
	"github.com/signet-id/signet/internal/store/pgstore"
	"github.com/signet-id/signet/internal/store/transfer"
)

// How long an engine that is away is left alone between attempts, and how long an
// attempt may take.
const (
	engineBackoffMin = 250 * time.Millisecond
	engineBackoffMax = 10 * time.Second
	enginePatience   = 20 * time.Second
)

// OpenEngine opens the engine that e names: the one place that chooses. ctx bounds
// the opening alone.
func OpenEngine(ctx context.Context, e config.Engine, log *slog.Logger) (store.Store, error) {
	return openEngine(ctx, e, log, false)
}

func openEngine(ctx context.Context, e config.Engine, log *slog.Logger, noSync bool) (store.Store, error) {
	if e.Kind == config.Bolt {
		return boltstore.Open(e.Path, boltstore.Options{Logger: log, NoSync: noSync})
	}
	if e.PasswordFile != "" {
		text, err := os.ReadFile(e.PasswordFile)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "the password of the store can't be read").On("store_password_file")
		}
		e = e.WithPassword(secret.New(strings.TrimSpace(string(text))), "")
	}
	ctx, cancel := context.WithTimeout(ctx, enginePatience)
	defer cancel()
	if e.Kind == config.Postgres {
		return pgstore.Open(ctx, e.URL.Reveal(), pgstore.Options{Logger: log})
	}
	scheme := "http://"
	if e.TLS.On {
		scheme = "https://"
	}
	endpoints := make([]string, len(e.Endpoints))
	for i, at := range e.Endpoints {
		endpoints[i] = scheme + at
	}
	return etcdstore.Open(ctx, endpoints, e.Prefix, etcdstore.Options{
		CA: e.TLS.CA, Cert: e.TLS.Certificate, Key: e.TLS.Key, Username: e.User, Password: e.Password, Logger: log,
	})
}

// begin opens the engine and all that reads it at the start. A patient caller's
// engine of the network is tried again: it may come up after this server, or be
// lost while the rooms read it.
func (a *App) begin(ctx context.Context, o Options) error {
	again, err := a.attempt(ctx, o)
	if err == nil || !again || !o.AwaitEngine || !a.config.Engine().Shared() {
		return err
	}
	a.Telemetry.Health().Add("store", func(context.Context) error { return errors.New("the store is not open yet") })
	waiting, begun := context.WithCancel(ctx)
	defer begun()
	group, waiting := errgroup.WithContext(waiting)
	group.Go(func() error { return a.serveMetrics(waiting) })
	group.Go(func() error {
		defer begun()
		return a.retry(waiting, o, err)
	})
	return group.Wait()
}

// retry says why it waits whenever the reason is another one. What another attempt
// won't mend ends it.
func (a *App) retry(ctx context.Context, o Options, err error) error {
	said, name := "", slog.String("store", a.config.Engine().Name())
	for backoff := engineBackoffMin; ; backoff = min(2*backoff, engineBackoffMax) {
		if why := err.Error(); why != said {
			said = why
			a.log.ErrorContext(ctx, "the store can't be opened; trying again until it can", name, slog.Any("error", err))
		}
		pause := time.NewTimer(backoff)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return errors.Join(ctx.Err(), err)
		}
		again := false
		if again, err = a.attempt(ctx, o); err == nil {
			a.log.InfoContext(ctx, "the store is open", name)
			return nil
		} else if !again {
			return err
		}
	}
}

// attempt opens the engine and the rooms, or nothing. Another attempt may mend
// whatever keeps an engine from being opened, even a wrong password: the operator
// sets it there. Behind that only an engine that is lost again is worth waiting
// for: a key-encryption key that opens nothing stays the wrong one.
func (a *App) attempt(ctx context.Context, o Options) (again bool, err error) {
	engine, err := a.takeEngine(ctx, o)
	if err != nil {
		return true, err
	}
	a.close = append(a.close, engine.Close)
	if err := a.openRooms(ctx, engine, o); err != nil {
		return fault.KindOf(err) == fault.Unavailable, errors.Join(err, a.Close())
	}
	return false, nil
}

// takeEngine opens the engine for this server.
func (a *App) takeEngine(ctx context.Context, o Options) (store.Store, error) {
	e := a.config.Engine()
	engine, err := openEngine(ctx, e, a.log, o.NoSync)
	if err != nil {
		return nil, err
	}
	err = transfer.Admit(ctx, engine)
	if err == nil && !e.Shared() {
		// The file is locked, so nobody else is alive who could hold a lease.
		err = lease.Void(ctx, engine)
	}
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return engine, nil
}

// openStore puts before the engine what refuses changes while it is moved.
func (a *App) openStore(ctx context.Context, engine store.Store, o Options) error {
	if o.Wrap != nil {
		engine = o.Wrap(engine)
	}
	gate, err := transfer.OpenGate(ctx, engine, a.log)
	if err != nil {
		return err
	}
	a.closer(gate.Shut)
	a.store = gate
	a.Telemetry.Health().Add("store", a.askEngine)
	return nil
}

// askEngine reads a record that never was.
func (a *App) askEngine(ctx context.Context) error {
	_, err := a.store.Get(ctx, "health")
	return err
}

// signOfLife is how a node finds out that it is cut off, where it can be.
func (a *App) signOfLife() func(context.Context) error {
	if !a.config.Engine().Shared() {
		return nil
	}
	return a.askEngine
}

// claimSocket makes room for this server's socket. Next to a file that is locked,
// one that is still there was left by a server that was killed; elsewhere it may
// be another server's.
func (a *App) claimSocket(ctx context.Context, path string) error {
	if a.config.Engine().Shared() {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err == nil {
			_ = conn.Close() // nothing was written
			return fmt.Errorf("another server answers there: name another one for this server: %w", fs.ErrExist)
		}
	}
	return removeSocket(path)
}
