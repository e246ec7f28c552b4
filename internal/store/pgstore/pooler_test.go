package pgstore_test

import (
	"testing"

	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/pgstore"
	"github.com/signet-id/signet/internal/store/storetest"
)

// A session of the pooler is one of the database for as long as it lasts: what
// was prepared, set and listened to stays. The whole suite says so.
func TestStoreBehindAPoolerInSessionMode(t *testing.T) {
	t.Parallel()
	url := server.Database(t)
	through := server.Through(url, server.Pooler(t))
	storetest.Run(t, func(t *testing.T) store.Store {
		psql(t, url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public") // the pooler passes on no search path
		return open(t, through, pgstore.Options{})
	})
}
