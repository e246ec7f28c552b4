package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// errSpent ends a slice early: what the steps need was made beforehand, and is
// used up.
var errSpent = errors.New("nothing is left of what was made for the steps")

// contender is a server under load.
type contender struct {
	name     string
	child    *child   // one of ours, or
	process  *foreign // a peer
	visitors []*visitor
}

// usage is what the contender's process has used since it began.
func (c *contender) usage() (report, error) {
	if c.process != nil {
		return report{CPU: c.process.worked()}, nil
	}
	return c.child.ask(command{Do: doUsage})
}

func (c *contender) reconnect(ctx context.Context) error {
	for _, v := range c.visitors {
		if err := v.reconnect(ctx); err != nil {
			return err
		}
	}
	return nil
}

// figures are what a contender did and used, summed over its slices.
type figures struct {
	steps   int
	elapsed time.Duration
	used    report // differences
	took    []time.Duration
}

// slice loads the contender for d and adds to f.
func (c *contender) slice(ctx context.Context, s scenario, d time.Duration, f *figures) error {
	before, err := c.usage()
	if err != nil {
		return err
	}
	began := time.Now()
	took, err := load(ctx, s.of(c.visitors), d, s.step)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", s.name, c.name, err)
	}
	f.elapsed += time.Since(began)
	after, err := c.usage()
	if err != nil {
		return err
	}
	f.steps += len(took)
	f.took = append(f.took, took...)
	f.used.add(after)
	f.used.subtract(before)
	return nil
}

// load lets all visitors take steps side by side for d, and returns how long
// each step took. The first failure ends it.
func load(ctx context.Context, visitors []*visitor, d time.Duration, step func(*visitor) error) ([]time.Duration, error) {
	for _, v := range visitors {
		if err := v.bound(d); err != nil {
			return nil, fmt.Errorf("setting a deadline: %w", err)
		}
	}
	return together(ctx, len(visitors), d, func(i int) error { return step(visitors[i]) })
}

// together takes steps in n goroutines for d; step is told which of them.
func together(ctx context.Context, n int, d time.Duration, step func(int) error) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	took := make([][]time.Duration, n)
	failed := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			mine := make([]time.Duration, 0, 4096)
			for ctx.Err() == nil {
				began := time.Now()
				if err := step(i); err != nil {
					if !errors.Is(err, errSpent) {
						failed[i] = err
					}
					cancel()
					break
				}
				mine = append(mine, time.Since(began))
			}
			took[i] = mine
		})
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return slices.Concat(took...), nil
}

// each lets every visitor do something once, side by side.
func each(visitors []*visitor, do func(*visitor) error) error {
	failed := make([]error, len(visitors))
	var wg sync.WaitGroup
	for i, v := range visitors {
		if err := v.bound(0); err != nil {
			return fmt.Errorf("setting a deadline: %w", err)
		}
		wg.Go(func() { failed[i] = do(v) })
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// per divides what was used by the steps it was used for.
func (f figures) per(used float64) float64 { return used / float64(max(1, f.steps)) }

// percentile is the time within which a share of the steps was done.
func (f figures) percentile(share float64) time.Duration {
	if len(f.took) == 0 {
		return 0
	}
	slices.Sort(f.took)
	return f.took[min(len(f.took)-1, int(share*float64(len(f.took))))]
}
