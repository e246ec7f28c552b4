//go:build unix

package enginetest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// unprivileged has cmd run alone and, when we are root, as somebody else, who
// gets folder: PostgreSQL refuses to run as root.
func unprivileged(cmd *exec.Cmd, folder string) error {
	cmd.Dir = folder
	alone(cmd)
	if os.Getuid() != 0 {
		return nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		who, err = user.Lookup("nobody")
	}
	if err != nil {
		return fmt.Errorf("looking for a user without rights: %w", err)
	}
	uid, errUID := strconv.ParseUint(who.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(who.Gid, 10, 32)
	if errUID != nil || errGID != nil {
		return fmt.Errorf("the user %s has id %s and group %s, want numbers", who.Username, who.Uid, who.Gid)
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := os.Chown(folder, int(uid), int(gid)); err != nil {
		return fmt.Errorf("giving %s to %s: %w", folder, who.Username, err)
	}
	return nil
}

// killGroup ends the process that unprivileged prepared, and its group, at once.
func killGroup(pid int) error { return syscall.Kill(-pid, syscall.SIGKILL) }

// killTree ends the process that unprivileged prepared, and all that it has
// started, at once: the processes of PostgreSQL leave its group.
func killTree(pid int) error {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // of Linux; elsewhere they see that their parent is gone
	if err := killGroup(pid); err != nil {
		return err
	}
	for _, child := range strings.Fields(string(children)) {
		if id, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(id, syscall.SIGKILL) // or it has left by itself
		}
	}
	return nil
}

// interrupt asks a process to end.
func interrupt(pid int) error { return syscall.Kill(pid, syscall.SIGINT) }
