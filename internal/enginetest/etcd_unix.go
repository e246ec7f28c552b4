//go:build unix

package enginetest

import "syscall"

// suspend has a process hang, and resume lets it go on.
func suspend(pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) }

func resume(pid int) error { return syscall.Kill(pid, syscall.SIGCONT) }
