// Package app is the composition root: the one place that knows every room, and
// chooses the engine.
//
//	New(config) ── opens the store, the rings, the directories; mounts endpoints
//	Run(ctx)    ── serves until ctx ends, then stops in the reverse order
//
// Everything is wired by plain calls, in the order in which it is needed. A room
// receives values and its neighbours, never the configuration.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"runtime"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/authn/password"
	"github.com/signet-id/signet/internal/authn/throttle"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/cookie"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/endpoint/adminapi"
	"github.com/signet-id/signet/internal/httpd"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/outbox"
	"github.com/signet-id/signet/internal/pages"
	"github.com/signet-id/signet/internal/refusal"
	"github.com/signet-id/signet/internal/remote"
	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/status"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/telemetry"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/keys"
)

// Options are what a caller decides that is no operator's business.
type Options struct {
	Version string
	Log     io.Writer // default: standard error
	// Personas may be signed in with one click; only with a loopback issuer.
	Personas []pages.Persona
	// NoSync leaves the fsync out, for tests of something else.
	NoSync bool
	// AwaitEngine tries an engine of the network again until it and the rooms can be
	// opened, and serves /readyz meanwhile.
	AwaitEngine bool
	// Wrap, if set, puts something between the rooms and the engine: a test that
	// counts round trips, or one that fails them.
	Wrap func(store.Store) store.Store
}

// refusalsKept is how many refusals an operator can have explained: minutes of a
// busy issuer, days of a quiet one, a few MB at most.
const refusalsKept = 4096

// App is a composed issuer. Make it with New; it must be closed.
type App struct {
	Operator  *admin.Operator
	Telemetry *telemetry.Telemetry

	config   config.Config
	log      *slog.Logger
	store    store.Store
	box      *seal.Box
	seal     *seal.Ring
	keys     *keys.Ring
	clients  *client.Directory
	users    *user.Directory
	status   *status.Status
	ended    *ended.Endings
	mint     *token.Mint
	outbox   *outbox.Delivery
	refusals *refusal.Log
	counters endingCounters
	server   *httpd.Server
	adminAPI http.Handler
	close    []func() error // in the order of opening
}

