package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/keys"
	"github.com/signet-id/signet/pkg/verify"
)

// fewest is how many verifications a line is made of at least.
const fewest = 2000

// verifying composes an issuer in this process, for its keys and lists.
func (b *bench) verifying(ctx context.Context, name string, do func(a *app.App, address string) error) (err error) {
	dir, err := b.folder(name)
	if err != nil {
		return err
	}
	if err := b.estate.copyTo(dir); err != nil {
		return err
	}
	a, err := app.New(ctx, settings(dir, string(keys.ES256), slog.LevelError), app.Options{NoSync: true, Log: io.Discard})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	address, stop, err := serve(ctx, a)
	if err != nil {
		return err
	}
	return errors.Join(do(a, address), stop())
}

// newVerifier remembers so many tokens. The issuer is https, with TLS left to a
// proxy that is not here.
func newVerifier(address string, memory int) (*verify.Verifier, error) {
	return verify.New(issuerURL, audience, verify.WithMemory(memory), verify.WithHTTPClient(&http.Client{
		Transport: &http.Transport{DialTLSContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		}},
	}))
}

// crowds shows a verifier one token, a thousand and very many, on one core and
// on two: neither may make a token dearer than the cache of the processor does.
func (b *bench) crowds(ctx context.Context) error {
	const name = "verify, many tokens and two cores"
	if !b.only.MatchString(name) {
		return nil
	}
	t := &table{title: name + " (ES256, CPU per token)", head: []string{
		"tokens, cores", "first sight µs", "× raw", "allocs", "remembered µs", "allocs", "remembered per second",
	}}
	err := b.verifying(ctx, "crowd", func(a *app.App, address string) error {
		raw, err := mintMany(ctx, a, keys.ES256, b.crowd)
		if err != nil {
			return err
		}
		for _, n := range []int{1, 1000, b.crowd} {
			for cores := 1; cores <= min(2, runtime.NumCPU()); cores++ {
				if err := b.crowdRow(ctx, address, raw[:n], cores, t); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.print(b.out)
}

// places is the memory in which n tokens drop none of one another: a token may
// take eight of them, and those of others seldom have all.
func places(n int) int { return 4*n + 1000 }

func (b *bench) crowdRow(ctx context.Context, address string, raw []string, cores int, t *table) error {
	memory := places(len(raw))
	first := len(raw)
	if first < fewest { // few tokens: nothing is remembered, and they are shown again
		first, memory = fewest, 0
	}
	v, err := newVerifier(address, memory)
	if err != nil {
		return err
	}
	defer func() { v.Close() }()
	show := func(i int) error { _, err := v.Verify(ctx, raw[i%len(raw)]); return err }
	if err := show(0); err != nil { // the keys are fetched, and the status list
		return err
	}
	bare, err := newSigner(keys.ES256)
	if err != nil {
		return err
	}
	floor, err := onCores(cores, fewest, func(int) error { return bare.verify() })
	if err != nil {
		return err
	}
	fresh, err := onCores(cores, first, show)
	if err != nil {
		return err
	}
	if memory == 0 {
		v.Close()
		if v, err = newVerifier(address, places(len(raw))); err != nil {
			return err
		}
		if _, err := onCores(1, len(raw), show); err != nil {
			return err
		}
	}
	known, err := onCores(cores, max(200_000, 2*len(raw)), show)
	if err != nil {
		return err
	}
	cost := fresh.cost() / floor.cost()
	t.row(fmt.Sprintf("%s, %d", thousands(len(raw)), cores), number(fresh.cost()), number(cost), number(fresh.per(float64(fresh.used.Mallocs))),
		number(known.cost()), number(known.per(float64(known.used.Mallocs))), number(known.rate()))
	return nil
}

// onCores does something n times on so many goroutines, each with its own part.
// What it cost is the process's CPU, collecting the garbage included.
func onCores(cores, n int, do func(int) error) (figures, error) {
	failed := make([]error, cores)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began, worked := time.Now(), processTime()
	var wg sync.WaitGroup
	for core := range cores {
		wg.Go(func() {
			for i := n * core / cores; i < n*(core+1)/cores; i++ {
				if failed[core] = do(i); failed[core] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	f := figures{steps: n, elapsed: time.Since(began)}
	f.used.CPU = processTime() - worked
	runtime.ReadMemStats(&after)
	f.used.Mallocs = after.Mallocs - before.Mallocs
	return f, errors.Join(failed...)
}

// mintMany makes n tokens of one sign-in, on all cores: they share a slot, as
// those of a grant do.
func mintMany(ctx context.Context, a *app.App, algorithm keys.Algorithm, n int) ([]string, error) {
	m, model, err := example(ctx, a, algorithm)
	if err != nil {
		return nil, err
	}
	raw := make([]string, n)
	_, err = onCores(runtime.NumCPU(), n, func(i int) error {
		one := model
		one.ID = "jti-" + strconv.Itoa(i)
		var err error
		raw[i], err = m.Access(ctx, one, time.Now())
		return err
	})
	return raw, err
}

// thousands writes 1000000 as 1,000,000.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
