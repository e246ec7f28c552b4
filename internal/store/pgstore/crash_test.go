package pgstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/enginetest"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/pgstore"
)

// patience is how long a test waits for what must happen soon.
const patience = 30 * time.Second

// eventually fails unless holds becomes true before patience ends.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

// acknowledged are the Commits that returned without an error.
type acknowledged struct {
	mu       sync.Mutex
	versions map[string]store.Version
}

// write commits from several callers on both nodes until ctx ends. A database
// that has gone may leave the outcome open, and nothing else.
func (a *acknowledged) write(ctx context.Context, t *testing.T, round int, nodes []*pgstore.Store) {
	var writing sync.WaitGroup
	for i := range 8 {
		writing.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				key := fmt.Sprintf("j/%d/%d/%d", round, i, n)
				v, err := nodes[i%len(nodes)].Commit(context.WithoutCancel(ctx), store.Put(key, []byte(key)).IfAbsent())
				switch {
				case err == nil:
					a.mu.Lock()
					a.versions[key] = v
					a.mu.Unlock()
				case fault.KindOf(err) != fault.Unavailable:
					t.Errorf("Commit: %v", err)
					return
				default:
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	writing.Wait()
}

// What a server goes through while a test has it for itself.
func TestWhatWasAcknowledgedIsNotLostWithTheServer(t *testing.T) {
	t.Parallel()
	alone := new(enginetest.Postgres)
	t.Cleanup(func() {
		if err := alone.Stop(); err != nil {
			t.Errorf("stopping PostgreSQL: %v", err)
		}
	})
	t.Run("a change that no replica has is not acknowledged", func(t *testing.T) { proveReplicated(t, alone) })
	t.Run("what was acknowledged outlives a crash of the database", func(t *testing.T) { proveCrash(t, alone) })
}

// proveReplicated ends the wait for a replica, as an operator or a timeout does:
// PostgreSQL reports success then, with a warning.
func proveReplicated(t *testing.T, server *enginetest.Postgres) {
	url := server.Database(t)
	s := open(t, url, pgstore.Options{})
	replica := func(setting string) {
		t.Helper()
		for _, statement := range []string{"ALTER SYSTEM " + setting, "SELECT pg_reload_conf()"} {
			if _, err := server.Query(t.Context(), url, statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	replica("SET synchronous_standby_names = nobody")
	eventually(t, "a Commit waits for a replica", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := s.Commit(ctx, store.Put("a", nil))
		return err != nil
	})
	const waits = " FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
	eventually(t, "those whose callers have left are over", func() bool {
		count, err := server.Query(t.Context(), url, "SELECT count(*)"+waits)
		return err == nil && count == "0"
	})
	outcome := make(chan error, 1)
	go func() {
		_, err := s.Commit(context.WithoutCancel(t.Context()), store.Put("b", nil))
		outcome <- err
	}()
	eventually(t, "the Commit waits, and no longer", func() bool {
		ended, err := server.Query(t.Context(), url, "SELECT pg_cancel_backend(pid)"+waits)
		return err == nil && ended == "t"
	})
	if err := <-outcome; fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "did not wait for its replica") {
		t.Errorf("Commit = %v, want that nobody knows whether it will last", err)
	}
	if r, err := s.Get(t.Context(), "b"); err != nil || !r[0].Exists() {
		t.Errorf("the record is %+v, %v, want that the primary has it", r, err)
	}
	replica("RESET synchronous_standby_names")
	eventually(t, "a change is acknowledged that waits for nobody", func() bool {
		_, err := s.Commit(t.Context(), store.Put("b", nil))
		return err == nil
	})
}

// proveCrash keeps the stores open: nodes outlive their database.
func proveCrash(t *testing.T, server *enginetest.Postgres) {
	url := server.Database(t)
	nodes := []*pgstore.Store{open(t, url, pgstore.Options{}), open(t, url, pgstore.Options{})}
	taken := map[string]int{}
	tail, err := store.OpenTail(t.Context(), nodes[1], "j/", func(records []store.Record) {
		for _, r := range records {
			taken[r.Key]++ // by one goroutine, which Close ends
		}
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := acknowledged{versions: map[string]store.Version{}}
	for round := range 3 {
		ctx, stop := context.WithCancel(t.Context())
		var writing sync.WaitGroup
		defer writing.Wait() // should something fail
		defer stop()
		writing.Go(func() { all.write(ctx, t, round, nodes) })
		time.Sleep(300 * time.Millisecond)
		server.Kill(t)
		server.Restart(t)
		time.Sleep(100 * time.Millisecond)
		stop()
		writing.Wait()
	}
	var last store.Version
	eventually(t, "the node recovers", func() bool {
		last, err = nodes[0].Commit(t.Context(), store.Put("j/last", nil))
		return err == nil
	})
	fresh := open(t, url, pgstore.Options{})
	if len(all.versions) < 100 {
		t.Fatalf("%d Commits were acknowledged, which proves little", len(all.versions))
	}
	for key, v := range all.versions {
		r, err := fresh.Get(t.Context(), key)
		if err != nil || r[0].Version != v || string(r[0].Value) != key {
			t.Fatalf("%q was acknowledged with version %d and came back as %+v, %v", key, v, r, err)
		}
		if v >= last {
			t.Fatalf("version %d came before %d", v, last)
		}
	}
	waiting, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := tail.Wait(waiting, last); err != nil {
		t.Fatalf("Wait: %v", err)
	}
	tail.Close()
	for key := range all.versions {
		if taken[key] != 1 {
			t.Errorf("the other node was told of %q %d times, want once", key, taken[key])
		}
	}
	t.Logf("%d Commits were acknowledged before and after three crashes", len(all.versions))
}

// A transaction that the database takes back has not happened, and is tried
// again; after any other error nobody knows, and it is not.
func TestACommitIsTriedAgainOnlyWhenItCertainlyDidNotHappen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code  string
		again bool
	}{{"40001", true}, {"40P01", true}, {"25006", true}, {"XX000", false}, {"57014", false}, {"08006", false}} {
		t.Run(c.code, func(t *testing.T) {
			url := server.Schema(t)
			s := open(t, url, pgstore.Options{})
			psql(t, url, `CREATE SEQUENCE tries; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF nextval('tries') < 3 THEN RAISE EXCEPTION USING ERRCODE = '`+c.code+`'; END IF; RETURN NEW; END $$;
				CREATE TRIGGER refuse BEFORE UPDATE ON signet_state FOR EACH ROW EXECUTE FUNCTION refuse()`)
			_, err := s.Commit(t.Context(), store.Put("a", nil).IfAbsent())
			if c.again && err != nil {
				t.Errorf("Commit: %v", err)
			}
			if !c.again && (fault.KindOf(err) != fault.Unavailable || fault.RetryAfter(err) == 0) {
				t.Errorf("Commit = %v, want a fault that says when to come back", err)
			}
			if got, want := psql(t, url, "SELECT last_value FROM tries"), map[bool]string{true: "3", false: "1"}[c.again]; got != want {
				t.Errorf("it was tried %s times, want %s", got, want)
			}
		})
	}
}

// Somebody else holds the lock, who does not belong to us: a backup, an operator.
func TestALockThatIsNotReleasedMakesTheStoreBusyAndChangesNothing(t *testing.T) {
	t.Parallel()
	url := server.Schema(t)
	s := open(t, url, pgstore.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var holding sync.WaitGroup
	holding.Go(func() {
		_, _ = server.Query(ctx, url, "BEGIN; LOCK TABLE signet_state; SELECT pg_sleep(60)") // until it is killed
	})
	defer holding.Wait()
	defer cancel()
	eventually(t, "the lock is held", func() bool {
		return psql(t, url, "SELECT count(*) FROM pg_locks WHERE relation = 'signet_state'::regclass AND mode = 'AccessExclusiveLock' AND granted") == "1"
	})
	if _, err := s.Commit(t.Context(), store.Put("a", nil)); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("Commit = %v, want that the store is busy and nothing was changed", err)
	}
	psql(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()")
	eventually(t, "the store is free", func() bool {
		_, err := s.Commit(t.Context(), store.Put("a", nil).IfAbsent())
		return err == nil
	})
}

func psql(t *testing.T, url, statements string) string {
	t.Helper()
	said, err := server.Query(t.Context(), url, statements)
	if err != nil {
		t.Fatal(err)
	}
	return said
}
