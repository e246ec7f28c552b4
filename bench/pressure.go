package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/signet-id/signet/keys"
)

// What must hold when there is much to do.
const (
	aimTogether = 6.0  // commits of many writers, to those of one
	aimTail     = 5.0  // p99 to p50
	aimKept     = 70.0 // percent of the throughput beside a storm
	paceShare   = 0.7  // of what the server can do
	stormers    = 32   // people who sign in at once
)

// underPressure measures what does not show while every connection is served as
// fast as can be: writers who share commits, the tail below full load, and token
// requests beside people who sign in.
func (b *bench) underPressure(ctx context.Context) (err error) {
	parts := map[string]func(context.Context, *contender) error{
		"sustained writes": b.sustained, "latency below full load": b.paced, "a storm of sign-ins": b.storm,
	}
	wanted := []string{}
	for _, name := range []string{"sustained writes", "latency below full load", "a storm of sign-ins"} {
		if b.only.MatchString(name) {
			wanted = append(wanted, name)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	c, err := b.contend(ctx, nameSignet, roleIssuer, "pressure", "-algorithm", string(keys.ES256), "-quiet=true")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	for _, name := range wanted {
		if err := c.reconnect(ctx); err != nil {
			return err
		}
		if err := parts[name](ctx, c); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// more opens connections beside those that the contender has; close ends them.
func (b *bench) more(ctx context.Context, c *contender, n int) (_ []*visitor, closing func(), err error) {
	all, err := visit(ctx, c.child.address, n, b.estate)
	closing = func() {
		for _, v := range all {
			if v != nil {
				_ = v.connection.Close() // nothing is under way
			}
		}
	}
	for i, v := range all {
		if v != nil {
			v.login = loginOf(users - 1 - i%signingIn)
		}
	}
	return all, closing, err
}

// sustained lets many redeem codes that they have, at once: how many commits one
// transaction carries. Beside it the store alone, with as many writers and with
// one, who pays for each of his commits.
func (b *bench) sustained(ctx context.Context, c *contender) error {
	visitors, closing, err := b.more(ctx, c, manyWriters)
	defer closing()
	if err != nil {
		return err
	}
	redeeming := scenario{name: "sustained writes", step: func(v *visitor) error {
		if len(v.codes) == 0 {
			return errSpent
		}
		return v.redeemKept()
	}}
	crowd := &contender{name: c.name, child: c.child, visitors: visitors}
	turn := time.Duration(b.seconds * float64(time.Second) / rounds)
	var f figures
	for range rounds {
		if err := kept(ctx, visitors, turn); err != nil {
			return err
		}
		if err := crowd.slice(ctx, redeeming, turn, &f); err != nil {
			return err
		}
	}
	bolt, err := openBolt(ctx)
	if err != nil {
		return err
	}
	alone, err := b.ceiling(ctx, bolt, 1, 1)
	if err != nil {
		return err
	}
	many, err := b.ceiling(ctx, bolt, 1, manyWriters)
	if err != nil {
		return err
	}
	t := &table{title: fmt.Sprintf("sustained writes (%d concurrent redemptions of codes)", manyWriters), head: []string{"what", "figure"}}
	t.row("redemptions per second", number(f.rate()))
	t.row("commits per fsync of the pages (one transaction)", number(float64(f.used.Commits)/max(1, float64(f.used.Transactions))))
	t.row("p99 ms", number(millis(f.percentile(0.99))))
	t.row("the store alone, one writer: commits per second, each with its own fsync", number(alone.rate()))
	t.row(fmt.Sprintf("the store alone, %d writers: commits per second", manyWriters), number(many.rate()))
	t.row("× one commit per fsync", number(many.rate()/alone.rate()))
	b.aimLeast(fmt.Sprintf("sustained writes, %d writers, × one commit per fsync", manyWriters), aimTogether, many.rate()/alone.rate())
	return t.print(b.out)
}

// paced measures latency at a part of what the server can do: where a queue is
// the server's doing and not the load's. What the floor's latency is at the same
// part of its own capacity is the machine's.
func (b *bench) paced(ctx context.Context, c *contender) (err error) {
	t := &table{title: fmt.Sprintf("latency below full load (%.0f%% of capacity)", 100*paceShare), head: []string{
		"what", "server", "capacity per second", "asked for", "p50 ms", "p99 ms", "p99 ÷ p50",
	}}
	floor, err := b.contend(ctx, nameFloor, roleFloor, "floor-paced")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, floor.stop()) }()
	for _, s := range []scenario{credentials(keys.ES256, 0), codeFlow(clientShop, keys.ES256, 0, 0)} {
		plays, err := s.plays(ctx, b, c)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if _, err := floor.child.ask(command{Do: doPlay, Plays: plays}); err != nil {
			return err
		}
		ratio, err := b.pace(ctx, t, s, c)
		if err != nil {
			return err
		}
		if _, err := b.pace(ctx, t, s, floor); err != nil {
			return err
		}
		b.aim(s.name+" at 70% of capacity, p99 ÷ p50", aimTail, ratio)
	}
	return t.print(b.out)
}

// pace finds out what the contender can do, asks for a part of it, and adds a row.
func (b *bench) pace(ctx context.Context, t *table, s scenario, c *contender) (ratio float64, err error) {
	line := time.Duration(b.seconds * float64(time.Second))
	var full figures
	if err := c.slice(ctx, s, line, &full); err != nil {
		return 0, err
	}
	for _, v := range c.visitors {
		if err := v.bound(line); err != nil {
			return 0, fmt.Errorf("setting a deadline: %w", err)
		}
	}
	rate := full.rate() * paceShare
	took, err := atPace(ctx, len(c.visitors), line, rate, func(i int) error { return s.step(c.visitors[i]) })
	if err != nil {
		return 0, err
	}
	f := figures{steps: len(took), took: took}
	half, most := millis(f.percentile(0.5)), millis(f.percentile(0.99))
	t.row(s.name, c.name, number(full.rate()), number(rate), number(half), number(most), number(most/half))
	return most / half, nil
}

// atPace takes steps at a rate, spread evenly over n goroutines. A step that
// could not begin in time, since the one before it was under way, has waited
// since it was due; one that this machine's timer woke late has not.
func atPace(ctx context.Context, n int, d time.Duration, rate float64, step func(int) error) ([]time.Duration, error) {
	interval := time.Duration(float64(n) / rate * float64(time.Second))
	began := time.Now()
	due := make([]time.Time, n)
	for i := range due {
		due[i] = began.Add(interval * time.Duration(i) / time.Duration(n))
	}
	took := make([][]time.Duration, n)
	_, err := together(ctx, n, d, func(i int) error {
		since := due[i]
		if wait := time.Until(since); wait > 0 {
			if err := pause(ctx, wait); err != nil {
				return errSpent
			}
			since = time.Now()
		}
		due[i] = due[i].Add(interval)
		err := step(i)
		took[i] = append(took[i], time.Since(since))
		return err
	})
	all := []time.Duration{}
	for _, mine := range took {
		all = append(all, mine...)
	}
	return all, err
}

// storm compares token requests by themselves with those beside many people who
// sign in at once.
func (b *bench) storm(ctx context.Context, c *contender) error {
	people, closing, err := b.more(ctx, c, stormers)
	defer closing()
	if err != nil {
		return err
	}
	if err := each(people, (*visitor).page); err != nil {
		return err
	}
	s := credentials(keys.ES256, 0)
	turn := time.Duration(b.seconds * float64(time.Second) / rounds)
	var alone, beside, signIns figures
	for range rounds {
		if err := c.slice(ctx, s, turn, &alone); err != nil {
			return err
		}
		if err := b.stormTurn(ctx, c, s, people, turn, &beside, &signIns); err != nil {
			return err
		}
	}
	share := 100 * beside.rate() / alone.rate()
	t := &table{title: fmt.Sprintf("a storm of sign-ins (%d people at once, beside token requests)", stormers), head: []string{
		"what", "tokens per second", "p50 ms", "p99 ms", "sign-ins per second",
	}}
	t.row("client credentials alone", number(alone.rate()), number(millis(alone.percentile(0.5))), number(millis(alone.percentile(0.99))), "–")
	t.row("beside the storm", number(beside.rate()), number(millis(beside.percentile(0.5))), number(millis(beside.percentile(0.99))),
		number(signIns.rate()))
	t.row("kept", number(share)+"%", "", "", "")
	b.aimLeast("a storm of sign-ins, % of the token requests kept", aimKept, share)
	return t.print(b.out)
}

// stormTurn lets the contender answer s while people sign in. Those of them who wait
// for their turn at the end are let finish, and count.
func (b *bench) stormTurn(ctx context.Context, c *contender, s scenario, people []*visitor, turn time.Duration, beside, signIns *figures) error {
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() {
		began := time.Now()
		var took []time.Duration
		took, failed = load(ctx, people, turn, (*visitor).password)
		signIns.steps, signIns.elapsed = signIns.steps+len(took), signIns.elapsed+time.Since(began)
	})
	err := c.slice(ctx, s, turn, beside)
	wg.Wait()
	return errors.Join(err, failed)
}
