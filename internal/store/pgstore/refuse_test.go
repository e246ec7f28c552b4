package pgstore_test

import (
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/pgstore"
)

// A replica that is not promoted yet, a server without a connection to spare, an
// upgrade: the address and the password are right, and it will pass.
func TestADatabaseThatRefusesForAWhileIsUnavailableAndThenUsedAgain(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct{ refuse, relent string }{
		"it is read-only":              {"ALTER ROLE $ SET default_transaction_read_only = on", "ALTER ROLE $ RESET default_transaction_read_only"},
		"it has no connection to give": {"ALTER ROLE $ CONNECTION LIMIT 0", "ALTER ROLE $ CONNECTION LIMIT -1"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			url := server.Schema(t)
			schema := url[strings.LastIndex(url, "D")+1:]
			name := "node_" + schema
			as := func(statement string) string { return strings.ReplaceAll(statement, "$", name) }
			psql(t, url, as("CREATE ROLE $ LOGIN; GRANT ALL ON SCHEMA "+schema+" TO $"))
			node := strings.Replace(url, "signet@", name+"@", 1)
			s := open(t, node, pgstore.Options{})
			if _, err := s.Commit(t.Context(), store.Put("a", nil)); err != nil {
				t.Fatal(err)
			}
			psql(t, url, as(c.refuse))
			psql(t, url, as("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '$'"))
			eventually(t, "the node is refused", func() bool {
				_, err := s.Get(t.Context(), "a")
				return err != nil
			})
			_, errGet := s.Get(t.Context(), "a")
			_, errCommit := s.Commit(t.Context(), store.Put("b", nil))
			_, errWatch := s.Watch(t.Context(), "")
			_, errOpen := pgstore.Open(t.Context(), node, pgstore.Options{})
			for call, err := range map[string]error{"Get": errGet, "Commit": errCommit, "Watch": errWatch, "Open": errOpen} {
				if fault.KindOf(err) != fault.Unavailable || fault.RetryAfter(err) <= 0 {
					t.Errorf("%s = %v, want a fault that says when to come back", call, err)
				}
			}
			if errCommit != nil && !strings.Contains(errCommit.Error(), "nothing was changed") {
				t.Errorf("Commit = %v, want that nothing was changed", errCommit)
			}
			psql(t, url, as(c.relent))
			if _, err := s.Commit(t.Context(), store.Put("b", nil).IfAbsent()); err != nil {
				t.Errorf("afterwards a Commit ended with %v", err)
			}
		})
	}
}

// A number that no version can have is a guard all the same.
func TestAGuardOnAVersionBeyondAllVersionsFails(t *testing.T) {
	t.Parallel()
	s := open(t, server.Schema(t), pgstore.Options{})
	if _, err := s.Commit(t.Context(), store.Put("a", nil).If(1<<63)); store.ConflictOn(err) != "a" {
		t.Errorf("Commit = %v, want a conflict", err)
	}
	if _, err := s.Commit(t.Context(), store.Put("b", nil), store.Unchanged("a", ^store.Version(0))); store.ConflictOn(err) != "a" {
		t.Errorf("Commit = %v, want a conflict", err)
	}
}
