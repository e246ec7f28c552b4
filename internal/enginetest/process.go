package enginetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// process is one run of a program without rights.
type process struct {
	pid   int
	ended chan struct{} // closed when it has
}

// spawn starts a program in folder, which it may write, and appends what it says
// to the file log. It is not to outlive the tests, however they end.
func spawn(folder, log, program string, args ...string) (*process, error) {
	cmd := exec.CommandContext(context.Background(), program, args...)
	if err := unprivileged(cmd, folder); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = file, file
	started, ended := make(chan error), make(chan struct{})
	go func() { // until the program ends
		release := tie()
		defer release()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in the log
		}
	}()
	err = <-started
	if err := file.Close(); err != nil { // the program has its own copy
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	return &process{pid: cmd.Process.Pid, ended: ended}, nil
}

// halt ends the process and waits until it has; one that will not is killed.
func (p *process) halt(by func(pid int) error) error {
	if err := by(p.pid); err != nil {
		return err
	}
	overdue := time.AfterFunc(readyWithin, func() { _ = killTree(p.pid) })
	defer overdue.Stop()
	<-p.ended
	return nil
}
