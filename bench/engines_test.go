package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestTheBenchOfEnginesPrintsEachRequestAndTheCommits(t *testing.T) {
	var out bytes.Buffer
	if err := runEngines(t.Context(), []string{"-engines", "bolt", "-seconds", "0.05", "-connections", "4"}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, e := range errands() {
		if !strings.Contains(out.String(), "| "+e.name+" ") {
			t.Errorf("the table has no %q", e.name)
		}
	}
	if !strings.Contains(out.String(), "commits of two records") {
		t.Error("there is no table of commits")
	}
	if !strings.Contains(out.String(), "| **commits a second**, 64 writers, 1 node ") {
		t.Error("the summary has no commits")
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestWhatTheBenchOfEnginesIsAskedForIsChecked(t *testing.T) {
	for _, args := range [][]string{
		{"-engines", "mysql"}, {"-engines", ""}, {"-seconds", "0"}, {"-seconds", "11"}, {"-connections", "1"}, {"-only", "("},
	} {
		if _, err := readEngineOptions(args); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
	o, err := readEngineOptions([]string{"-engines", "etcd3,bolt"})
	if err != nil || strings.Join(o.engines, " ") != "etcd3 bolt" {
		t.Errorf("the engines are %v, %v", o.engines, err)
	}
}

// An engine's work is that of all its processes.
func TestTheTimeOfAnEngineIsThatOfItsChildrenToo(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("this system has no /proc")
	}
	const burn = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"
	for name, script := range map[string]string{
		"a child that has ended": "(" + burn + "); read x",
		"a child that runs":      "(" + burn + "; read x); :",
	} {
		t.Run(name, func(t *testing.T) {
			shell := exec.CommandContext(t.Context(), "sh", "-c", script)
			stdin, err := shell.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := shell.Start(); err != nil {
				t.Skipf("no shell: %v", err)
			}
			defer func() { _, _ = stdin.Close(), shell.Wait() }()
			e := engine{processes: []int{shell.Process.Pid}}
			for deadline := time.Now().Add(30 * time.Second); e.worked() <= 4*tick; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the time of the child is not in it")
				}
			}
		})
	}
}
