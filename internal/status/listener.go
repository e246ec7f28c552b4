package status

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/signet-id/signet/internal/fault"
)

// The reasons why a listener has left.
const (
	leftGone    = "gone"
	leftSlow    = "slow"
	leftStopped = "stopped"
)

// limits are how many may listen.
type limits struct{ perAddress, all int }

// Wire carries frames to one listener.
type Wire interface {
	// Send returns when the frame is on its way, or with an error within seconds:
	// os.ErrDeadlineExceeded when the listener does not read.
	Send(frame []byte) error
	Close() error
}

// Listener is a place in the stream. Serve or Detach it, or Leave.
type Listener struct {
	hub   *Hub
	from  netip.Addr // as it is counted
	hello []byte
	at    *message // the last one it has heard
	wire  Wire     // once detached
	once  sync.Once
}

// Join gives whoever asks from an address a place in the stream, after the
// message whose id is lastEventID if that can be continued. It fails with
// fault.TooMany or fault.Unavailable when enough listen.
func (h *Hub) Join(ctx context.Context, from netip.Addr, lastEventID string) (*Listener, error) {
	l := &Listener{hub: h, from: counted(from)}
	if err := h.admit(l); err != nil {
		return nil, err
	}
	if err := h.greet(ctx, l, lastEventID); err != nil {
		l.leave(leftGone)
		return nil, err
	}
	return l, nil
}

// counted is what counts as one address: a home or a machine has a whole /64 of
// IPv6 (RFC 6177 §2).
func counted(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.Addr()
	}
	return a
}

func (h *Hub) admit(l *Listener) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.over:
		return unavailable(Beat, "the server is stopping")
	case h.listeners >= h.limits.all:
		return unavailable(Beat, "as many listen as this server admits")
	case h.addresses[l.from] >= h.limits.perAddress:
		f := fault.New(fault.TooMany, "as many listen from this address as this server admits")
		f.RetryAfter = Beat
		return f
	}
	if h.listeners == 0 {
		h.quiet = time.Now()
		h.rouse() // from now on there is a beat
	}
	h.listeners++
	h.addresses[l.from]++
	h.count.Listeners(h.listeners)
	return nil
}

func unavailable(after time.Duration, why string) error {
	f := fault.New(fault.Unavailable, "%s; try again in a moment", why)
	f.RetryAfter = after
	return f
}

// leave gives the place up, once.
func (l *Listener) leave(reason string) {
	l.once.Do(func() {
		h := l.hub
		h.mu.Lock()
		defer h.mu.Unlock()
		h.listeners--
		if h.addresses[l.from]--; h.addresses[l.from] <= 0 {
			delete(h.addresses, l.from)
		}
		delete(h.detached, l)
		h.count.Listeners(h.listeners)
		h.count.Left(reason)
		l.at, l.hello = nil, nil
	})
}

// Leave gives the place up without having listened.
func (l *Listener) Leave() { l.leave(leftGone) }

// Serve sends hello and every message until the wire breaks, the listener falls
// too far behind, ctx ends or the stream is over. It closes the wire.
func (l *Listener) Serve(ctx context.Context, wire Wire) { l.serve(ctx.Done(), wire) }

// Detach serves the listener from a goroutine of its own, which the Hub ends.
func (l *Listener) Detach(wire Wire) {
	h := l.hub
	l.wire = wire
	h.mu.Lock()
	over := h.over
	if !over {
		h.detached[l] = struct{}{}
		h.leaving.Add(1)
	}
	h.mu.Unlock()
	if over {
		l.leave(leftStopped)
		_ = wire.Close() // nobody has heard anything yet
		return
	}
	go func() {
		defer h.leaving.Done()
		l.serve(nil, wire)
	}()
}

func (l *Listener) serve(done <-chan struct{}, wire Wire) {
	defer func() { _ = wire.Close() }() // whatever it says, nobody listens
	if err := wire.Send(l.hello); err != nil {
		l.leave(reasonOf(err))
		return
	}
	l.hello = nil
	for {
		if !l.wait(done) {
			l.leave(leftGone)
			return
		}
		next := l.at.next
		if next.frame == nil {
			l.leave(leftStopped)
			return
		}
		if l.hub.newest.Load()-next.number > lag {
			l.leave(leftSlow)
			return
		}
		if err := wire.Send(next.frame); err != nil {
			l.leave(reasonOf(err))
			return
		}
		l.at = next
	}
}

// wait returns when there is another message, or false when done closes. Most
// have no done, and wait for one thing: thousands wake up cheaply that way.
func (l *Listener) wait(done <-chan struct{}) bool {
	if done == nil {
		<-l.at.ready
		return true
	}
	select {
	case <-l.at.ready:
		return true
	case <-done:
		return false
	}
}

func reasonOf(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return leftSlow
	}
	return leftGone
}
