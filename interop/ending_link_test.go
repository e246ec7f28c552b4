package interop

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// How a link is.
type condition int

const (
	whole  condition = iota
	broken           // connections break, and no new one can be made
	silent           // nothing arrives, and nobody is told
	lost             // the same, and the connections of before never carry anything again
)

var errBroken = errors.New("the link is broken")

// link is the way from one verifier to the issuer, in virtual time. What is under
// way when it falls silent arrives when it is whole again, as TCP has it.
type link struct {
	reach http.RoundTripper
	// admits, if not nil, says which requests get through at all.
	admits func(*http.Request) bool

	mu      sync.Mutex
	is      condition
	changed chan struct{} // closed with every change
	bodies  map[*severable]struct{}
}

func newLink(reach http.RoundTripper) *link {
	return &link{reach: reach, changed: make(chan struct{}), bodies: map[*severable]struct{}{}}
}

func (l *link) become(c condition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.is = c
	close(l.changed)
	l.changed = make(chan struct{})
	for b := range l.bodies {
		switch c {
		case broken:
			_ = b.ReadCloser.Close() // whoever reads is told by the error of that
		case lost:
			b.lost.Store(true)
		case whole, silent:
		}
	}
	if c == broken || c == lost {
		clear(l.bodies)
	}
}

// pass returns when something may go over the link, or with an error if it can't.
func (l *link) pass(ctx context.Context, closed <-chan struct{}) error {
	for {
		l.mu.Lock()
		is, changed := l.is, l.changed
		l.mu.Unlock()
		switch is {
		case whole:
			return nil
		case broken:
			return errBroken
		case silent, lost:
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-closed:
			return net.ErrClosed
		}
	}
}

func (l *link) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := l.pass(r.Context(), nil); err != nil {
		return nil, err
	}
	if l.admits != nil && !l.admits(r) {
		return nil, errBroken
	}
	resp, err := l.reach.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body := &severable{ReadCloser: resp.Body, link: l, ctx: r.Context(), closed: make(chan struct{})}
	l.mu.Lock()
	l.bodies[body] = struct{}{}
	l.mu.Unlock()
	resp.Body = body
	return resp, nil
}

// severable is a body that comes over a link.
type severable struct {
	io.ReadCloser
	link   *link
	ctx    context.Context //nolint:containedctx // of the request
	once   sync.Once
	closed chan struct{}
	lost   atomic.Bool
}

func (b *severable) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.lost.Load() {
		<-b.closed
		return 0, net.ErrClosed
	}
	if failed := b.link.pass(b.ctx, b.closed); failed != nil {
		return 0, failed
	}
	return n, err
}

func (b *severable) Close() error {
	b.once.Do(func() { close(b.closed) })
	b.link.mu.Lock()
	delete(b.link.bodies, b)
	b.link.mu.Unlock()
	return b.ReadCloser.Close()
}

// proxy passes TCP connections on to an issuer, and can be cut.
type proxy struct {
	address string
	to      string

	mu          sync.Mutex
	cut         bool
	connections map[net.Conn]struct{}
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: listener.Addr().String(), to: to, connections: map[net.Conn]struct{}{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return // it is closed
			}
			all.Go(func() { p.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.sever(true)
		all.Wait()
	})
	return p
}

// sever cuts everything off, or lets new connections through.
func (p *proxy) sever(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	for c := range p.connections {
		if cut {
			_ = c.Close()
		}
	}
}

// keep notes c, to be closed when the proxy is cut, unless it is.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.cut {
		p.connections[c] = struct{}{}
	}
	return !p.cut
}

func (p *proxy) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	if !p.keep(near) {
		return
	}
	far, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.to)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	if !p.keep(far) {
		return
	}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.connections, near)
		delete(p.connections, far)
	}()
	var both sync.WaitGroup
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_, _ = near.Close(), far.Close() // neither goes on alone
	}
	both.Go(func() { pass(far, near) })
	both.Go(func() { pass(near, far) })
	both.Wait()
}
