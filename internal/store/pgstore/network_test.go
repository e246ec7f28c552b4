package pgstore_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/pgstore"
)

// After a restart every connection that was idle is dead, and all look alike.
func TestDeadConnectionsCostAReaderNothingAndAWriterOneAnswer(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	url := server.Schema(t)
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

// turns counts how often a client, having heard an answer, speaks again: its round
// trips, however many packets each of them takes.
type turns struct{ count atomic.Int64 }

// relay passes on everything between client and server until either leaves.
func (r *turns) relay(client, server net.Conn) {
	var speaks atomic.Bool // it is the client's turn, and counted
	var both sync.WaitGroup
	pass := func(from, to net.Conn, asks bool) {
		defer func() { _ = to.Close() }()
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			if n > 0 && speaks.Swap(asks) != asks && asks {
				r.count.Add(1)
			}
			if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
				return
			}
		}
	}
	both.Go(func() { pass(client, server, true) })
	both.Go(func() { pass(server, client, false) })
	both.Wait()
}

// listen accepts clients of the server at target until the test ends, and returns
// where.
func (r *turns) listen(t *testing.T, target string) string {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // the test has ended
			}
			var dialer net.Dialer
			server, err := dialer.DialContext(context.Background(), "tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			running.Go(func() { r.relay(client, server) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait() // the store is closed by then
	})
	return listener.Addr().String()
}

func TestAGetAListAndACommitAreOneRoundTripEach(t *testing.T) {
	t.Parallel()
	url := server.Schema(t)
	var wire turns
	s := open(t, server.Through(url, wire.listen(t, server.Address())), pgstore.Options{Connections: 1})
	count := func(what string, want int64, pause time.Duration, call func() error) {
		t.Helper()
		var got int64
		for range 5 { // the sweeper, who has this connection as well, may come between
			time.Sleep(pause)
			before := wire.count.Load()
			if err := call(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if got = wire.count.Load() - before; got == want {
				return
			}
		}
		t.Errorf("%s took %d round trips, want %d", what, got, want)
	}
	get := func() error { _, err := s.Get(t.Context(), "a", "b", "c"); return err }
	commit := func() error {
		_, err := s.Commit(t.Context(), store.Put("a", make([]byte, 200_000)), store.Put("b", nil), store.Unchanged("c", 0), store.Delete("d"))
		return err
	}
	if err := commit(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		count("Commit", 1, 0, commit)
		count("Get", 1, 0, get)
		count("List", 1, 0, func() error { _, err := s.List(t.Context(), "", "", 10); return err })
		count("Watch", 1, 0, func() error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := s.Watch(ctx, "elsewhere/")
			return err
		})
	}
	const silence = 1100 * time.Millisecond
	count("after a silence Get", 1, silence, get)
	count("after a silence Commit, which looks first whether anybody is there,", 2, silence, commit)
	count("and the next Commit", 1, 0, commit)
}
