package etcdstore_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/signet-id/signet/internal/enginetest"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/etcdstore"
	"github.com/signet-id/signet/internal/store/storetest"
)

// cluster is the one member that most tests share.
var cluster enginetest.Etcd

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if err := cluster.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, cluster.Endpoints(t), cluster.Prefix()) })
}

func TestReopen(t *testing.T) {
	storetest.RunReopen(t, func(t *testing.T, dir string) store.Store {
		return open(t, cluster.Endpoints(t), "reopen/"+fmt.Sprintf("%x", dir[max(0, len(dir)-20):]))
	})
}

func TestNetworked(t *testing.T) {
	endpoints, prefix := cluster.Endpoints(t), cluster.Prefix()
	storetest.RunNetworked(t, storetest.Engine{
		Address: cluster.Address(t),
		Open: func(t *testing.T, through string) store.Store {
			if through != "" {
				return open(t, []string{"http://" + through}, prefix)
			}
			return open(t, endpoints, prefix)
		},
	})
}

// open opens a store until the test ends.
func open(t testing.TB, endpoints []string, prefix string) *etcdstore.Store {
	t.Helper()
	s, err := etcdstore.Open(t.Context(), endpoints, prefix, etcdstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// raw is a client of etcd's own, to look at what the store wrote.
func raw(t testing.TB, endpoints ...string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// newProxy stands before the shared member.
func newProxy(t *testing.T) *storetest.Proxy {
	t.Helper()
	return storetest.NewProxy(t, cluster.Address(t))
}
