package pgstore_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/signet-id/signet/internal/enginetest"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/pgstore"
	"github.com/signet-id/signet/internal/store/storetest"
)

// server is shared by the tests of this binary; each has a database of its own.
var server = new(enginetest.Postgres)

func TestMain(m *testing.M) {
	// They wait for the server and its disk, and hardly for a processor. The flag
	// of that name, read later, comes first.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping PostgreSQL:", err)
		code = 1
	}
	os.Exit(code)
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, server.Schema(t), pgstore.Options{}) })
}

func TestReopen(t *testing.T) {
	t.Parallel()
	schemas := map[string]string{} // one for each folder of the suite
	storetest.RunReopen(t, func(t *testing.T, dir string) store.Store {
		if schemas[dir] == "" {
			schemas[dir] = server.Schema(t)
		}
		return open(t, schemas[dir], pgstore.Options{})
	})
}

func TestNetworked(t *testing.T) {
	t.Parallel()
	url := server.Schema(t)
	storetest.RunNetworked(t, storetest.Engine{
		Address: server.Address(),
		Open: func(t *testing.T, through string) store.Store {
			if through == "" {
				return open(t, url, pgstore.Options{})
			}
			return open(t, server.Through(url, through), pgstore.Options{})
		},
		OwnClock: true,
	})
}

// open opens the store until the test ends.
func open(t testing.TB, url string, opts pgstore.Options) *pgstore.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}
