package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/fault"
)

// patience is longer than anything an operator asks for: an RSA key at most.
const patience = time.Minute

// operator speaks to the admin API, wherever that is.
type operator struct {
	http  http.Client
	close func() error
}

// withOperator calls work with the API of the server that runs, or of one that
// is composed for this moment, and then lets go of it.
func (p *program) withOperator(ctx context.Context, work func(*operator) error) (err error) {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	o, err := p.connect(ctx, cfg)
	if o == nil && err == nil {
		o, err = p.openStore(ctx, cfg)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	return work(o)
}

// withServer is withOperator for what is in no store: it needs the server that
// runs.
func (p *program) withServer(ctx context.Context, why string, work func(*operator) error) (err error) {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	o, err := p.connect(ctx, cfg)
	if err != nil {
		return err
	}
	if o == nil {
		return withHint(fault.New(fault.Unavailable, "no server answers at %s, and %s", cfg.SocketPath(), why),
			"run this command on the server's machine, as the user that it runs as, with its --config")
	}
	defer func() { err = errors.Join(err, o.close()) }()
	return work(o)
}

// connect reaches the server that runs; there is no operator when none does.
func (p *program) connect(ctx context.Context, cfg config.Config) (*operator, error) {
	socket := cfg.SocketPath()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	conn, err := dial(ctx, "", "")
	switch {
	case err == nil:
		_ = conn.Close() // nothing was written
		over := &http.Transport{DialContext: dial}
		return &operator{
			http:  http.Client{Transport: over, Timeout: patience},
			close: func() error { over.CloseIdleConnections(); return nil },
		}, nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return nil, nil // no server, or the socket of one that was killed
	case errors.Is(err, fs.ErrPermission):
		return nil, withHint(fault.Wrap(fault.Denied, err, "the server's socket %s may not be opened by this user", socket),
			"run this command as the user that the server runs as")
	}
	return nil, fault.Wrap(fault.Unavailable, err, "the server's socket %s does not answer", socket)
}

// openStore composes an issuer that never listens, for the admin handler.
func (p *program) openStore(ctx context.Context, cfg config.Config) (*operator, error) {
	cfg.HTTP.TLS = config.TLS{} // nothing is served, so the certificate may be absent
	cfg.Log.Level, cfg.Log.Format = slog.LevelWarn, "text"
	absent := false
	if !cfg.Engine().Shared() {
		_, err := os.Stat(cfg.StorePath())
		absent = errors.Is(err, fs.ErrNotExist)
	}
	issuer, err := app.New(ctx, cfg, app.Options{Version: p.Version, Log: p.Stderr})
	if fault.KindOf(err) == fault.Unavailable {
		return nil, withHint(err, "no server answers at %s, so the store itself was opened; if a server uses it, name that server's configuration with --config", cfg.SocketPath())
	}
	if err != nil {
		return nil, err
	}
	if absent {
		p.note("made a new store: %s", cfg.StorePath())
	}
	return &operator{http: http.Client{Transport: inProcess{issuer.AdminHandler()}}, close: issuer.Close}, nil
}

func (p *program) note(format string, args ...any) {
	_, _ = fmt.Fprintf(p.Stderr, "note: "+format+"\n", args...) // when this fails there is nobody to tell
}

// do sends in, if any, and reads the answer into out, if any.
func (o *operator) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader = http.NoBody
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://signet"+path, body)
	if err != nil {
		return fmt.Errorf("writing the request: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := o.http.Do(r)
	if err != nil {
		return fmt.Errorf("asking the server: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read to its end, or is of no use
	if answer.StatusCode >= http.StatusBadRequest {
		return refused(answer)
	}
	if out == nil || answer.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(answer.Body).Decode(out); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	return nil
}

// refused is the fault that the server answered with.
func refused(answer *http.Response) error {
	var f struct{ Kind, Field, Message string }
	if err := json.NewDecoder(answer.Body).Decode(&f); err != nil || f.Message == "" {
		return fmt.Errorf("the server answered %s; is it another release than this command?", answer.Status)
	}
	return fault.New(fault.ParseKind(f.Kind), "%s", f.Message).On(f.Field)
}

// inProcess is a transport that ends at a handler of this process.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(w, r)
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header, Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()),
	}, nil
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) { w.status = status }

func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }
