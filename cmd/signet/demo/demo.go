// Package demo is two services behind one issuer, orders and invoices: what
// `signet demo` shows, and what a service of one's own looks like.
//
//	browser ──/signin──▶ issuer ──/callback──▶ session here     (oauth2, go-oidc)
//	browser ──/──▶ page, its token verified here                (pkg/verify)
//	service ──/api/<name>, the person's token──▶ peer           (pkg/verify)
//	browser ──/signout──▶ session here gone ──▶ issuer ──▶ /
//	                      meanwhile: peer, the same token, until it is refused
//
// Both are this one implementation; only what they sell differs. It owns its
// listener, its sessions and its pages. It never sees a password, never asks
// the issuer whether a token is good, and uses of Signet what any service can:
// the public packages and the standards.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Service is one of the two services.
type Service struct {
	Name     string // orders or invoices; the API is /api/<Name> and needs <Name>:read
	Listener net.Listener
	// URL is where browsers find the service and, as the tokens' audience, its
	// name. It has no path: <URL>/callback and <URL>/ are what is registered.
	URL, ClientID, ClientSecret, Issuer, PeerName, PeerURL string

	// For the stopwatch, and nothing that a service needs: where it tells what it
	// has seen, and when the issuer ended a session. Either may be nil.
	Terminal io.Writer
	Ended    func(ctx context.Context, sid string) (time.Time, error)
}

const (
	patience = 10 * time.Second // for a request to be read, and for any other party to answer
	drain    = 3 * time.Second  // for requests under way when it stops
)

// Serve answers on s.Listener until ctx ends, then lets the requests under way
// finish. It closes the listener, whatever happens.
func Serve(ctx context.Context, s Service) error {
	d, err := newDesk(s)
	if err != nil {
		return errors.Join(err, s.Listener.Close())
	}
	defer d.close()
	// From here on it follows the issuer's keys and endings: so the first person
	// does not wait for them.
	d.verifier.Ready()
	server := &http.Server{Handler: d.routes(), ReadHeaderTimeout: patience, IdleTimeout: time.Minute}
	stopped := make(chan error, 1)
	abandon := context.AfterFunc(ctx, func() {
		d.end()
		stopped <- stop(context.WithoutCancel(ctx), server)
	})
	err = server.Serve(s.Listener)
	if abandon() {
		return fmt.Errorf("serving %s: %w", s.Name, err) // it failed by itself
	}
	return <-stopped
}

// stop ends the server. A browser keeps connections open that it never used;
// they are not worth waiting for, nor an error.
func stop(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, drain)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}
