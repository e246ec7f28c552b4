package etcdstore_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/signet-id/signet/internal/enginetest"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/etcdstore"
)

func TestOpenRefusesWhatCannotBeMeant(t *testing.T) {
	const good = "https://10.0.0.1:2379"
	for name, c := range map[string]struct {
		endpoints []string
		prefix    string
		opts      etcdstore.Options
		says      string
	}{
		"no endpoint":           {nil, "signet", etcdstore.Options{}, "at least one endpoint"},
		"no scheme":             {[]string{"10.0.0.1:2379"}, "signet", etcdstore.Options{}, "https://etcd-1"},
		"no port":               {[]string{"https://10.0.0.1"}, "signet", etcdstore.Options{}, "a port"},
		"another scheme":        {[]string{"etcd://10.0.0.1:2379"}, "signet", etcdstore.Options{}, `scheme "etcd"`},
		"a password in the URL": {[]string{"https://u:hunter2@10.0.0.1:2379"}, "signet", etcdstore.Options{}, "host and a port alone"},
		"a mixture":             {[]string{good, "http://10.0.0.2:2379"}, "signet", etcdstore.Options{}, "make all of them https"},
		"no prefix":             {[]string{good}, "/", etcdstore.Options{}, "prefix"},
		"a long prefix":         {[]string{good}, strings.Repeat("p", 65), etcdstore.Options{}, "prefix"},
		"a password in clear":   {[]string{"http://10.0.0.1:2379"}, "signet", etcdstore.Options{Username: "u", Password: secret.New("hunter2")}, "not encrypted"},
		"a CA and no TLS":       {[]string{"http://10.0.0.1:2379"}, "signet", etcdstore.Options{CA: "ca.pem"}, "not encrypted"},
		"a CA that is not there": {[]string{good}, "signet", etcdstore.Options{CA: filepath.Join(t.TempDir(), "ca.pem")},
			"vouch for etcd"},
		"a certificate that is not there": {[]string{good}, "signet", etcdstore.Options{Cert: "no.pem", Key: "no.key"}, "no.pem"},
	} {
		_, err := etcdstore.Open(t.Context(), c.endpoints, c.prefix, c.opts)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want one of kind invalid that says %q", name, err, c.says)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password", name)
		}
	}
}

func TestOpenSaysWhichClusterDoesNotAnswer(t *testing.T) {
	_, err := etcdstore.Open(t.Context(), []string{"http://127.0.0.1:1"}, "signet", etcdstore.Options{})
	if fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "http://127.0.0.1:1") {
		t.Errorf("got %v, want one of kind unavailable that names the endpoint", err)
	}
}

func TestOpenRefusesKeysOfAnotherFormat(t *testing.T) {
	endpoints, prefix := cluster.Endpoints(t), cluster.Prefix()
	if _, err := raw(t, endpoints...).Put(t.Context(), prefix+"/format", "2"); err != nil {
		t.Fatal(err)
	}
	_, err := etcdstore.Open(t.Context(), endpoints, prefix, etcdstore.Options{})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `"2"`) {
		t.Errorf("got %v, want a refusal that names the format", err)
	}
}

