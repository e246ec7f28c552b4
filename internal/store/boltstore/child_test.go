package boltstore_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/boltstore"
	"github.com/signet-id/signet/internal/store/storetest"
)

// The test binary runs itself as another process where a test needs one: to
// kill it, or to see it fail. These variables say what the child is to do.
const (
	envTraffic = "SIGNET_TEST_TRAFFIC" // the path of a store to write to, until killed
	envTorn    = "SIGNET_TEST_TORN"    // run the suite on an engine that breaks its promise
)

func TestMain(m *testing.M) {
	if path := os.Getenv(envTraffic); path != "" {
		fmt.Fprintln(os.Stderr, traffic(path))
		os.Exit(1)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// child prepares a run of this binary with one more environment variable.
func child(ctx context.Context, env, value string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), env+"="+value)
	return cmd
}

// traffic commits for ever and prints a line per acknowledged Commit: the two
// keys that it put, whose values are their keys, and the version.
func traffic(path string) error {
	s, err := boltstore.Open(path, boltstore.Options{})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for i := range 8 {
		go func() {
			for n := 0; ; n++ {
				a := fmt.Sprintf("%d/%d/%d/a", i, os.Getpid(), n)
				b := fmt.Sprintf("%d/%d/%d/b", i, os.Getpid(), n)
				v, err := s.Commit(context.Background(), store.Put(a, []byte(a)), store.Put(b, []byte(b)).IfAbsent(),
					store.Put(fmt.Sprintf("short/%d", n%100), make([]byte, 3000)).Until(time.Now().Add(5*time.Millisecond)))
				if err != nil {
					failed <- err
					return
				}
				// One write of less than a pipe holds: a line is there or it is not.
				fmt.Printf("%s %s %d\n", a, b, v)
			}
		}()
	}
	return <-failed
}

// torn breaks the promise that matters most: it judges guards first and
// commits afterwards, as an engine that reads and then writes would.
type torn struct{ store.Store }

func (s torn) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	blind := make([]store.Op, len(ops))
	for i, op := range ops {
		if op.Guarded {
			records, err := s.Get(ctx, op.Key)
			if err != nil {
				return 0, err
			}
			if records[0].Version != op.Must {
				return 0, &store.ConflictError{Key: op.Key}
			}
		}
		blind[i] = op
		blind[i].Guarded = false
	}
	time.Sleep(time.Millisecond) // on a busy machine, too, others get between the two
	return s.Store.Commit(ctx, blind...)
}

func TestTornStore(t *testing.T) {
	if os.Getenv(envTorn) == "" {
		t.Skip("runs as the child of the test of the suite")
	}
	storetest.Run(t, func(t *testing.T) store.Store {
		return torn{open(t, t.TempDir()+"/signet.db", boltstore.Options{NoSync: true})}
	})
}

func TestTheSuiteFailsAnEngineThatJudgesGuardsBeforeItCommits(t *testing.T) {
	for _, promise := range []string{
		"of_64_concurrent_IfAbsent_of_one_key_exactly_one_wins",
		"concurrent_counters_lose_no_increment",
		"guards_on_several_keys_are_judged_at_one_moment",
	} {
		t.Run(promise, func(t *testing.T) {
			out, err := child(t.Context(), envTorn, "1", "-test.run", "^TestTornStore$/^"+promise+"$").CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || !bytes.Contains(out, []byte("--- FAIL: TestTornStore/"+promise)) {
				t.Errorf("the suite passed (%v), want this promise to fail:\n%s", err, out)
			}
		})
	}
}
