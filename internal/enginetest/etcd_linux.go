package enginetest

import (
	"os/exec"
	"runtime"
	"syscall"
)

// alone gives a process a group of its own, so that a Ctrl-C meant for the tests
// does not reach it, and has the kernel kill it when the thread that started it
// ends: see tie.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// tie keeps the calling goroutine on its thread, which then lasts as long as the
// process that it starts is waited for.
func tie() (release func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
