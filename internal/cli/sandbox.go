package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/secret"
)

const (
	loopback    = "127.0.0.1"
	defaultPort = 9000
)

// persona is a made-up user who signs in with one click.
type persona struct {
	login, name, email string
	roles              []string
	password           string
}

// sandboxOptions say what the sandbox is made of.
type sandboxOptions struct {
	name     string
	port     int    // 0: any that is free
	dir      string // empty: a temporary one
	level    slog.Level
	scopes   map[string]string
	personas []persona
}

// sandbox is an issuer for this machine alone, already listening: http on
// loopback, nothing to configure.
type sandbox struct {
	app    *app.App
	issuer string
	key    secret.Value // what seals a temporary store; it needs no file, for nobody opens the store again
	remove func() error

	release func() // of the memory that was reserved
}

// openSandbox needs the port before the issuer can be composed, for the port is
// part of the issuer's name. So a free port is chosen first, and another one if
// somebody took it in between.
func (p *program) openSandbox(ctx context.Context, o sandboxOptions) (_ *sandbox, err error) {
	const attempts = 5
	box := &sandbox{remove: func() error { return nil }, release: func() {}}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "signet-"); err != nil {
			return nil, fmt.Errorf("making a temporary folder: %w", err)
		}
		box.remove = func() error { return os.RemoveAll(o.dir) }
		var key [32]byte
		_, _ = rand.Read(key[:]) // never fails (crypto/rand)
		box.key = secret.New(base64.StdEncoding.EncodeToString(key[:]))
	} else if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the folder %s can't be made", o.dir).On("dir")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, box.Close())
		}
	}()
	for attempt := 1; ; attempt++ {
		port := o.port
		if port == 0 {
			if port, err = freePort(ctx); err != nil {
				return nil, err
			}
		}
		err = box.open(ctx, p, o, port)
		if err == nil {
			box.release = Reserve(p.Environ)
			return box, box.settle(ctx, o.personas)
		}
		if o.port != 0 || fault.KindOf(err) != fault.Conflict || attempt == attempts {
			return nil, err
		}
	}
}

func freePort(ctx context.Context) (int, error) {
	l, err := listenLoopback(ctx, 0)
	if err != nil {
		return 0, err
	}
	_, text, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, errors.Join(err, l.Close())
	}
	port, err := strconv.Atoi(text)
	return port, errors.Join(err, l.Close())
}

func listenLoopback(ctx context.Context, port int) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listening on this machine: %w", err)
	}
	return l, nil
}

// open composes the issuer and takes its port.
func (b *sandbox) open(ctx context.Context, p *program, o sandboxOptions, port int) error {
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return fmt.Errorf("finding the folder %s: %w", o.dir, err)
	}
	address := net.JoinHostPort(loopback, strconv.Itoa(port))
	cfg := config.Default()
	config.LoopbackHTTP(&cfg)
	cfg.Issuer, cfg.Name, cfg.HTTP.Address = "http://"+address, o.name, address
	cfg.Metrics.Address = config.Off
	cfg.Store = "bolt://" + filepath.Join(dir, "signet.db")
	cfg.Scopes = o.scopes
	cfg.Log.Level, cfg.Log.Format = o.level, "text"
	cfg.Keys.EncryptionKey = b.key
	if err := cfg.Validate(); err != nil {
		return err
	}
	faces := make([]pages.Persona, len(o.personas))
	for i, who := range o.personas {
		faces[i] = pages.Persona{Login: who.login, Name: who.name, Note: strings.Join(who.roles, ", ")}
	}
	issuer, err := app.New(ctx, cfg, app.Options{Version: p.Version, Log: p.Stderr, Personas: faces})
	if err != nil {
		return err
	}
	if _, err := issuer.Listen(ctx); err != nil {
		return errors.Join(err, issuer.Close())
	}
	b.app, b.issuer = issuer, cfg.Issuer
	return nil
}

// settle adds the personas. One that is there already, in a folder that was
// kept, gets the roles of today.
func (b *sandbox) settle(ctx context.Context, personas []persona) error {
	for _, who := range personas {
		verified := who.email != ""
		settings := admin.UserSettings{Login: &who.login, Name: &who.name, Email: &who.email, EmailVerified: &verified, Roles: &who.roles}
		_, err := b.app.Operator.AddUser(ctx, settings, secret.New(who.password))
		if fault.KindOf(err) == fault.Conflict {
			_, err = b.app.Operator.SetUser(ctx, who.login, settings)
		}
		if err != nil {
			return fmt.Errorf("adding the persona %s: %w", who.login, err)
		}
	}
	return nil
}

// Close ends the issuer and removes what was temporary.
func (b *sandbox) Close() error {
	var err error
	if b.app != nil {
		err = b.app.Close()
	}
	b.release()
	return errors.Join(err, b.remove())
}

// titled makes a name of a login: alice is Alice.
func titled(login string) string {
	return strings.ToUpper(login[:1]) + login[1:]
}