// TestAuthentication gives a user the one prefix and nothing else, which is all
// that the manual tells an operator to do.
func TestAuthentication(t *testing.T) {
	guarded := &enginetest.Etcd{Flags: []string{"--auth-token-ttl", "1", "--bcrypt-cost", "4"}}
	t.Cleanup(func() { stop(t, guarded) })
	endpoints := guarded.Endpoints(t)
	root, ctx := raw(t, endpoints...), t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(root.RoleAdd(ctx, "signet"))
	must(root.RoleGrantPermission(ctx, "signet", "signet/", clientv3.GetPrefixRangeEnd("signet/"), clientv3.PermissionType(clientv3.PermReadWrite)))
	must(root.UserAdd(ctx, "signet", "right"))
	must(root.UserGrantRole(ctx, "signet", "signet"))
	must(root.UserAdd(ctx, "root", "root"))
	must(root.UserGrantRole(ctx, "root", "root"))
	must(root.AuthEnable(ctx))

	named := func(name, password string) etcdstore.Options {
		return etcdstore.Options{Username: name, Password: secret.New(password)}
	}
	for what, c := range map[string]struct {
		prefix string
		opts   etcdstore.Options
		says   string
	}{
		"nobody":           {"signet", etcdstore.Options{}, "demands a user"},
		"a wrong password": {"signet", named("signet", "hunter2"), "refuses"},
		"a wrong name":     {"signet", named("nobody", "hunter2"), "refuses"},
		"another's keys":   {"other", named("signet", "right"), "grant its role"},
	} {
		_, err := etcdstore.Open(ctx, endpoints, c.prefix, c.opts)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want one of kind invalid that says %q", what, err, c.says)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password", what)
		}
	}

	s, err := etcdstore.Open(ctx, endpoints, "signet", named("signet", "right"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w, err := s.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // the token lasts a second: a new one is fetched without anybody's noticing
		v, err := s.Commit(ctx, store.Put("a", []byte("x")).Until(time.Now().Add(time.Hour)), store.Put("b", nil))
		if err != nil {
			t.Fatal(err)
		}
		if e := next(t, w); e.Version != v {
			t.Errorf("event %d is %+v, want version %d", i, e, v)
		}
		next(t, w)
		if r, err := s.Get(ctx, "a"); err != nil || r[0].Version != v {
			t.Fatalf("Get = %+v, %v", r, err)
		}
		time.Sleep(1500 * time.Millisecond)
	}
}

func TestTLSWithCertificatesOnBothSides(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	ca.issue(t, dir, "server")
	ca.issue(t, dir, "node")
	stranger := newAuthority(t, dir, "stranger")
	stranger.issue(t, dir, "foreign")
	file := func(name string) string { return filepath.Join(dir, name) }
	encrypted := &enginetest.Etcd{
		Secure: true, Client: ca.client(t, file("node.pem"), file("node.key")),
		Flags: []string{"--cert-file", file("server.pem"), "--key-file", file("server.key"), "--trusted-ca-file", file("ca.pem"), "--client-cert-auth"},
	}
	t.Cleanup(func() { stop(t, encrypted) })
	endpoints := encrypted.Endpoints(t)

	good := etcdstore.Options{CA: file("ca.pem"), Cert: file("node.pem"), Key: file("node.key")}
	for what, opts := range map[string]etcdstore.Options{
		"the system's authorities":       {Cert: good.Cert, Key: good.Key},
		"another authority":              {CA: file("stranger.pem"), Cert: good.Cert, Key: good.Key},
		"no certificate of its own":      {CA: good.CA},
		"a certificate that others gave": {CA: good.CA, Cert: file("foreign.pem"), Key: file("foreign.key")},
	} {
		s, err := etcdstore.Open(t.Context(), endpoints, "signet", opts)
		if fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: got %v, want one of kind unavailable", what, err)
		}
		if err == nil {
			s.Close()
		}
	}
	s, err := etcdstore.Open(t.Context(), endpoints, "signet", good)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Commit(t.Context(), store.Put("a", nil)); err != nil {
		t.Fatal(err)
	}
	// A certificate that was renewed is used for the next connection.
	for _, name := range []string{"node.pem", "node.key"} {
		if err := os.Remove(file(name)); err != nil {
			t.Fatal(err)
		}
	}
	ca.issue(t, dir, "node")
	encrypted.Kill(t, 0)
	encrypted.Client = ca.client(t, file("node.pem"), file("node.key"))
	encrypted.Restart(t, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		_, err := s.Commit(ctx, store.Put("a", nil))
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("after its certificate was renewed the node got %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func stop(t testing.TB, c *enginetest.Etcd) {
	t.Helper()
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}

// next returns the next event, which must come soon.
func next(t *testing.T, w store.Watch) store.Event {
	t.Helper()
	select {
	case e, ok := <-w.Events():
		if !ok {
			t.Fatalf("the Watch ended: %v", w.Err())
		}
		return e
	case <-time.After(time.Minute):
		t.Fatal("no event came")
	}
	return store.Event{}
}
