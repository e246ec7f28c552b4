package transfer_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/enginetest"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/etcdstore"
	"github.com/signet-id/signet/internal/store/pgstore"
	"github.com/signet-id/signet/internal/store/transfer"
)

// The servers that the tests of this package share.
var (
	postgres enginetest.Postgres
	etcd     enginetest.Etcd
)

func TestMain(m *testing.M) {
	code := m.Run()
	for name, stop := range map[string]func() error{"PostgreSQL": postgres.Stop, "etcd": etcd.Stop} {
		if err := stop(); err != nil {
			fmt.Fprintf(os.Stderr, "stopping %s: %v\n", name, err)
			code = 1
		}
	}
	os.Exit(code)
}

// engines are one of each kind, empty.
func engines() map[string]func(t *testing.T) store.Store {
	return map[string]func(t *testing.T) store.Store{
		"bolt": func(t *testing.T) store.Store { return open(t) },
		"postgres": func(t *testing.T) store.Store {
			t.Helper()
			s, err := pgstore.Open(t.Context(), postgres.Database(t), pgstore.Options{})
			return opened(t, s, err)
		},
		"etcd": func(t *testing.T) store.Store {
			t.Helper()
			s, err := etcdstore.Open(t.Context(), etcd.Endpoints(t), etcd.Prefix(), etcdstore.Options{})
			return opened(t, s, err)
		},
	}
}

func opened(t *testing.T, s store.Store, err error) store.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestADeploymentMovesBetweenAnyTwoEnginesWhileItIsUsed(t *testing.T) {
	for from, openSource := range engines() {
		for to, openTarget := range engines() {
			t.Run(from+" to "+to, func(t *testing.T) {
				engine, target := openSource(t), openTarget(t)
				fill(t, engine, 1500)
				source, err := transfer.OpenGate(t.Context(), engine, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer source.Shut()
				stop := load(t, source, 20*time.Millisecond)
				copyTo(t, engine, target, transfer.CopyOptions{}) // a rehearsal
				begun := time.Now()
				done := copyTo(t, engine, target, transfer.CopyOptions{Freeze: time.Minute})
				if commits := stop(); commits == 0 {
					t.Error("nothing was written meanwhile")
				}
				wantSame(t, contents(t, engine), contents(t, target))
				t.Logf("%d records in %s, frozen for %s of it, %d changes carried over", done.Records, time.Since(begun), done.Held, done.Changes)
			})
		}
	}
}

func TestABackupOfAnyEngineIsRestoredIntoAnyOther(t *testing.T) {
	key := newKey()
	for from, openSource := range engines() {
		t.Run("from "+from, func(t *testing.T) {
			source := openSource(t)
			fill(t, source, 700)
			stop := load(t, source, 20*time.Millisecond)
			time.Sleep(20 * time.Millisecond)
			file, _ := backup(t, source, key)
			stop()
			first := open(t)
			if _, err := restore(t, file, key, first); err != nil {
				t.Fatal(err)
			}
			for to, openTarget := range engines() {
				t.Run("to "+to, func(t *testing.T) {
					target := openTarget(t)
					if _, err := restore(t, file, key, target); err != nil {
						t.Fatal(err)
					}
					wantSame(t, contents(t, first), contents(t, target))
				})
			}
		})
	}
}
