package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/signet-id/signet/internal/enginetest"
)

// engine is one that runs, with room for as many stores as are asked for.
type engine struct {
	title     string
	most      int                                                         // nodes
	store     func(ctx context.Context, name, dir string) (string, error) // an empty one, as the configuration names it
	processes []int                                                       // its own; none: it is in the node
	stop      func() error
}

// opening are the ways to an engine, by the name that -engines has for it.
func opening(name string) func(context.Context) (engine, error) {
	switch name {
	case "bolt":
		return openBolt
	case "postgres":
		return openPostgres
	case "etcd":
		return func(ctx context.Context) (engine, error) { return openEtcd(ctx, 1) }
	case "etcd3":
		return func(ctx context.Context) (engine, error) { return openEtcd(ctx, 3) }
	}
	return nil
}

func openBolt(context.Context) (engine, error) {
	return engine{
		title: "bbolt", most: 1, stop: func() error { return nil },
		store: func(_ context.Context, _, dir string) (string, error) {
			return "bolt:" + filepath.Join(dir, "signet.db"), nil
		},
	}, nil
}

func openPostgres(ctx context.Context) (engine, error) {
	server := new(enginetest.Postgres)
	pid, err := server.Serve()
	if err != nil {
		return engine{}, errors.Join(err, server.Stop())
	}
	return engine{
		title: "PostgreSQL " + release(ctx, filepath.Join(server.Bin(), "postgres")), most: 2, processes: []int{pid}, stop: server.Stop,
		store: func(ctx context.Context, name, _ string) (string, error) { return server.Create(ctx, name) },
	}, nil
}

func openEtcd(ctx context.Context, members int) (engine, error) {
	cluster := &enginetest.Etcd{Members: members}
	addresses, pids, err := cluster.Serve()
	if err != nil {
		return engine{}, errors.Join(err, cluster.Stop())
	}
	plural := "s"
	if members == 1 {
		plural = ""
	}
	title := fmt.Sprintf("etcd %s, %d member%s", release(ctx, cluster.Program()), members, plural)
	return engine{
		title: title, most: 2, processes: pids, stop: cluster.Stop,
		store: func(_ context.Context, name, _ string) (string, error) {
			return "etcd://" + strings.Join(addresses, ",") + "/" + name, nil
		},
	}, nil
}

// release is the version that a program says it is of: the first number.
func release(ctx context.Context, program string) string {
	said, _ := exec.CommandContext(ctx, program, "--version").Output()
	return string(regexp.MustCompile(`[0-9][0-9.]*`).Find(said))
}

// tick is the unit in which Linux counts processors' time for those who read /proc.
const tick = 10 * time.Millisecond

// worked is the processors' time of the engine so far: of its processes, of all
// that they started, and of those of them that have ended. It knows Linux alone.
func (e engine) worked() time.Duration {
	var sum time.Duration
	for _, pid := range e.processes {
		sum += treeTime(pid, true)
	}
	return sum
}

func treeTime(pid int, root bool) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0 // it has ended: its parent counts it
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name may hold anything else
	fields := strings.Fields(rest)
	// From the third field of proc(5) on: utime and stime are 14 and 15, those of
	// children that have ended 16 and 17. A backend's own children are none.
	last := 15
	if root {
		last = 17
	}
	var ticks int64
	for field := 14; field <= last && field-3 < len(fields); field++ {
		n, _ := strconv.ParseInt(fields[field-3], 10, 64)
		ticks += n
	}
	sum := time.Duration(ticks) * tick
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, child := range strings.Fields(string(children)) {
		if id, err := strconv.Atoi(child); err == nil {
			sum += treeTime(id, false)
		}
	}
	return sum
}
