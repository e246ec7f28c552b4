package boltstore

import "syscall"

// giveBack takes the pages of a file's map from this process, and leaves them in the
// system's cache. bbolt writes to the file and never to the map, so nothing is lost.
func giveBack(data, size uintptr) {
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, data, size, syscall.MADV_DONTNEED) // advice: nothing hangs on it
}
