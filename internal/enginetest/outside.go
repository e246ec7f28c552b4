package enginetest

import (
	"context"
	"errors"
	"fmt"
)

// What is in this file is for a program that is no test, such as a benchmark of
// the engines: it starts the same servers, and calls Stop in the end.

// Missing reports whether err says that an engine's programs are not on this
// machine, and how to get them.
func Missing(err error) bool {
	var missing *missingError
	return errors.As(err, &missing)
}

// Serve starts the server, if it does not run yet, and returns its process.
func (p *Postgres) Serve() (pid int, err error) {
	p.start.Do(func() { p.err = p.prepare() })
	if p.err != nil {
		return 0, p.err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		return 0, errors.New("the server was stopped")
	}
	return p.process.pid, nil
}

// Create makes an empty database of that name and returns its URL.
func (p *Postgres) Create(ctx context.Context, name string) (string, error) {
	if _, err := p.Query(ctx, p.URL("postgres"), "CREATE DATABASE "+name); err != nil {
		return "", fmt.Errorf("making a database: %w", err)
	}
	return p.URL(name), nil
}

// Serve starts the cluster, if it does not run yet, and returns its members'
// addresses and processes.
func (c *Etcd) Serve() (addresses []string, pids []int, err error) {
	c.start.Do(func() { c.err = c.prepare() })
	if c.err != nil {
		return nil, nil, c.err
	}
	for _, m := range c.members {
		m.mu.Lock()
		if m.process != nil {
			pids = append(pids, m.process.Process.Pid)
		}
		m.mu.Unlock()
		addresses = append(addresses, m.client)
	}
	return addresses, pids, nil
}

// Program is the path of the server, once it was started.
func (c *Etcd) Program() string { return c.program }
