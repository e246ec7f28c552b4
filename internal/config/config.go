// Package config owns the operator's settings: one struct, its defaults, how it
// is read and what makes it wrong.
//
//	Default ──▶ file (YAML) ──▶ environment (SIGNET_*) ──▶ Validate ──▶ Config
//	                │                   │                     │
//	                └───────────────────┴─────────────────────┴──▶ Problems: all of
//	                                       them at once, each with its line and its fix
//
// Everything that is known of a key (its sentence, type, bounds, default, name in
// the environment) stands once, in the table; reading, checking, explaining and
// the operator's manual all follow it.
//
// It never opens what it names (Check looks, nothing more), never holds a secret
// in plain text, and has no key that weakens security: what development needs
// loosened is LoopbackHTTP, which no file and no variable can reach. Relative
// paths start at the working directory of the server.
package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/signet-id/signet/internal/secret"
)

// Config is the whole configuration. A Config from Load or Parse is valid; one
// made by hand starts from Default and is checked with Validate.
type Config struct {
	Issuer string
	Name   string
	Store  string
	// The password of the engine, when it is not in Store: at most one is set.
	StorePassword     secret.Value
	StorePasswordFile string

	HTTP      HTTP
	Metrics   Metrics
	Admin     Admin
	Keys      KeyRing
	Tokens    Tokens
	Sessions  Sessions
	Audit     Audit
	Status    Status
	Passwords Passwords
	Clients   Clients
	Security  Security
	Scopes    map[string]string // API scope → what a person reads about it
	Log       Log

	loopback bool
}

// HTTP is how the public listener behaves.
type HTTP struct {
	Address        string
	TLS            TLS
	TrustedProxies []netip.Prefix
	MaxBody        Size
	Timeout        time.Duration
}

// TLS names the files of the certificate; both are empty behind a proxy.
type TLS struct {
	Certificate string
	Key         string
}

// Metrics is the listener for those who watch the server.
type Metrics struct {
	Address string // Off: none
}

// Admin is how the command line reaches the running server.
type Admin struct {
	Socket string // empty: see SocketPath
}

// KeyRing is the life of signing keys, and what seals them at rest: at most one of
// the three EncryptionKey fields is set, and none means KeyFilePath.
type KeyRing struct {
	EncryptionKey        secret.Value
	EncryptionKeyFile    string
	EncryptionKeyCommand []string
	Lifetime             time.Duration
	JWKSMaxAge           time.Duration
}

// Tokens is how long they live and how access tokens are signed.
type Tokens struct {
	AccessLifetime  time.Duration
	IDLifetime      time.Duration
	RefreshLifetime time.Duration
	ReuseWindow     time.Duration
	AccessAlgorithm string
}

// Sessions is when a browser must sign in again.
type Sessions struct {
	Idle     time.Duration
	Absolute time.Duration
	Limit    int // of one person at once; 0: any number
}

// Audit is how long what ended is remembered.
type Audit struct {
	Keep time.Duration
}

// Status is how services hear of endings.
type Status struct {
	TTL                 time.Duration // of a list, for those who do not listen to the stream
	ListenersPerAddress int
}

// Passwords is the cost of argon2id.
type Passwords struct {
	Concurrency int // 0: one less than there are processors
	Memory      Size
	Time        int
}

// Security is what the host says to those who look for flaws.
type Security struct {
	Contact string // empty: it says nothing
}

// Clients is what this server may do on behalf of its clients.
type Clients struct {
	PrivateNetworks bool
}

// Log is what the log looks like.
type Log struct {
	Level  slog.Level
	Format string
}

// Off is the metrics.address that means no listener.
const Off = "off"

// Default is complete but for the issuer, which only the operator knows.
func Default() Config {
	return Config{
		Name:    "Signet",
		Store:   "bolt:signet.db",
		HTTP:    HTTP{Address: "127.0.0.1:8080", MaxBody: 64 * KiB, Timeout: 30 * time.Second},
		Metrics: Metrics{Address: "127.0.0.1:9464"},
		Keys:    KeyRing{Lifetime: 30 * day, JWKSMaxAge: 10 * time.Minute},
		Tokens: Tokens{
			AccessLifetime:  10 * time.Minute,
			IDLifetime:      10 * time.Minute,
			RefreshLifetime: 30 * day,
			ReuseWindow:     time.Minute,
			AccessAlgorithm: "ES256",
		},
		Sessions: Sessions{Idle: 12 * time.Hour, Absolute: 7 * day},
		Audit:    Audit{Keep: 90 * day},
		Status:   Status{TTL: time.Minute, ListenersPerAddress: 1000},
		// The first choice of the OWASP Password Storage Cheat Sheet.
		Passwords: Passwords{Memory: 19 * MiB, Time: 2},
		Log:       Log{Level: slog.LevelInfo, Format: "json"},
	}
}

// Option changes what Load and Parse accept; it works on a Config made by hand
// as well.
type Option func(*Config)

// LoopbackHTTP permits an http issuer, for development and tests on one's own
// machine. In return issuer and listener must both be loopback, https or not.
func LoopbackHTTP(c *Config) { c.loopback = true }

// Loopback reports whether LoopbackHTTP was applied.
func (c Config) Loopback() bool { return c.loopback }

// StorePath is the file of a bolt store, "" with another engine.
func (c Config) StorePath() string { return c.Engine().Path }

// SocketPath is admin.socket, or signet.sock next to a bolt store, or where the
// server was started.
func (c Config) SocketPath() string {
	if c.Admin.Socket != "" {
		return c.Admin.Socket
	}
	return filepath.Join(c.Engine().Folder(), "signet.sock")
}

// KeyFilePath is keys.encryption_key_file, or signet.key next to the store,
// which the server makes when no other source of the key is named. With an engine
// that nodes share it is named, or there is another source.
func (c Config) KeyFilePath() string {
	if c.Keys.EncryptionKeyFile != "" {
		return c.Keys.EncryptionKeyFile
	}
	return filepath.Join(c.Engine().Folder(), "signet.key")
}

// Validate reports everything wrong with c as Problems, or nil.
func (c Config) Validate() error { return asError(c.problems()) }

// Note is advice about a setting that is allowed but seldom meant.
type Note struct{ Key, Text string }

func (n Note) String() string { return n.Key + ": " + n.Text }

// Advice returns what an operator should hear once at start.
func (c Config) Advice() []Note {
	var notes []Note
	if behindProxy := c.HTTP.TLS.Certificate == "" && !c.loopback; behindProxy {
		if !isLoopback(c.HTTP.Address) {
			notes = append(notes, Note{"http.tls.certificate", fmt.Sprintf(
				"%s is served without TLS: a proxy must terminate it, and nothing else may reach this address", c.HTTP.Address)})
		}
		if len(c.HTTP.TrustedProxies) == 0 {
			notes = append(notes, Note{"http.trusted_proxies",
				"without TLS here a proxy is in front, and none is named: every visitor seems to come from its address, " +
					"so one person's wrong passwords slow down everybody"})
		}
	}
	if c.Metrics.Address != Off && !isPrivate(c.Metrics.Address) {
		notes = append(notes, Note{"metrics.address", fmt.Sprintf(
			"%s may be reached from outside: metrics and health are meant for your own network", c.Metrics.Address)})
	}
	return notes
}
