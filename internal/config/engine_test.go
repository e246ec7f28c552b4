package config_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/secret"
)

func engine(t *testing.T, text string) config.Engine {
	t.Helper()
	e, err := config.ParseEngine(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

func TestEachEngineIsNamedByItsURL(t *testing.T) {
	for text, want := range map[string]string{
		"bolt:signet.db":                                              "signet.db",
		"bolt:///var/lib/signet/signet.db":                            "/var/lib/signet/signet.db",
		"postgres://signet:hunter2@db.example.com/signet":             "postgres://signet@db.example.com/signet",
		"postgresql://signet:hun%40ter2@a:5432,b:5432/signet?x=y":     "postgres://signet@a:5432,b:5432/signet",
		"postgres:///signet?host=/run/postgresql":                     "postgres:///signet",
		"etcd://a:2379,b:2379,c:2379/signet":                          "etcd://a:2379,b:2379,c:2379/signet",
		"etcd://root:hunter2@127.0.0.1:2379/a/b/?ca=/etc/signet/ca":   "etcd://127.0.0.1:2379/a/b",
		"etcd://a:2379/signet?cert=/etc/signet/c&key=/etc/signet/key": "etcd://a:2379/signet",
	} {
		if e := engine(t, text); e.Name() != want {
			t.Errorf("%s is called %s, want %s", text, e.Name(), want)
		}
	}
	e := engine(t, "etcd://root:hun%40ter2@a:2379,b:2379/a/b/")
	if !slices.Equal(e.Endpoints, []string{"a:2379", "b:2379"}) || e.Prefix != "a/b/" || e.User != "root" || e.Password.Reveal() != "hun@ter2" {
		t.Errorf("etcd's URL was read as %+v", e)
	}
}

// What travels to an engine opens sessions, so nobody may stand in its place.
func TestAnEngineOnAnotherMachineMustProveWhoItIs(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://u@db.example.com/signet":                                 "sslmode=verify-full",
		"postgres://u@db.example.com/signet?sslmode=verify-ca&sslrootcert=x": "sslmode=verify-ca",
		"postgres://u@127.0.0.1/signet?sslmode=disable":                      "sslmode=disable",
	} {
		if full := engine(t, text).URL.Reveal(); !strings.Contains(full, want) {
			t.Errorf("%s became %s, want %s in it", text, full, want)
		}
	}
	for _, mode := range []string{"disable", "allow", "prefer", "require", "verify-fuller"} {
		for _, at := range []string{"postgres://u@db.example.com/signet?sslmode=", "postgres://u@127.0.0.1,db/signet?sslmode=", "postgres:///signet?host=db&sslmode="} {
			if _, err := config.ParseEngine(at + mode); err == nil {
				t.Errorf("%s%s is accepted", at, mode)
			}
		}
	}
	for text, want := range map[string]bool{
		"etcd://a:2379/s": true, "etcd://127.0.0.1:2379,a:2379/s": true, "etcd://127.0.0.1:2379/s?ca=x": true,
		"etcd://127.0.0.1:2379,[::1]:2379/s": false,
	} {
		if e := engine(t, text); e.TLS.On != want {
			t.Errorf("%s: TLS = %v, want %v", text, e.TLS.On, want)
		}
	}
}

func TestWhatIsNoEngineIsRefusedWithoutItsPassword(t *testing.T) {
	for _, text := range []string{
		"postgres:signet:hunter2@db/signet", "postgres://signet:hunter2@db", "postgres://signet:hunter2@db/", "postgres://signet:hunter2%zz@db/signet",
		"postgres://db/signet?password=hunter2", "postgres://signet:hunter2@db/signet?sslmode=disable", "postgres://signet:hunter2@db/signet#x",
		"etcd://root:hunter2@a/signet", "etcd://root:hunter2@a:2379", "etcd://root:hunter2@a:2379/s?tls=no", "etcd://root:hunter2@:2379/s",
		"etcd://root:hunter2@a:2379/s?cert=x", "etcd://root:hunter2@a:port/s", "mysql://root:hunter2@a/b", "signet.db",
	} {
		_, err := config.ParseEngine(text)
		if err == nil {
			t.Errorf("%s is accepted", text)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in: %v", err)
		}
	}
}

func TestThePasswordOfAnEngineIsNeverShown(t *testing.T) {
	cfg := config.Default()
	cfg.Issuer = "https://id.example.com"
	for _, at := range []string{"postgres://signet:hunter2@db.example.com/signet", "etcd://signet:hunter2@a:2379/signet"} {
		cfg.Store = at
		text, err := cfg.YAML()
		if err != nil {
			t.Fatal(err)
		}
		e := cfg.Engine()
		for _, shown := range []string{string(text), e.Name(), fmt.Sprintf("%v %+v %#v", e, e, e), cfg.StorePath(), cfg.SocketPath(), cfg.KeyFilePath()} {
			if strings.Contains(shown, "hunter2") {
				t.Errorf("the password is in: %s", shown)
			}
		}
	}
}

func TestAPasswordComesFromOnePlace(t *testing.T) {
	const bare, full = "postgres://signet@db.example.com/signet", "postgres://signet:one@db.example.com/signet"
	keyed := func(change func(*config.Config)) func(*config.Config) {
		return func(c *config.Config) { c.Keys.EncryptionKeyFile = "key"; change(c) }
	}
	for name, tc := range map[string]struct {
		want   string
		change func(*config.Config)
	}{
		"none":                {"", func(c *config.Config) { c.Store = bare }},
		"in the URL":          {"", func(c *config.Config) { c.Store = full }},
		"in the environment":  {"", func(c *config.Config) { c.Store, c.StorePassword = bare, secret.New("two") }},
		"in a file":           {"", func(c *config.Config) { c.Store, c.StorePasswordFile = bare, "three" }},
		"in URL and file":     {"store", func(c *config.Config) { c.Store, c.StorePasswordFile = full, "three" }},
		"in URL and variable": {"store", func(c *config.Config) { c.Store, c.StorePassword = full, secret.New("two") }},
		"in variable and file": {"store_password", func(c *config.Config) {
			c.Store, c.StorePassword, c.StorePasswordFile = bare, secret.New("two"), "three"
		}},
		"of nobody":             {"store_password_file", func(c *config.Config) { c.Store, c.StorePasswordFile = "etcd://a:2379/s", "three" }},
		"of nobody, a variable": {"store_password", func(c *config.Config) { c.Store, c.StorePassword = "etcd://a:2379/s", secret.New("two") }},
	} {
		if got := strings.Join(wrong(t, keyed(tc.change)), " "); got != tc.want {
			t.Errorf("%s: problems with %q, want %q", name, got, tc.want)
		}
	}
	cfg := config.Config{Store: bare, StorePassword: secret.New("t/w:o@")}
	if got := cfg.Engine().URL.Reveal(); !strings.HasPrefix(got, "postgres://signet:t%2Fw%3Ao%40@db.example.com/signet?") {
		t.Errorf("the URL became %s", got)
	}
}

// With an engine that nodes share, each would make a key of its own.
func TestNodesThatShareAnEngineAreGivenTheirKey(t *testing.T) {
	for _, at := range []string{"postgres://u@db/s", "etcd://a:2379/s"} {
		if got := wrong(t, func(c *config.Config) { c.Store = at }); !slices.Equal(got, []string{"keys.encryption_key_file"}) {
			t.Errorf("%s without a key: problems with %v", at, got)
		}
		if got := wrong(t, func(c *config.Config) { c.Store, c.Keys.EncryptionKeyFile = at, "key" }); len(got) != 0 {
			t.Errorf("%s with a key: problems with %v", at, got)
		}
	}
}

// Whatever the password, it arrives, and is in nothing that is shown.
func FuzzAPasswordArrivesAndIsNotShown(f *testing.F) {
	f.Add("postgres", "hunter2-hunter2")
	f.Add("etcd", "a:b@c/d?e=f#g%h,i j")
	f.Fuzz(func(t *testing.T, scheme, password string) {
		if scheme != config.Postgres && scheme != config.Etcd || len(password) < 8 {
			return
		}
		text := scheme + "://" + url.UserPassword("u", password).String() + "@db.example.com:2379/signet"
		e := engine(t, text)
		if got := e.Password.Reveal(); got != password {
			t.Errorf("%q arrived as %q", password, got)
		}
		cfg := config.Config{Store: text}
		yaml, err := cfg.YAML()
		if err != nil {
			t.Fatal(err)
		}
		for _, shown := range []string{e.Name(), fmt.Sprintf("%+v", e), string(yaml)} {
			if strings.Contains(shown, url.PathEscape(password)) && !strings.Contains("u@db.example.com:2379/signet", password) {
				t.Errorf("%q is in %s", password, shown)
			}
		}
	})
}