// New composes an issuer. Nothing listens yet and no goroutine works but those
// that follow the store.
func New(ctx context.Context, cfg config.Config, o Options) (_ *App, err error) {
	if len(o.Personas) > 0 && !cfg.Loopback() {
		return nil, errors.New("app: personas need a loopback issuer")
	}
	if o.Log == nil {
		o.Log = os.Stderr
	}
	a := &App{config: cfg, refusals: refusal.NewLog(refusalsKept)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	a.Telemetry = telemetry.New(telemetry.Options{Level: cfg.Log.Level, Format: cfg.Log.Format, Writer: o.Log, Version: o.Version})
	a.log = a.Telemetry.Logger()
	a.counters = a.newEndingCounters()
	if err := a.begin(ctx, o); err != nil {
		return nil, err
	}
	if err := a.compose(o); err != nil {
		return nil, err
	}
	a.Telemetry.Health().Started()
	return a, nil
}

// openRooms opens what reads the store at the start, in the order of need.
func (a *App) openRooms(ctx context.Context, engine store.Store, o Options) (err error) {
	if err := a.openStore(ctx, engine, o); err != nil {
		return err
	}
	if err := a.openRings(ctx); err != nil {
		return err
	}
	if a.clients, err = client.Open(ctx, a.store, a.log); err != nil {
		return err
	}
	a.closer(a.clients.Close)
	a.users = user.NewDirectory(a.store)
	a.mint = &token.Mint{
		Issuer: a.config.Issuer, Keys: a.keys, AccessAlg: keys.Algorithm(a.config.Tokens.AccessAlgorithm),
		AccessLifetime: a.config.Tokens.AccessLifetime, IDLifetime: a.config.Tokens.IDLifetime,
		Memory: token.NewMemory(rememberedTokens),
	}
	return a.openEndings(ctx)
}

// rememberedTokens is how many access tokens userinfo and introspection need not
// check twice: some 8 MB when all places are taken.
const rememberedTokens = 8192

// openEndings wires what ends authority to those who are told: the status lists
// and the stream, and the relying parties.
func (a *App) openEndings(ctx context.Context) (err error) {
	cfg, lifetime := a.config, a.config.Tokens.AccessLifetime
	a.status, err = status.Open(ctx, status.Options{
		Store: a.store, Clients: a.clients, Issuer: cfg.Issuer, Lifetime: lifetime, Keep: ended.Kept(lifetime),
		Sign: func(ctx context.Context, typ string, claims []byte) (string, error) {
			return a.keys.Sign(ctx, a.mint.AccessAlg, typ, claims)
		},
		Ask: a.signOfLife(), TTL: cfg.Status.TTL, ListenersPerAddress: cfg.Status.ListenersPerAddress, Count: a.counters.status, Log: a.log,
	})
	if err != nil {
		return err
	}
	a.closer(a.status.Close)
	a.ended = &ended.Endings{
		Store: a.store, Users: a.users, Clients: a.clients, Lifetime: lifetime, Audit: cfg.Audit.Keep,
		Blocks: a.status.Slots.Blocks, Known: a.status.Wait,
	}
	a.outbox = outbox.New(outbox.Options{
		Store: a.store, Clients: a.clients, Mint: a.mint, Node: ident.New(), Log: a.log, Count: a.counters.call,
		// Its own: relying parties that do not answer must not keep clients from
		// authenticating, whose keys are fetched as well.
		Fetch: a.fetcher(outbox.Concurrent),
	})
	return nil
}

// fetcher asks servers that clients name, so many at once.
func (a *App) fetcher(concurrent int) *remote.Fetcher {
	return remote.New(remote.Options{
		AllowPrivate: a.config.Clients.PrivateNetworks || a.config.Loopback(), Concurrent: concurrent,
	})
}

func (a *App) openRings(ctx context.Context) error {
	if a.box == nil { // an earlier attempt has it: a command that prints the key runs once
		kek, err := a.encryptionKey(ctx)
		if err != nil {
			return err
		}
		if a.box, err = seal.NewBox(kek); err != nil {
			return err
		}
	}
	var err error
	if a.seal, err = seal.OpenRing(ctx, a.store, a.box, a.log); err != nil {
		return a.explainKey(err)
	}
	a.closer(a.seal.Close)
	policy := keys.DefaultPolicy()
	policy.Lifetime, policy.MaxAge = a.config.Keys.Lifetime, a.config.Keys.JWKSMaxAge
	policy.Publish = policy.MaxAge + policy.MaxAge/2
	policy.Linger = max(policy.Linger, 2*a.config.Tokens.AccessLifetime, 2*a.config.Tokens.IDLifetime)
	a.keys, err = keys.Open(ctx, keyStorage{a.store}, a.box, policy, a.log, keys.Algorithm(a.config.Tokens.AccessAlgorithm))
	if err != nil {
		return a.explainKey(err)
	}
	return nil
}

// compose makes the operator, the server and its endpoints.
func (a *App) compose(o Options) error {
	cfg := a.config
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		return fmt.Errorf("reading the issuer: %w", err)
	}
	concurrency := cfg.Passwords.Concurrency
	if concurrency == 0 {
		// One processor stays with those who only want a token (design: a storm of
		// sign-ins never starves token requests).
		concurrency = max(1, runtime.NumCPU()-1)
	}
	hasher, err := password.New(password.Options{
		Memory: uint32(cfg.Passwords.Memory / config.KiB), Time: uint32(cfg.Passwords.Time), Concurrency: concurrency,
	})
	if err != nil {
		return err
	}
	look, err := pages.New(pages.Options{Base: issuer.Path, Name: cfg.Name, Loopback: cfg.Loopback()})
	if err != nil {
		return err
	}
	a.Operator = &admin.Operator{
		Store: a.store, Clients: a.clients, Users: a.users, Passwords: hasher, Keys: a.keys, Ended: a.ended, Refusals: a.refusals, Box: a.box, Outbox: a.outbox,
	}
	a.adminAPI = adminapi.Handler(a.Operator, o.Version)
	if a.server, err = a.newServer(look); err != nil {
		return err
	}
	a.Operator.Stopping = a.server.Stopping()
	return a.mount(rooms{
		base: issuer.Path, look: look, cookies: cookie.Jar{Secure: issuer.Scheme == "https"},
		sessions:  session.Policy{Idle: cfg.Sessions.Idle, Absolute: cfg.Sessions.Absolute, Most: cfg.Sessions.Limit},
		passwords: &password.Method{Users: a.users, Hasher: hasher, Throttle: throttle.New()},
		personas:  o.Personas,
	})
}

// Handler answers the public endpoints without a listener.
func (a *App) Handler() http.Handler { return a.server.Handler() }

// AdminHandler answers the operator's commands; the socket serves it, and the
// command line uses it directly when no server runs.
func (a *App) AdminHandler() http.Handler { return a.adminAPI }

// Keys is the key ring, for a test issuer that mints tokens and rotates.
func (a *App) Keys() *keys.Ring { return a.keys }

// Mint makes tokens, for a test issuer.
func (a *App) Mint() *token.Mint { return a.mint }

// Status gives out slots and knows which have ended, for a test issuer.
func (a *App) Status() *status.Status { return a.status }

// Close releases what New opened, last first. Run must have returned.
func (a *App) Close() error {
	var errs []error
	for i := len(a.close) - 1; i >= 0; i-- {
		errs = append(errs, a.close[i]())
	}
	a.close = nil
	return errors.Join(errs...)
}

func (a *App) closer(f func()) {
	a.close = append(a.close, func() error { f(); return nil })
}

// Store is the engine as the rooms see it, for tests that look behind the wire.
func (a *App) Store() store.Store { return a.store }
