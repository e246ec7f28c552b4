package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/keys"
	"github.com/signet-id/signet/pkg/verify"
)

// inProcess measures what needs no process of its own: rows, lists, and what a
// verification costs more.
func (b *endingBench) inProcess(ctx context.Context) (err error) {
	a, _, err := b.openEnding(ctx, "in process")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	address, stop, err := serve(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := b.rows(ctx, a, address); err != nil {
		return fmt.Errorf("counting rows: %w", err)
	}
	if err := b.lists(ctx, a, address); err != nil {
		return fmt.Errorf("measuring lists: %w", err)
	}
	return b.added(ctx, a, address)
}

// rows counts what the store keeps before and after many tokens were issued.
func (b *endingBench) rows(ctx context.Context, a *app.App, address string) error {
	before, err := countRows(ctx, a.Store())
	if err != nil {
		return err
	}
	if _, err := b.issue(ctx, address, b.plan.tokens); err != nil {
		return err
	}
	after, err := countRows(ctx, a.Store())
	if err != nil {
		return err
	}
	t := &table{title: fmt.Sprintf("Rows, before and after %d access tokens", b.plan.tokens), head: []string{"what", "before", "after", "per token"}}
	all := 0
	for _, kind := range slices.Sorted(maps.Keys(after)) {
		grown := after[kind] - before[kind]
		all += grown
		if grown != 0 {
			t.row(kind+"…", fmt.Sprint(before[kind]), fmt.Sprint(after[kind]), fmt.Sprintf("%.5f", float64(grown)/float64(b.plan.tokens)))
		}
	}
	perToken := float64(all) / float64(b.plan.tokens)
	t.row("all (blocks of slots, each twice as large as the one before)", "", "", fmt.Sprintf("%.5f", perToken))
	if b.plan.tokens >= 10_000 {
		b.aims.row("rows per access token", "≤ "+fmt.Sprint(aimRows), fmt.Sprintf("%.5f", perToken), verdict(aimRows, perToken))
	}
	return t.print(b.out)
}

// countRows counts the records of each kind, which is the first word of a key.
func countRows(ctx context.Context, s store.Store) (map[string]int, error) {
	kinds := map[string]int{}
	for after := ""; ; {
		recs, err := s.List(ctx, "", after, store.MaxList)
		if err != nil {
			return nil, fmt.Errorf("listing everything: %w", err)
		}
		for _, r := range recs {
			kind, _, _ := strings.Cut(r.Key, "/")
			kinds[kind+"/"]++
			after = r.Key
		}
		if len(recs) < store.MaxList {
			return kinds, nil
		}
	}
}

// lists asks for a list of a million slots, with ever more bits set.
func (b *endingBench) lists(ctx context.Context, a *app.App, address string) error {
	at, _, err := a.Status().Slots.Take(ctx, clientRobot)
	if err != nil {
		return err
	}
	t := &table{
		title: fmt.Sprintf("A list of %d slots on the wire, ended at random (body and head of the answer)", slot.Size),
		head:  []string{"ended", "gzip, KiB", "identity, KiB", "ms to make it"},
	}
	order := rand.New(rand.NewPCG(1, 2)).Perm(slot.Size) //nolint:gosec // the same list each time
	done := 0
	for _, part := range []int{0, 1, 10} { // per mille
		for ; done < slot.Size*part/1000; done++ {
			if err := a.Operator.Ended.Token(ctx, clientRobot, slot.At(at.List(), uint32(order[done])), ended.ByRevocation); err != nil {
				return err
			}
		}
		packed, took, err := fetch(ctx, address, at.List(), "gzip")
		if err != nil {
			return err
		}
		plain, _, err := fetch(ctx, address, at.List(), "identity")
		if err != nil {
			return err
		}
		kib := float64(packed) / 1024
		t.row(fmt.Sprintf("%.1f%%", float64(part)/10), number(kib), number(float64(plain)/1024), number(millis(took)))
		if part == 10 {
			b.aim("a list with 1% ended, KiB on the wire", aimListSize, kib)
		}
	}
	return t.print(b.out)
}

// fetch asks for a list over a connection of its own, and counts what came.
func fetch(ctx context.Context, address string, list uint64, encoding string) (int64, time.Duration, error) {
	f := &fleet{}
	s, err := f.recruit(address) // for its transport
	if err != nil {
		return 0, 0, err
	}
	f.services = append(f.services, s)
	defer f.dismiss()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, slot.ListURI(endingIssuer, list), nil)
	if err != nil {
		return 0, 0, fmt.Errorf("making the request: %w", err)
	}
	r.Header.Set("Accept-Encoding", encoding)
	began := time.Now()
	res, err := s.transport.RoundTrip(r)
	if err != nil {
		return 0, 0, fmt.Errorf("asking for a list: %w", err)
	}
	_, err = io.Copy(io.Discard, res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return 0, 0, fmt.Errorf("reading a list: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("a list: %s", res.Status)
	}
	return f.traffic.in.Load(), time.Since(began), nil
}

// added measures the same token with a status claim and without one.
func (b *endingBench) added(ctx context.Context, a *app.App, address string) error {
	raw, err := b.issue(ctx, address, 1)
	if err != nil {
		return err
	}
	bare, err := withoutStatus(ctx, a.Keys(), raw[0])
	if err != nil {
		return err
	}
	f, err := muster(ctx, address, 1)
	if err != nil {
		return err
	}
	defer f.dismiss()
	v := f.services[0].verifier
	for _, one := range []string{raw[0], bare} {
		tok, err := v.Verify(ctx, one)
		if err != nil {
			return err
		}
		if tok.Stale() || tok.Staleness() > time.Minute {
			return fmt.Errorf("the verifier does not know whether it ended: %v", tok.Staleness())
		}
	}
	with, without, err := compare(ctx, v, raw[0], bare, b.plan.passes)
	if err != nil {
		return err
	}
	t := &table{title: "A remembered token, verified", head: []string{"token", "ns", "allocs"}}
	t.row("without a status claim", number(without.best), number(without.allocations))
	t.row("with one", number(with.best), number(with.allocations))
	t.row("the difference", number(with.best-without.best), number(with.allocations-without.allocations))
	b.aim("ns added per verification", aimAdded, with.best-without.best)
	return t.print(b.out)
}

// withoutStatus is raw as the issuer would sign it if it had no slots.
func withoutStatus(ctx context.Context, ring *keys.Ring, raw string) (string, error) {
	_, rest, _ := strings.Cut(raw, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return "", fmt.Errorf("reading a token: %w", err)
	}
	var claims map[string]json.RawMessage
	if err := json.Unmarshal(text, &claims); err != nil {
		return "", fmt.Errorf("reading a token: %w", err)
	}
	delete(claims, "status")
	if text, err = json.Marshal(claims); err != nil {
		return "", fmt.Errorf("writing a token: %w", err)
	}
	return ring.Sign(ctx, keys.ES256, "at+jwt", text)
}

// pace is how fast one kind of token is verified: the best of some passes, since
// whatever else the machine does only makes it slower.
type pace struct{ best, allocations float64 }

// compare verifies both tokens in turns, so that a neighbour on the machine
// disturbs both.
func compare(ctx context.Context, v *verify.Verifier, with, without string, passes int) (w, wo pace, err error) {
	const times = 5_000 // short, so that some passes have the processor to themselves
	for range passes {
		for raw, p := range map[string]*pace{with: &w, without: &wo} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			for range times {
				if _, err := v.Verify(ctx, raw); err != nil {
					return w, wo, err
				}
			}
			ns := float64(time.Since(began)) / times
			runtime.ReadMemStats(&after)
			if p.best == 0 || ns < p.best {
				p.best, p.allocations = ns, float64((after.Mallocs-before.Mallocs)/times)
			}
		}
	}
	return w, wo, nil
}
