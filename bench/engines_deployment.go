package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/signet-id/signet/keys"
)

// deployment is an engine with some nodes, and visitors who come to all of them.
type deployment struct {
	engine
	nodes    []*contender
	visitors []*visitor // in turns: any first few are spread over all nodes
}

// row is what came of one errand, all nodes together.
type row struct {
	figures
	engine time.Duration // the processors' time of the engine's processes
	others time.Duration // and of whoever has no part in it
}

// deploy starts so many nodes on a store of their own, which holds the estate.
func (b *bench) deploy(ctx context.Context, e engine, name string, nodes int) (_ *deployment, err error) {
	d := &deployment{engine: e}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.stop())
		}
	}()
	dir, err := b.folder(name)
	if err != nil {
		return nil, err
	}
	at, err := e.store(ctx, name, dir)
	if err != nil {
		return nil, err
	}
	args := []string{"-algorithm", string(keys.ES256), "-quiet=true"}
	if e.most > 1 {
		if err := b.estate.moveTo(ctx, at); err != nil {
			return nil, fmt.Errorf("filling the store: %w", err)
		}
		args = append(args, "-store", at)
	}
	for i := range nodes {
		node, err := b.contend(ctx, fmt.Sprintf("node %d", i+1), roleIssuer, fmt.Sprintf("%s-%d", name, i), args...)
		if err != nil {
			return nil, err
		}
		d.nodes = append(d.nodes, node)
	}
	for i := range b.connections {
		mine := d.nodes[i%nodes].visitors
		v := mine[i/nodes%len(mine)]
		v.cookies, v.login = b.estate.cookies[i], loginOf(users-1-i)
		d.visitors = append(d.visitors, v)
	}
	return d, nil
}

func (d *deployment) stop() error {
	var err error
	for _, node := range d.nodes {
		err = errors.Join(err, node.stop())
	}
	return err
}

// used is what all nodes have used so far.
func (d *deployment) used() (sum report, err error) {
	for _, node := range d.nodes {
		one, err := node.child.ask(command{Do: doUsage})
		if err != nil {
			return sum, err
		}
		sum.add(one)
	}
	return sum, nil
}

// during notes what engine and machine did while work was done.
func (r *row) during(e engine, work func() ([]time.Duration, error)) (err error) {
	engine, all, load := e.worked(), busy(), processTime()
	began := time.Now()
	r.took, err = work()
	r.elapsed, r.steps = time.Since(began), len(r.took)
	r.engine = e.worked() - engine
	r.others = busy() - all - r.engine - (processTime() - load)
	return err
}

// measure has the visitors run an errand for as long as a line takes.
func (d *deployment) measure(ctx context.Context, e errand, line time.Duration) (r row, err error) {
	visitors := d.visitors
	if e.few > 0 {
		visitors = visitors[:min(e.few, len(visitors))]
	}
	if e.begin != nil {
		if err := each(visitors, e.begin); err != nil {
			return r, err
		}
	}
	if _, err := load(ctx, visitors, min(line, 300*time.Millisecond), e.step); err != nil {
		return r, err
	}
	if e.stock != nil {
		if _, err := load(ctx, visitors, line, e.stock); err != nil {
			return r, err
		}
	}
	before, err := d.used()
	if err != nil {
		return r, err
	}
	if err := r.during(d.engine, func() ([]time.Duration, error) { return load(ctx, visitors, line, e.step) }); err != nil {
		return r, err
	}
	if r.used, err = d.used(); err != nil {
		return r, err
	}
	r.used.subtract(before)
	r.others -= r.used.CPU
	return r, nil
}

// share is how much of the machine was somebody else's meanwhile, in percent.
func (r row) share() string {
	part := float64(r.others) / float64(r.elapsed) / float64(runtime.NumCPU())
	return fmt.Sprintf("%.0f %%", 100*min(max(part, 0), 1))
}

// cells are the numbers of a row: what was done, and what each of it took.
func (r row) cells(inEngine bool) []string {
	engine := "–"
	if inEngine {
		engine = number(r.per(micros(r.engine)))
	}
	return []string{
		number(float64(r.steps) / r.elapsed.Seconds()),
		number(r.per(float64(r.used.Reads))), number(r.per(float64(r.used.Commits))),
		number(millis(r.percentile(0.50))), number(millis(r.percentile(0.99))),
		number(r.per(micros(r.used.CPU))), engine, r.share(),
	}
}
