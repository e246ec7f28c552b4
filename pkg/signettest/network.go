package signettest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/signet-id/signet/internal/app"
)

// network is how the issuer is reached. Both kinds carry the same HTTP, spoken by
// net/http on either side.
type network interface {
	// listen returns a listener and the issuer's URL there.
	listen(ctx context.Context) (net.Listener, string, error)
	// transport reaches that listener and nothing else.
	transport(net.Listener) *http.Transport
}

// loopback is a free port of 127.0.0.1.
type loopback struct{}

func (loopback) listen(ctx context.Context) (net.Listener, string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	return l, "http://" + l.Addr().String(), nil
}

func (loopback) transport(net.Listener) *http.Transport { return &http.Transport{} }

// memory carries connections within the process. All that waits in it waits on
// channels, so virtual time passes. Its URL has a name that exists nowhere (RFC
// 6761 §6.2), another one for each issuer.
type memory struct{}

func (memory) listen(context.Context) (net.Listener, string, error) {
	l := &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}
	return l, "https://" + strings.ToLower(rand.Text()[:8]) + ".signet.test", nil
}

// transport speaks https without TLS, like the hop behind a proxy that
// terminates it: there is no wire here to protect.
func (memory) transport(l net.Listener) *http.Transport {
	return &http.Transport{DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return l.(*pipes).dial(ctx)
	}}
}

// pipes is a listener whose connections are net.Pipes.
type pipes struct {
	dialed chan net.Conn
	once   sync.Once
	closed chan struct{}
}

var errClosed = fmt.Errorf("signettest: the issuer has ended with its test: %w", net.ErrClosed)

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.dialed <- conn{far}:
		return near, nil
	case <-p.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Accept is of net.Listener, and so are Close and Addr.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialed:
		return c, nil
	case <-p.closed:
		return nil, errClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return here() }

// conn gives a pipe the address that a peer on this machine has: limits that
// count by address, and logs, expect one.
type conn struct{ net.Conn }

func (conn) RemoteAddr() net.Addr { return here() }

func here() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// only sends what is for the issuer to the issuer, the rest elsewhere.
type only struct {
	issuer string
	reach  http.RoundTripper
	others http.RoundTripper
}

func (o *only) RoundTrip(r *http.Request) (*http.Response, error) {
	if at := (&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host}); at.String() == o.issuer {
		return o.reach.RoundTrip(r)
	}
	return o.others.RoundTrip(r)
}

// patience is how long requests under way may take when the issuer stops. Their
// contexts have ended by then.
const patience = 250 * time.Millisecond

// serve answers on l and keeps the rings turning until stop is called, which
// returns when all goroutines that serve began have ended and the store is closed.
func serve(ctx context.Context, cancel context.CancelFunc, a *app.App, l net.Listener) (stop func() error) {
	server := &http.Server{
		Handler:           a.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	served, turned := make(chan error, 1), make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	go func() { turned <- a.RunRings(ctx) }()
	return func() error {
		cancel()
		drain, done := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer done()
		if server.Shutdown(drain) != nil {
			// A client of the test's own holds a connection open, which is no
			// failure of the test.
			_ = server.Close()
		}
		return errors.Join(
			except(http.ErrServerClosed, <-served),
			except(context.Canceled, <-turned),
			a.Close(),
		)
	}
}

func except(expected, err error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}
