package pgstore_test

import (
	"context"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/pgstore"
)

// After a restart every connection that was idle is dead, and all look alike.
func TestDeadConnectionsCostAReaderNothingAndAWriterOneAnswer(t *testing.T) {
	url := server.Database(t)
	s := open(t, url, pgstore.Options{})
	warm := func() {
		var reading sync.WaitGroup
		for range 8 {
			reading.Go(func() {
				for range 50 {
					if _, err := s.Get(t.Context(), "a"); err != nil {
						t.Errorf("Get: %v", err)
					}
				}
			})
		}
		reading.Wait()
		psql(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	}
	for range 3 {
		warm()
		for range 20 {
			if _, err := s.Get(t.Context(), "a"); err != nil {
				t.Fatalf("Get: %v", err)
			}
		}
	}
	warm()
	failed := 0
	for range 20 {
		if _, err := s.Commit(t.Context(), store.Put("a", nil)); err != nil {
			failed++
		}
	}
	if failed > 1 {
		t.Errorf("%d Commits got no answer, want at most the first", failed)
	}
}

// The procedure commits before it answers: a node that hangs once it has asked
// holds no lock, not even until it says that its question was complete (Sync).
func TestANodeThatHangsBetweenItsCommitAndTheEndOfTheMessageHoldsNobodyUp(t *testing.T) {
	url := server.Database(t)
	s := open(t, url, pgstore.Options{})
	hanging, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hanging.Close(context.Background()) }() // it hangs
	wire := hanging.Frontend()
	wire.SendParse(&pgproto3.Parse{Query: "CALL signet_commit_1('{1}', '{k}', '{v}', '{NULL}', '{1}', '{-1}', NULL, NULL)"})
	wire.SendBind(&pgproto3.Bind{})
	wire.SendExecute(&pgproto3.Execute{})
	wire.Send(&pgproto3.Flush{})
	if err := wire.Flush(); err != nil {
		t.Fatal(err)
	}
	for done := false; !done; {
		message, err := wire.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if refused, is := message.(*pgproto3.ErrorResponse); is {
			t.Fatal(refused.Message)
		}
		_, done = message.(*pgproto3.CommandComplete)
	}
	if _, err := s.Commit(t.Context(), store.Put("k", nil)); err != nil {
		t.Errorf("Commit: %v", err)
	}
}
