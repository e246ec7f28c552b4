package pgstore_test

import (
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
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping PostgreSQL:", err)
		code = 1
	}
	os.Exit(code)
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, server.Database(t), pgstore.Options{}) })
}

func TestReopen(t *testing.T) {
	databases := map[string]string{} // one for each folder of the suite
	storetest.RunReopen(t, func(t *testing.T, dir string) store.Store {
		if databases[dir] == "" {
			databases[dir] = server.Database(t)
		}
		return open(t, databases[dir], pgstore.Options{})
	})
}

func TestNetworked(t *testing.T) {
	url := server.Database(t)
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
