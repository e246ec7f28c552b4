//go:build !unix

package enginetest

import (
	"os"
	"os/exec"
)

func unprivileged(cmd *exec.Cmd, folder string) error {
	cmd.Dir = folder
	return nil
}

func killGroup(pid int) error { return interrupt(pid) }

func killTree(pid int) error { return interrupt(pid) }

func interrupt(pid int) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return process.Kill()
}
