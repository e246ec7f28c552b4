//go:build unix

package main

import (
	"syscall"
	"time"
)

// processTime is the CPU time that this process has used, in user and kernel.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// familyTime is that of this process and of all its children that have ended.
func familyTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		return 0
	}
	return processTime() + time.Duration(u.Utime.Nano()+u.Stime.Nano())
}
