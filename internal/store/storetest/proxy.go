package storetest

import (
	"context"
	"net"
	"sync"
	"testing"
)

// Proxy stands between a store and its engine and has a network's troubles. All
// of its connections suffer alike:
//
//	Fair     what is sent arrives
//	Stall    what is sent is held until the weather is fair again, and arrives then
//	Deafen   requests arrive and answers are lost: who asked never hears what became of it
//	Cut      connections break, and new ones break at once
type Proxy struct {
	target   string
	listener net.Listener
	dialer   net.Dialer
	running  sync.WaitGroup

	mu      sync.Mutex
	weather weather
	changed chan struct{} // closed when the weather changes
	links   map[*link]struct{}
}

type weather int

const (
	fair weather = iota
	stalled
	deaf
	broken
	over // the test has ended
)

// link is one connection and its continuation to the engine.
type link struct {
	client, engine *net.TCPConn
	holed          bool // an answer is missing from it: it may not go on
}

// NewProxy listens on a port of its own and passes on to target until the test
// ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	p := &Proxy{target: target, listener: listener, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.running.Go(p.accept) // until the listener is closed
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Errorf("closing the proxy: %v", err)
		}
		p.become(over)
		p.running.Wait()
	})
	return p
}

// Address is where the proxy listens.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Fair ends the troubles. A connection of which an answer was lost breaks.
func (p *Proxy) Fair() { p.become(fair) }

// Stall holds what is sent, in both directions.
func (p *Proxy) Stall() { p.become(stalled) }

// Deafen loses every answer and passes on every request.
func (p *Proxy) Deafen() { p.become(deaf) }

// Cut breaks all connections, and each that is tried.
func (p *Proxy) Cut() { p.become(broken) }

func (p *Proxy) become(w weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
	close(p.changed)
	p.changed = make(chan struct{})
	for l := range p.links {
		if w >= broken || w == fair && l.holed {
			l.close()
		}
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // the test has ended
		}
		p.running.Go(func() { p.join(client.(*net.TCPConn)) }) // until either side ends or the weather breaks it
	}
}

// join connects client with the engine and pumps until both directions ended.
func (p *Proxy) join(client *net.TCPConn) {
	engine, err := p.dialer.DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{client: client, engine: engine.(*net.TCPConn)}
	p.mu.Lock()
	p.links[l] = struct{}{}
	if p.weather >= broken {
		l.close()
	}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pump(l, l.client, l.engine, false) })
	both.Go(func() { p.pump(l, l.engine, l.client, true) })
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
	l.close()
}

// pump passes on what from sends. Its end closes only its own direction: what a
// client sent before it left still arrives.
func (p *Proxy) pump(l *link, from, to *net.TCPConn, answers bool) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && p.passes(l, answers) {
			if _, err := to.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	p.passes(l, answers) // an end is held up like everything else
	_ = to.CloseWrite()
}

// passes waits while the weather is stalled, and reports whether what was sent
// arrives.
func (p *Proxy) passes(l *link, answer bool) bool {
	for {
		p.mu.Lock()
		now, changed := p.weather, p.changed
		if now == deaf && answer {
			l.holed = true
		}
		holed := l.holed
		p.mu.Unlock()
		if now != stalled {
			return now != deaf && !holed || !answer
		}
		<-changed
	}
}

// close may find a side closed already: there is nobody to tell.
func (l *link) close() {
	_ = l.client.Close()
	_ = l.engine.Close()
}
