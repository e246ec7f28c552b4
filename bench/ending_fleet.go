package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

// traffic is what went over the connections of one fleet, without the headers of
// TCP and IP.
type traffic struct{ in, out atomic.Int64 }

func (t *traffic) sum() int64 { return t.in.Load() + t.out.Load() }

// metered is a connection that is counted.
type metered struct {
	net.Conn
	to *traffic
}

func (m metered) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.to.in.Add(int64(n))
	return n, err
}

func (m metered) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	m.to.out.Add(int64(n))
	return n, err
}

// service is a verifier as a service has one: with its own connections, over
// which it follows the stream.
type service struct {
	verifier  *verify.Verifier
	transport *http.Transport
	heard     []advance
}

// advance says when a verifier knew everything up to a position.
type advance struct {
	position uint64
	at       int64
}

// fleet is some services on one issuer.
type fleet struct {
	services []*service
	traffic  traffic
}

// muster starts n services and waits until each hears the stream and holds the
// lists.
func muster(ctx context.Context, address string, n int) (_ *fleet, err error) {
	f := &fleet{}
	defer func() {
		if err != nil {
			f.dismiss()
		}
	}()
	for range n {
		s, err := f.recruit(address)
		if err != nil {
			return nil, err
		}
		f.services = append(f.services, s)
	}
	return f, f.each(func(s *service) error { return s.settle(ctx) })
}

func (f *fleet) recruit(address string) (*service, error) {
	s := &service{}
	s.transport = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return metered{c, &f.traffic}, err
	}}
	var err error
	s.verifier, err = verify.New(endingIssuer, audience,
		verify.WithHTTPClient(&http.Client{Transport: s.transport}), verify.WithMemory(4000),
		verify.WithLogger(slog.New(slog.DiscardHandler)))
	return s, err
}

// settle waits until the service is as ready as it will be.
func (s *service) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		got := s.verifier.Stats()
		if s.verifier.Ready() && got.Streaming && got.ListsHeld > 0 {
			return nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for a verifier to hear the stream (%+v): %w", got, err)
		}
	}
}

// each lets some services at a time do something.
func (f *fleet) each(do func(*service) error) error {
	room := make(chan struct{}, 32)
	failed := make([]error, len(f.services))
	var all sync.WaitGroup
	for i, s := range f.services {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			failed[i] = do(s)
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// listen lets every service note when it knows how much, until the returned
// function is called.
func (f *fleet) listen(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for _, s := range f.services {
		s.heard = make([]advance, 0, 4096)
		all.Go(func() {
			for last := s.verifier.Position(); s.verifier.Await(ctx, last+1) == nil; {
				at := time.Now().UnixNano()
				last = s.verifier.Position()
				s.heard = append(s.heard, advance{last, at})
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// knew is when s knew everything up to position, 0 if it never did.
func (s *service) knew(position uint64) int64 {
	low, high := 0, len(s.heard)
	for low < high {
		if middle := (low + high) / 2; s.heard[middle].position < position {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == len(s.heard) {
		return 0
	}
	return s.heard[low].at
}

// reconnected is how often the streams of the fleet broke.
func (f *fleet) reconnected() (n uint64) {
	for _, s := range f.services {
		n += s.verifier.Stats().Connected - 1
	}
	return n
}

func (f *fleet) dismiss() {
	for _, s := range f.services {
		s.verifier.Close()
		s.transport.CloseIdleConnections()
	}
}
