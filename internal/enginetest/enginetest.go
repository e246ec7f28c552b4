// Package enginetest owns real engines for tests and benchmarks: it starts the servers that
// PostgreSQL and etcd themselves ship, on loopback ports and in folders of its
// own, kills them when a test says so, and stops them in the end.
//
//	an engine's test ──▶ enginetest ──▶ one server per test binary
//	                 ◀── an address, a database or prefix per test
//
// It never stands in for an engine, and never touches a server that it did not
// start. Where the programs are missing a test is skipped, and says so; where CI
// is set it fails instead. Without SIGNET_ENGINES in the environment no test starts
// an engine.
package enginetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
)

// missingError says that an engine's programs are not on this machine.
type missingError struct{ what string }

func (e *missingError) Error() string { return e.what }

// Switch is the environment variable that asks for the tests with real engines:
// they take minutes.
const Switch = "SIGNET_ENGINES"

// wanted skips the test unless somebody asked for those with real engines.
func wanted(t testing.TB) {
	t.Helper()
	if os.Getenv(Switch) == "" {
		t.Skip("real engines are tested when " + Switch + " is set")
	}
}

// need ends the test when err says that there is no engine: it is left out where
// the programs are missing, and fails where they may not be.
func need(t testing.TB, err error) {
	t.Helper()
	if missing := (*missingError)(nil); errors.As(err, &missing) && os.Getenv("CI") != "true" {
		t.Skip(missing.Error())
	}
	if err != nil {
		t.Fatalf("starting an engine: %v", err)
	}
}

// freeAddress returns a loopback address at which nobody listens. Somebody else
// may take it before the server does, which then says so and fails.
func freeAddress() (string, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}
