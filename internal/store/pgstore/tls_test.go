package pgstore_test

import (
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/pgstore"
)

func TestADatabaseThatMustProveItsNameIsUsedWhenItDoesAndNeverOtherwise(t *testing.T) {
	t.Parallel()
	url := server.Schema(t)
	authority := server.Encrypt(t)
	proving := strings.Replace(url, "sslmode=disable", "sslmode=verify-full", 1)
	trusted := proving + "&sslrootcert=" + authority
	eventually(t, "the server speaks TLS", func() bool {
		s, err := pgstore.Open(t.Context(), trusted, pgstore.Options{})
		return err == nil && s.Close() == nil
	})
	s := open(t, trusted+"&application_name=proved", pgstore.Options{})
	w, err := s.Watch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Commit(t.Context(), store.Put("a", nil))
	if err != nil {
		t.Fatal(err)
	}
	if e := <-w.Events(); e.Version != v {
		t.Errorf("the watcher got %+v, want the event of version %d", e, v)
	}
	if got := psql(t, url, "SELECT bool_and(l.ssl), count(*) > 1 FROM pg_stat_ssl l JOIN pg_stat_activity USING (pid) WHERE application_name = 'proved'"); got != "t|t" {
		t.Errorf("all connections are encrypted, and there are several: %s", got)
	}
	for what, address := range map[string]string{
		"an authority that nobody named": proving,
		"another name":                   strings.Replace(trusted, "127.0.0.1", "localhost", 1),
	} {
		s, err := pgstore.Open(t.Context(), address, pgstore.Options{})
		if err == nil {
			t.Errorf("%s: the store was opened", what)
			_ = s.Close()
		} else if !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: got %v, want what is wrong with the certificate", what, err)
		}
	}
}
