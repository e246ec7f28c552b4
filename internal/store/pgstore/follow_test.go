package pgstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/pgstore"
	"github.com/signet-id/signet/internal/store/storetest"
)

// ended drains w and returns how it ended.
func ended(t *testing.T, w store.Watch) error {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case _, ok := <-w.Events():
			if !ok {
				return w.Err()
			}
		case <-deadline:
			t.Fatal("the Watch did not end")
		}
	}
}

func TestAWatcherThatWasAwayLongerThanTheLogReachesGetsAGapAndAMirrorRecovers(t *testing.T) {
	t.Parallel()
	url := server.Schema(t)
	other := open(t, url, pgstore.Options{})
	proxy := storetest.NewProxy(t, server.Address())
	s := open(t, server.Through(url, proxy.Address()), pgstore.Options{})
	mirror, err := store.OpenMirror(t.Context(), s, "m/", func(r store.Record) (string, error) { return string(r.Value), nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mirror.Close)
	w, err := s.Watch(t.Context(), "m/")
	if err != nil {
		t.Fatal(err)
	}
	proxy.Cut()
	for i := range 20 {
		if _, err := other.Commit(t.Context(), store.Put(fmt.Sprint("m/", i), []byte("missed"))); err != nil {
			t.Fatal(err)
		}
	}
	psql(t, url, "CALL signet_sweep_1(10, '0', '1 minute', NULL, NULL)") // nothing is that old
	if got := psql(t, url, "SELECT count(*) FROM signet_changes"); got != "20" {
		t.Errorf("%s changes are left, want all 20", got)
	}
	psql(t, url, "CALL signet_sweep_1(10, '0', '0', NULL, NULL)") // the older half
	if got := psql(t, url, "SELECT count(*) FROM signet_changes"); got != "10" {
		t.Errorf("%s changes are left, want the newest 10", got)
	}
	proxy.Fair()
	if err := ended(t, w); !errors.Is(err, store.ErrGap) {
		t.Errorf("the Watch ended with %v, want ErrGap", err)
	}
	eventually(t, "the Mirror recovers", func() bool { return mirror.Len() == 20 })
}

// A replica that was promoted before it had everything, or a backup: versions
// that were seen are given out again, and no copy in memory is right.
func TestADatabaseThatFellBehindWhatWasSeenIsAGap(t *testing.T) {
	t.Parallel()
	url := server.Schema(t)
	s := open(t, url, pgstore.Options{})
	for range 10 {
		if _, err := s.Commit(t.Context(), store.Put("a", nil)); err != nil {
			t.Fatal(err)
		}
	}
	w, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	psql(t, url, "BEGIN; UPDATE signet_state SET version = 5; DELETE FROM signet_changes WHERE version > 5; COMMIT")
	if err := ended(t, w); !errors.Is(err, store.ErrGap) {
		t.Errorf("the Watch ended with %v, want ErrGap", err)
	}
	w, err = s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Commit(t.Context(), store.Put("b", nil))
	if err != nil {
		t.Fatal(err)
	}
	if e := <-w.Events(); e.Version != v || e.Key != "b" {
		t.Errorf("the next Watch begins with %+v, want the event of version %d", e, v)
	}
}

// Were it further than what was seen by the time that the node looks, the numbers
// alone would not tell.
func TestADatabaseThatFellBehindAndCaughtUpUnderTheSameVersionsIsAGap(t *testing.T) {
	t.Parallel()
	url := server.Schema(t)
	other := open(t, url, pgstore.Options{})
	proxy := storetest.NewProxy(t, server.Address())
	s := open(t, server.Through(url, proxy.Address()), pgstore.Options{})
	w, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	write := func(count int) store.Version {
		var v store.Version
		for range count {
			if v, err = other.Commit(t.Context(), store.Put("a", nil)); err != nil {
				t.Fatal(err)
			}
		}
		return v
	}
	for seen := write(10); ; {
		if e := <-w.Events(); e.Version == seen {
			break
		}
	}
	psql(t, url, "CALL signet_sweep_1(1000, '0', '0', NULL, NULL)") // the node was away for long: all but the newest is trimmed
	proxy.Cut()
	psql(t, url, "UPDATE signet_state SET version = 5; DELETE FROM signet_changes")
	write(20)
	proxy.Fair()
	if err := ended(t, w); !errors.Is(err, store.ErrGap) {
		t.Errorf("the Watch ended with %v, want ErrGap", err)
	}
}

// A quiet night: the log is trimmed to its newest change, and that is no gap.
func TestAWatchOutlastsTheTrimmingOfEverythingThatItHasSeen(t *testing.T) {
	t.Parallel()
	url := server.Schema(t)
	s := open(t, url, pgstore.Options{})
	w, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		v, err := s.Commit(t.Context(), store.Put("a", nil), store.Put("b", nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "b"} {
			if e, ok := <-w.Events(); !ok || e.Version != v || e.Key != key {
				t.Fatalf("got %+v, %v, want the event of %q in version %d", e, w.Err(), key, v)
			}
		}
		psql(t, url, "CALL signet_sweep_1(1000, '0', '0', NULL, NULL)")
		if got := psql(t, url, "SELECT count(DISTINCT version) FROM signet_changes"); got != "1" {
			t.Fatalf("%s versions are left in the log, want the newest", got)
		}
	}
}

// Commits that change nothing have versions, and leave no hole in the log.
func TestCommitsOfDemandsAloneDoNotInterruptAWatch(t *testing.T) {
	t.Parallel()
	s := open(t, server.Schema(t), pgstore.Options{})
	w, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 { // more than one reading covers
		if _, err := s.Commit(t.Context(), store.Unchanged("absent", 0)); err != nil {
			t.Fatal(err)
		}
		if i%100 == 50 {
			v, err := s.Commit(t.Context(), store.Put("a", nil))
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := <-w.Events(); !ok || e.Version != v {
				t.Fatalf("got %+v, %v, want the event of version %d", e, w.Err(), v)
			}
		}
	}
}

// A notification is a wake-up and no more: without any, a beat later everything
// is there.
func TestAWatchGoesOnWithoutNotifications(t *testing.T) {
	t.Parallel()
	url := server.Schema(t)
	s := open(t, url, pgstore.Options{})
	w, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	muffle(t, url)
	for range 3 {
		v, err := s.Commit(t.Context(), store.Put("a", nil))
		if err != nil {
			t.Fatal(err)
		}
		select {
		case e := <-w.Events():
			if e.Version != v {
				t.Fatalf("got %+v, want the event of version %d", e, v)
			}
		case <-time.After(patience):
			t.Fatal("no event came")
		}
	}
}

// muffle sends the notifications where nobody listens: the follower learns of
// changes a beat late.
func muffle(t *testing.T, url string) {
	t.Helper()
	psql(t, url, `DO $$ DECLARE text text; BEGIN
		SELECT replace(pg_get_functiondef('signet_commit_1'::regproc), 'pg_notify(''signet_''', 'pg_notify(''nobody_''') INTO text;
		EXECUTE text; END $$`)
}

func TestAWatchThatBeginsBeforeTheFollowerHasCaughtUpIsNotToldOfWhatWasBefore(t *testing.T) {
	t.Parallel()
	url := server.Schema(t)
	s := open(t, url, pgstore.Options{})
	early, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	muffle(t, url)
	before, err := s.Commit(t.Context(), store.Put("before", nil))
	if err != nil {
		t.Fatal(err)
	}
	late, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	after, err := s.Commit(t.Context(), store.Put("after", nil))
	if err != nil {
		t.Fatal(err)
	}
	if e := <-early.Events(); e.Version != before {
		t.Errorf("the first event is %+v, want that of version %d", e, before)
	}
	if e := <-late.Events(); e.Version != after {
		t.Errorf("the first event of the later Watch is %+v, want that of version %d", e, after)
	}
}
