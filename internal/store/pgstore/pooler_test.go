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
	server.Database(t) // so that there is a server
	pooler := server.Pooler(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, server.Through(server.Database(t), pooler), pgstore.Options{})
	})
}
