package pgstore_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/pgstore"
)

func TestNodesThatStartTogetherMakeTheTablesOnce(t *testing.T) {
	t.Parallel()
	url := server.Database(t)
	var starting sync.WaitGroup
	for range 4 {
		starting.Go(func() {
			s, err := pgstore.Open(t.Context(), url, pgstore.Options{})
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			if _, err := s.Commit(t.Context(), store.Put("a", nil)); err != nil {
				t.Errorf("Commit: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	starting.Wait()
	if got := psql(t, url, "SELECT count(*), max(layout) FROM signet_layout"); got != "1|1" {
		t.Errorf("signet_layout holds %s, want one row", got)
	}
}

func TestTablesOfANewerReleaseAreRefusedAndLeftAsTheyAre(t *testing.T) {
	t.Parallel()
	url := server.Schema(t)
	if err := open(t, url, pgstore.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	psql(t, url, "UPDATE signet_layout SET layout = 1000")
	_, err := pgstore.Open(t.Context(), url, pgstore.Options{})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "1000") {
		t.Errorf("Open = %v, want that the layout is unknown", err)
	}
	if got := psql(t, url, "SELECT layout FROM signet_layout"); got != "1000" {
		t.Errorf("the layout became %s", got)
	}
}

// The tables belong to whoever made them; a node needs no more than to use them.
func TestANodeWithoutTheRightToMakeTablesUsesThoseThatAreThere(t *testing.T) {
	t.Parallel()
	url := server.Database(t)
	psql(t, url, "CREATE ROLE modest"+strings.TrimPrefix(url[strings.LastIndex(url, "/"):strings.Index(url, "?")], "/")+" LOGIN")
	name := "modest" + url[strings.LastIndex(url, "/")+1:strings.Index(url, "?")]
	modest := strings.Replace(url, "signet@", name+"@", 1)
	_, err := pgstore.Open(t.Context(), modest, pgstore.Options{})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "grant CREATE") {
		t.Errorf("Open of an empty database = %v, want what to grant", err)
	}
	if err := open(t, url, pgstore.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	psql(t, url, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "+name)
	s := open(t, modest, pgstore.Options{})
	if _, err := s.Commit(t.Context(), store.Put("a", nil).IfAbsent(), store.Delete("b")); err != nil {
		t.Errorf("Commit: %v", err)
	}
}

func TestWhatCannotBeOpenedSaysWhyAndShowsNoPassword(t *testing.T) {
	t.Parallel()
	url := server.Database(t)
	name := url[strings.LastIndex(url, "/")+1 : strings.Index(url, "?")]
	for what, c := range map[string]struct {
		url  string
		kind fault.Kind
		says string
	}{
		"an address that is none":    {"postgres://signet:hunter2@[::1/x", fault.Invalid, "postgres://user@host"},
		"a parameter that is wrong":  {"postgres://signet:hunter2@db/x?sslmode=sometimes", fault.Invalid, "sslmode"},
		"nobody there":               {"postgres://signet:hunter2@127.0.0.1:1/x", fault.Unavailable, "127.0.0.1:1"},
		"a database that is missing": {strings.Replace(strings.Replace(url, name, "nowhere", 1), "signet@", "signet:hunter2@", 1), fault.Invalid, `no database "nowhere"`},
		"a user that is unknown":     {strings.Replace(url, "signet@", "stranger:hunter2@", 1), fault.Invalid, `"stranger"`},
	} {
		_, err := pgstore.Open(t.Context(), c.url, pgstore.Options{})
		if err == nil || fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v of kind %s, want one of kind %s that says %s", what, err, fault.KindOf(err), c.kind, c.says)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the password is in %v", what, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pgstore.Open(ctx, url, pgstore.Options{}); err == nil {
		t.Error("a store was opened within a context that had ended")
	}
}

// A database may have any defaults; what an acknowledged Commit is worth is not
// one of them.
func TestACommitIsDurableAndReadCommittedWhateverTheDatabasesDefaults(t *testing.T) {
	t.Parallel()
	url := server.Database(t)
	name := url[strings.LastIndex(url, "/")+1 : strings.Index(url, "?")]
	psql(t, url, "ALTER DATABASE "+name+" SET synchronous_commit = off; ALTER DATABASE "+name+" SET default_transaction_isolation = 'serializable'")
	s := open(t, url, pgstore.Options{})
	psql(t, url, `CREATE TABLE seen (durable text, isolation text, name text);
		CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO seen VALUES (current_setting('synchronous_commit'), current_setting('transaction_isolation'), current_setting('application_name')); RETURN NEW; END $$;
		CREATE TRIGGER look BEFORE UPDATE ON signet_state FOR EACH ROW EXECUTE FUNCTION look()`)
	if _, err := s.Commit(t.Context(), store.Put("a", nil)); err != nil {
		t.Fatal(err)
	}
	if got, want := psql(t, url, "SELECT * FROM seen"), "on|read committed|signet"; got != want {
		t.Errorf("a Commit ran with %s, want %s", got, want)
	}
}

func TestExpiredRecordsLeaveInBatchesAMinuteAfterTheyExpired(t *testing.T) {
	t.Parallel()
	url := server.Schema(t)
	s := open(t, url, pgstore.Options{})
	put := func(prefix string, count int, op func(store.Op) store.Op) {
		for n := 0; n < count; n += 100 {
			var ops []store.Op
			for i := range 100 {
				ops = append(ops, op(store.Put(prefix+strings.Repeat("x", n/100)+string(rune('!'+i)), nil)))
			}
			if _, err := s.Commit(t.Context(), ops...); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("long/", 1200, func(o store.Op) store.Op { return o.Until(time.Now().Add(-2 * time.Minute)) })
	put("lately/", 100, func(o store.Op) store.Op { return o.Until(time.Now().Add(-10 * time.Second)) })
	put("alive/", 100, func(o store.Op) store.Op { return o.Until(time.Now().Add(time.Hour)) })
	put("ever/", 100, func(o store.Op) store.Op { return o })
	eventually(t, "the expired leave", func() bool {
		return psql(t, url, "SELECT count(*) FROM signet_records WHERE expires < clock_timestamp() - interval '1 minute'") == "0"
	})
	if got := psql(t, url, "SELECT count(*) FROM signet_records"); got != "300" {
		t.Errorf("%s records are left, want 300", got)
	}
	eventually(t, "the sweeper tells", func() bool { return s.Stats().Swept == 1200 })
}
