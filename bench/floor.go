package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	hashing "github.com/signet-id/signet/internal/authn/password"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
	"github.com/signet-id/signet/keys"
)

// work is what an answer costs anybody, however little else they do.
type work struct {
	Signs  []keys.Algorithm
	Checks []keys.Algorithm
	Writes []int // the sizes of the records in its one Commit; none: no Commit
	Hashes bool  // a password
}

// play is an answer that was recorded from the issuer, with its work. The floor
// writes the same bytes, headers included.
type play struct {
	Status int
	Header http.Header
	Body   []byte
	work
}

// stage is the floor: it decides nothing, it only pays what each answer costs.
type stage struct {
	plays   atomic.Pointer[map[string]play] // by method and path
	signers map[keys.Algorithm]*signer
	hasher  *hashing.Hasher
	store   *boltstore.Store
	next    atomic.Uint64
}

func serveFloor(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet(roleFloor, flag.ContinueOnError)
	dir := flags.String("dir", "", "the folder of the store")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s := &stage{signers: map[keys.Algorithm]*signer{}}
	for _, algorithm := range []keys.Algorithm{keys.ES256, keys.EdDSA, keys.RS256} {
		if s.signers[algorithm], err = newSigner(algorithm); err != nil {
			return err
		}
	}
	if s.hasher, err = hashing.New(hashing.Options{}); err != nil {
		return err
	}
	if s.store, err = boltstore.Open(filepath.Join(*dir, "floor.db"), boltstore.Options{}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.store.Close()) }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	e := echo.New()
	e.Any("/*", s.answer)
	server := &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	control := &subject{counts: ofBolt(s.store), play: func(p map[string]play) { s.plays.Store(&p) }}
	err = control.obey(os.Stdin, os.Stdout, listener.Addr().String())
	err = errors.Join(err, server.Close())
	if failed := <-served; !errors.Is(failed, http.ErrServerClosed) {
		err = errors.Join(err, failed)
	}
	return err
}

func (s *stage) answer(c echo.Context) error {
	r := c.Request()
	if r.ContentLength != 0 {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
	}
	plays := s.plays.Load()
	if plays == nil {
		return echo.ErrServiceUnavailable
	}
	p, ok := (*plays)[r.Method+" "+r.URL.Path]
	if !ok {
		return echo.ErrNotFound
	}
	if err := s.pay(r.Context(), p.work); err != nil {
		return err
	}
	header := c.Response().Header()
	for name, values := range p.Header {
		header[name] = values
	}
	c.Response().WriteHeader(p.Status)
	_, err := c.Response().Write(p.Body)
	return err
}

func (s *stage) pay(ctx context.Context, w work) error {
	for _, algorithm := range w.Checks {
		if err := s.signers[algorithm].verify(); err != nil {
			return err
		}
	}
	for _, algorithm := range w.Signs {
		if _, err := s.signers[algorithm].sign(); err != nil {
			return fmt.Errorf("signing: %w", err)
		}
	}
	if w.Hashes {
		if _, err := s.hasher.Hash(ctx, password); err != nil {
			return fmt.Errorf("hashing: %w", err)
		}
	}
	if len(w.Writes) == 0 {
		return nil
	}
	ops := make([]store.Op, len(w.Writes))
	for i, size := range w.Writes {
		ops[i] = store.Put("floor/"+strconv.Itoa(i)+"/"+strconv.FormatUint(s.next.Add(1), 36), make([]byte, size)).IfAbsent()
	}
	_, err := s.store.Commit(ctx, ops...)
	return err
}
