//go:build !unix

package enginetest

import "errors"

func suspend(int) error { return errors.New("this system cannot suspend a process") }

func resume(int) error { return nil }
