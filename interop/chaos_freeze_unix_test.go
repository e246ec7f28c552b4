//go:build unix

package interop

import (
	"os"
	"syscall"
	"testing"
)

// freeze lets the process stand still, and thaw go on: what a machine without
// time for it, or a virtual one that is moved, looks like from outside.
func freeze(t *testing.T, p *os.Process) { signalTo(t, p, syscall.SIGSTOP) }

func thaw(t *testing.T, p *os.Process) { signalTo(t, p, syscall.SIGCONT) }

func signalTo(t *testing.T, p *os.Process, s os.Signal) {
	t.Helper()
	if err := p.Signal(s); err != nil {
		t.Fatal(err)
	}
}
