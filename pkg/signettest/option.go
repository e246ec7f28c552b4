package signettest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/keys"
)

// Option changes what [Start] makes. Of an option that is given twice, here as
// with the other kinds of options, the last one counts.
type Option interface{ forIssuer(*settings) }

// AudienceOption is what Audience returns: an option of Start, of
// [Issuer.Client] and of [Issuer.Token].
type AudienceOption interface {
	Option
	ClientOption
	TokenOption
}

// ScopeOption is what Scope returns: an option of [Issuer.Client] and of
// [Issuer.Token].
type ScopeOption interface {
	ClientOption
	TokenOption
}

// MembershipOption is what Roles and Groups return: an option of [Issuer.User]
// and of [Issuer.Token].
type MembershipOption interface {
	UserOption
	TokenOption
}

// Audience names the services that tokens are for; each is an absolute URI.
// Given to Start it is the default of all tokens and clients; given to Client,
// what its tokens may be for, the first one unless it asks for another (RFC
// 8707); given to Token, the token's own aud.
func Audience(uris ...string) AudienceOption { return audience(uris) }

type audience []string

func (a audience) forIssuer(s *settings)     { s.audience = a }
func (a audience) forClient(r *registration) { r.Audience = (*[]string)(&a) }
func (a audience) forToken(d *draft)         { d.Audience = a }

// Scope names scopes, one or several in a string. Given to Token it is what the
// token permits; given to Client, what the client may ask for besides the scopes
// of OpenID Connect, which every client may.
func Scope(scopes ...string) ScopeOption { return scope(strings.Join(scopes, " ")) }

type scope string

func (s scope) forClient(r *registration) { r.Scope = (*string)(&s) }
func (s scope) forToken(d *draft)         { d.Scopes = strings.Fields(string(s)) }

// Roles gives a user, or a token, these roles. A user's roles appear in tokens
// that were asked for with the scope "roles".
func Roles(roles ...string) MembershipOption { return membership{roles: &roles} }

// Groups gives a user, or a token, these groups. A user's groups appear in
// tokens that were asked for with the scope "groups".
func Groups(groups ...string) MembershipOption { return membership{groups: &groups} }

type membership struct{ roles, groups *[]string }

func (m membership) forUser(p *person) {
	if m.roles != nil {
		p.Roles = *m.roles
	}
	if m.groups != nil {
		p.Groups = *m.groups
	}
}

func (m membership) forToken(d *draft) {
	if m.roles != nil {
		d.Roles = *m.roles
	}
	if m.groups != nil {
		d.Groups = *m.groups
	}
}

type issuerOption func(*settings)

func (o issuerOption) forIssuer(s *settings) { o(s) }

// InProcess keeps the issuer off the network, in a synctest bubble and outside
// of one: it is reached with [Issuer.HTTPClient] alone.
func InProcess() Option { return issuerOption(func(s *settings) { s.inProcess = true }) }

// AccessLifetime is how long access tokens live, at least a second; 10 minutes
// otherwise. Mind that a verifier accepts a token for 30 s longer, because
// clocks differ: see [Expired] for a token that is refused now.
func AccessLifetime(d time.Duration) Option {
	return issuerOption(func(s *settings) { s.lifetime = d })
}

// Algorithm is what signs access tokens; ES256 otherwise. An RSA key (RS256,
// PS256) makes Start slower by the tenth of a second or more that it takes.
func Algorithm(alg keys.Algorithm) Option {
	return issuerOption(func(s *settings) { s.algorithm = alg })
}

// LogLevel is the least important line of the issuer's log that is written to
// the test's; slog.LevelWarn otherwise. At slog.LevelInfo every request is
// there, and why one was refused.
func LogLevel(level slog.Level) Option {
	return issuerOption(func(s *settings) { s.level = &level })
}

// settings are what the options have chosen; zero fields mean the default.
type settings struct {
	inProcess bool
	audience  []string
	lifetime  time.Duration
	algorithm keys.Algorithm
	level     *slog.Level
}

// compose makes the issuer that is named url.
func (s *settings) compose(ctx context.Context, t testing.TB, url string) (*app.App, error) {
	if len(s.audience) == 0 {
		return nil, errors.New("the option Audience names no service")
	}
	cfg, err := s.config(url, t.TempDir())
	if err != nil {
		return nil, err
	}
	return app.New(ctx, cfg, app.Options{NoSync: true, Log: t.Output()})
}

func (s *settings) config(url, dir string) (config.Config, error) {
	cfg := config.Default()
	cfg.Issuer = url
	cfg.Store = "bolt:" + filepath.Join(dir, "signet.db")
	cfg.Metrics.Address = config.Off
	cfg.Keys.EncryptionKey = encryptionKey()
	cfg.Log.Level, cfg.Log.Format = slog.LevelWarn, "text"
	if s.level != nil {
		cfg.Log.Level = *s.level
	}
	if s.algorithm != "" {
		cfg.Tokens.AccessAlgorithm = string(s.algorithm)
	}
	if !s.inProcess {
		config.LoopbackHTTP(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		return cfg, err
	}
	// From here on the issuer is one that Validate would refuse.
	cfg.Passwords.Memory, cfg.Passwords.Time = 8*config.KiB, 1
	if s.lifetime != 0 {
		// exp counts whole seconds (RFC 7519 §2).
		if s.lifetime < time.Second {
			return cfg, fmt.Errorf("AccessLifetime(%s) is less than a second", s.lifetime)
		}
		cfg.Tokens.AccessLifetime = s.lifetime
	}
	return cfg, nil
}

// encryptionKey is given to the issuer, because one that has none makes a file
// of it, with the fsync that tests go without.
func encryptionKey() secret.Value {
	var key [32]byte
	rand.Read(key[:]) //nolint:errcheck // crypto/rand.Read never fails: it crashes the program instead
	return secret.New(base64.StdEncoding.EncodeToString(key[:]))
}
