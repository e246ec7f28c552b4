package verify

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
)

// defaultMemory is some 12 MB when it is full.
const defaultMemory = 10_000

// Option changes a default of [New]. None of them weakens a check.
type Option func(*settings) error

type settings struct {
	client     *http.Client
	log        *slog.Logger
	snapshot   string
	algorithms []Algorithm
	memory     int
	realm      string
	metadata   string
	patience   patience
}

// WithHTTPClient sets the client that talks to the issuer, for a proxy or a
// private certificate authority. Redirects to other hosts are refused whatever
// the client says.
func WithHTTPClient(c *http.Client) Option {
	return func(s *settings) error {
		if c == nil {
			return errors.New("WithHTTPClient: the client is nil")
		}
		s.client = c
		return nil
	}
}

// WithSnapshot keeps the issuer's public keys in the file at path, so that the
// service can boot while the issuer is down. Keys alone: what has ended is asked
// for anew, and until it is known, [WithMaxStaleness] decides. The file must be writable by the
// service alone; one that others may write to is ignored, and the log says so.
func WithSnapshot(path string) Option {
	return func(s *settings) error {
		if path == "" {
			return errors.New("WithSnapshot: the path is empty")
		}
		s.snapshot = path
		return nil
	}
}

// WithLogger sets where failures to reach the issuer are told; slog.Default
// otherwise. Refused tokens are not logged: they are the caller's to count.
func WithLogger(log *slog.Logger) Option {
	return func(s *settings) error {
		if log == nil {
			return errors.New("WithLogger: the logger is nil")
		}
		s.log = log
		return nil
	}
}

// WithAlgorithms narrows the signature algorithms that are accepted.
func WithAlgorithms(algorithms ...Algorithm) Option {
	return func(s *settings) error {
		if len(algorithms) == 0 {
			return errors.New("WithAlgorithms: none is named")
		}
		for _, a := range algorithms {
			if !slices.Contains(allAlgorithms(), a) {
				return fmt.Errorf("WithAlgorithms: %q is not one of %q", a, allAlgorithms())
			}
		}
		s.algorithms = slices.Clone(algorithms)
		return nil
	}
}

// WithMemory sets how many verified tokens are remembered, so that each costs
// its signature once; 10,000 otherwise, at some 1.2 kB each. 0 remembers none.
func WithMemory(tokens int) Option {
	return func(s *settings) error {
		if tokens < 0 {
			return fmt.Errorf("WithMemory: %d is less than none", tokens)
		}
		s.memory = tokens
		return nil
	}
}

// WithRealm names the protection space in challenges (RFC 9110 §11.5); the
// audience otherwise.
func WithRealm(realm string) Option {
	return func(s *settings) error {
		if !isPrintable(realm) {
			return errors.New("WithRealm: the realm must be printable ASCII, and not empty")
		}
		s.realm = realm
		return nil
	}
}

// WithResourceMetadata adds the URL of this service's protected resource
// metadata to challenges, from which clients learn where to get a token (RFC
// 9728 §5.1).
func WithResourceMetadata(url string) Option {
	return func(s *settings) error {
		if err := checkURL(url); err != nil {
			return fmt.Errorf("WithResourceMetadata: %w", err)
		}
		if !isPrintable(url) {
			return errors.New("WithResourceMetadata: the URL must be ASCII")
		}
		s.metadata = url
		return nil
	}
}

func allAlgorithms() []Algorithm { return []Algorithm{ES256, EdDSA, RS256, PS256} }

// place renders what every challenge says about this service.
func (s *settings) place() string {
	place := "realm=" + quote(s.realm)
	if s.metadata != "" {
		place += ", resource_metadata=" + quote(s.metadata)
	}
	return place
}

// isPrintable reports whether s may appear in a header between quotes.
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return s != ""
}

// isScope reports whether s is one scope-token (RFC 6749 §3.3).
func isScope(s string) bool {
	for i := range len(s) {
		if s[i] <= 0x20 || s[i] > 0x7e || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return s != ""
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
