package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// child is a server in a process of its own, that answers commands.
type child struct {
	name    string
	address string
	process *exec.Cmd
	stdin   io.WriteCloser
	answers *json.Decoder
	log     *os.File
}

// startChild runs this binary again in a role, on the folder dir.
func startChild(ctx context.Context, name, role, dir string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this binary: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	c := &child{name: name, log: log, process: exec.CommandContext(ctx, self, append([]string{role, "-dir", dir}, args...)...)}
	// A file, as a service's log is: a line costs a write, and nobody reads along.
	c.process.Stderr = log
	if c.stdin, err = c.process.StdinPipe(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), log.Close())
	}
	stdout, err := c.process.StdoutPipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), log.Close())
	}
	c.answers = json.NewDecoder(stdout)
	if err := c.process.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), log.Close())
	}
	var first report
	if err := c.answers.Decode(&first); err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for %s: %w", name, err), c.stop())
	}
	c.address = first.Address
	return c, nil
}

// ask sends a command and waits for the report.
func (c *child) ask(what command) (report, error) {
	var r report
	if err := json.NewEncoder(c.stdin).Encode(what); err != nil {
		return r, fmt.Errorf("asking %s: %w", c.name, err)
	}
	if err := c.answers.Decode(&r); err != nil {
		return r, fmt.Errorf("asking %s: %w", c.name, err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("asking %s for %s: %s", c.name, what.Do, r.Error)
	}
	return r, nil
}

// stop closes the child's stdin, which ends it, and returns the end of its log
// if it did not end well.
func (c *child) stop() error {
	err := c.stdin.Close()
	if failed := c.process.Wait(); failed != nil {
		err = errors.Join(err, fmt.Errorf("%s ended badly: %w\n%s", c.name, failed, lastLines(c.log.Name())))
	}
	return errors.Join(err, c.log.Close())
}

func lastLines(path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return text[max(0, len(text)-2000):]
}
