package httpd

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// lookAgain is how often the files are looked at: soon enough for any renewal,
// and two stat calls cost nothing.
const lookAgain = 5 * time.Second

// certificates is the certificate in its files, read again when they change.
type certificates struct {
	files   TLS
	logger  *slog.Logger
	current atomic.Pointer[tls.Certificate]

	loaded    stamp  // what current was read from
	complaint string // why the files cannot be used, as the log said already
}

func loadCertificates(files TLS, logger *slog.Logger) (*certificates, error) {
	c := &certificates{files: files, logger: logger}
	now, err := c.stamp()
	if err != nil {
		return nil, err
	}
	if err := c.load(now); err != nil {
		return nil, err
	}
	return c, nil
}

// config is TLS 1.2 with forward secrecy and authenticated encryption, or 1.3.
// Go's own list for 1.2 still has CBC suites, which FAPI 2.0 §5.2.2 and RFC 9325
// §4.2 leave out.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current.Load(), nil
		},
	}
}

// stamp tells one state of the two files from another.
type stamp struct{ certificate, key version }

type version struct {
	changed time.Time
	size    int64
}

func (c *certificates) stamp() (stamp, error) {
	certificate, err := os.Stat(c.files.Certificate)
	if err != nil {
		return stamp{}, fmt.Errorf("reading the TLS certificate: %w", err)
	}
	key, err := os.Stat(c.files.Key)
	if err != nil {
		return stamp{}, fmt.Errorf("reading the TLS key: %w", err)
	}
	return stamp{version{certificate.ModTime(), certificate.Size()}, version{key.ModTime(), key.Size()}}, nil
}

// load reads the files. now was taken before, so that a change in between is
// seen next time.
func (c *certificates) load(now stamp) error {
	pair, err := tls.LoadX509KeyPair(c.files.Certificate, c.files.Key)
	if err != nil {
		return fmt.Errorf("reading the TLS certificate: %w", err)
	}
	c.current.Store(&pair)
	c.loaded = now
	return nil
}

// follow keeps the certificate fresh until ctx ends. It alone touches the
// plain fields after loadCertificates.
func (c *certificates) follow(ctx context.Context) {
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.refresh(ctx)
		}
	}
}

// refresh reads changed files. A pair that cannot be used leaves the old one in
// place; it is tried again each time, because the other half may still be on its
// way, but complained about once.
func (c *certificates) refresh(ctx context.Context) {
	now, err := c.stamp()
	if err == nil && now == c.loaded {
		return
	}
	if err == nil {
		err = c.load(now)
	}
	switch {
	case err == nil:
		c.complaint = ""
		c.logger.InfoContext(ctx, "the TLS certificate was read again",
			slog.Time("expires", c.current.Load().Leaf.NotAfter))
	case err.Error() != c.complaint:
		c.complaint = err.Error()
		c.logger.ErrorContext(ctx, "the new TLS certificate cannot be used; the old one stays", slog.Any("error", err))
	}
}
