package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/signet-id/signet/internal/secret"
)

// The kinds of engine that the key store can name.
const (
	Bolt     = "bolt"
	Postgres = "postgres"
	Etcd     = "etcd"
)

// Engine is where the records live, as the key store says. A password never shows:
// Name is what may be printed.
type Engine struct {
	Kind         string
	Path         string       // of bolt: its file
	URL          secret.Value // of postgres: all of it, but for PasswordFile
	Endpoints    []string     // of etcd: host:port
	Prefix       string       // of etcd: what all keys begin with
	User         string
	Password     secret.Value
	PasswordFile string // read by whoever opens the engine
	TLS          EngineTLS

	hosts []string
}

// EngineTLS is how an engine of etcd is reached; PostgreSQL's URL has its own.
type EngineTLS struct {
	On               bool
	CA               string // empty: the system's
	Certificate, Key string
}

// ParseEngine reads what the key store, or --from and --to, may say. A failure
// never repeats the text, which may hold a password.
func ParseEngine(text string) (Engine, error) {
	e, p := parseEngine(text)
	if p.Text != "" {
		return Engine{}, Problems{p}
	}
	return e, nil
}

// Engine is the key store with its password. c is valid.
func (c Config) Engine() Engine {
	e, _ := parseEngine(c.Store)
	return e.WithPassword(c.StorePassword, c.StorePasswordFile)
}

// WithPassword is e with a password that is not in its URL; absent ones change
// nothing.
func (e Engine) WithPassword(password secret.Value, file string) Engine {
	if file != "" {
		e.PasswordFile = file
	}
	if password.Absent() {
		return e
	}
	e.Password = password
	if u, err := url.Parse(e.URL.Reveal()); e.Kind == Postgres && err == nil {
		u.User = url.UserPassword(e.User, password.Reveal())
		e.URL = secret.New(u.String())
	}
	return e
}

// Name says which engine it is, without a password.
func (e Engine) Name() string {
	switch e.Kind {
	case Postgres:
		name := "postgres://"
		if e.User != "" {
			name += e.User + "@"
		}
		return name + strings.Join(e.hosts, ",") + e.Prefix
	case Etcd:
		return "etcd://" + strings.Join(e.Endpoints, ",") + "/" + strings.Trim(e.Prefix, "/")
	}
	return e.Path
}

// Folder is where the server's own files are: next to a bolt store, else where the
// server was started.
func (e Engine) Folder() string { return filepath.Dir(e.Path) }

// Shared reports whether several nodes may use the engine at once.
func (e Engine) Shared() bool { return e.Kind == Postgres || e.Kind == Etcd }

const (
	boltExample     = "write bolt:///var/lib/signet/signet.db"
	postgresExample = "write postgres://signet@db.example.com/signet"
	etcdExample     = "write etcd://a.example.com:2379,b.example.com:2379,c.example.com:2379/signet"
)

func bad(text, fix string) (Engine, Problem) {
	return Engine{}, Problem{Key: "store", Text: text, Fix: fix}
}

func parseEngine(text string) (Engine, Problem) {
	scheme, rest, found := strings.Cut(text, ":")
	switch {
	case !found:
		return bad("does not name an engine", boltExample)
	case scheme == Bolt:
		return parseBolt(rest)
	case scheme == Etcd || scheme == Postgres || scheme == "postgresql":
	default:
		return bad(fmt.Sprintf("there is no engine %q", scheme), boltExample+", postgres://… or etcd://…")
	}
	u, ok := splitURL(rest)
	switch {
	case !ok && scheme == Etcd:
		return bad("is not a URL of etcd", etcdExample)
	case !ok:
		return bad("is not a URL of PostgreSQL", postgresExample)
	case scheme == Etcd:
		return u.etcd()
	}
	return u.postgres()
}

func parseBolt(rest string) (Engine, Problem) {
	path := strings.TrimPrefix(rest, "//")
	switch {
	case strings.HasPrefix(rest, "//") && !strings.HasPrefix(rest, "///"):
		return bad("names a host, but a bolt store is a file on this machine",
			"write three slashes for an absolute path (bolt:///var/lib/signet/signet.db), none for a relative one (bolt:signet.db)")
	case path == "" || strings.HasSuffix(rest, "/"):
		return bad("does not name a file", boltExample)
	}
	return Engine{Kind: Bolt, Path: path}, Problem{}
}

// engineURL is a URL that may name several hosts, which net/url does not read.
type engineURL struct {
	user, password string
	hosts          []string
	path           string
	query          url.Values
}

func splitURL(rest string) (u engineURL, ok bool) {
	rest, ok = strings.CutPrefix(rest, "//")
	if !ok || strings.Contains(rest, "#") {
		return u, false
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		user, password, _ := strings.Cut(authority[:i], ":")
		var errs [2]error
		u.user, errs[0] = url.PathUnescape(user)
		u.password, errs[1] = url.PathUnescape(password)
		if errs != [2]error{} {
			return u, false
		}
		authority = authority[i+1:]
	}
	u.hosts, u.path = strings.Split(authority, ","), path
	values, err := url.ParseQuery(query)
	u.query = values
	return u, err == nil
}

func (u engineURL) etcd() (Engine, Problem) {
	for _, host := range u.hosts {
		if text, _ := wrongAddress(host); text != "" || strings.HasPrefix(host, ":") {
			return bad("names an endpoint without a host or a port", etcdExample)
		}
	}
	for name := range u.query {
		if !slices.Contains([]string{"ca", "cert", "key"}, name) {
			return bad(fmt.Sprintf("has the parameter %q, which etcd's URL does not have", name),
				"keep ca, cert and key: the PEM files of the authority, of the client's certificate and of its key")
		}
	}
	prefix := strings.Trim(u.path, "/")
	if prefix == "" {
		return bad("does not say what the keys begin with", etcdExample)
	}
	tls := EngineTLS{CA: u.query.Get("ca"), Certificate: u.query.Get("cert"), Key: u.query.Get("key")}
	if (tls.Certificate == "") != (tls.Key == "") {
		return bad("has one of cert and key", "name both, or neither")
	}
	tls.On = tls.CA != "" || tls.Certificate != "" || slices.ContainsFunc(u.hosts, func(h string) bool { return !isLoopback(h) })
	return Engine{
		Kind: Etcd, Endpoints: u.hosts, Prefix: prefix + "/", User: u.user, Password: secret.New(u.password), TLS: tls, hosts: u.hosts,
	}, Problem{}
}

// postgres has a remote server prove who it is: what travels there are the hashes
// of passwords, and what sessions are found by.
func (u engineURL) postgres() (Engine, Problem) {
	if u.path == "" {
		return bad("does not name a database", postgresExample)
	}
	if u.query.Has("password") {
		return bad("has its password in the query, where logs would show it", "use store_password or store_password_file")
	}
	local := !slices.ContainsFunc(append(slices.Clone(u.hosts), u.query["host"]...), func(h string) bool {
		return h != "" && !strings.HasPrefix(h, "/") && !isLoopback(h)
	})
	switch mode := u.query.Get("sslmode"); {
	case local, mode == "verify-full", mode == "verify-ca":
	case mode == "":
		u.query.Set("sslmode", "verify-full")
	default:
		return bad(fmt.Sprintf("has sslmode=%s, by which anybody could pose as the server", mode),
			"write sslmode=verify-full, and sslrootcert=FILE for an authority of your own")
	}
	full := url.URL{Scheme: Postgres, Host: strings.Join(u.hosts, ","), Path: "/" + u.path, RawQuery: u.query.Encode()}
	switch {
	case u.password != "":
		full.User = url.UserPassword(u.user, u.password)
	case u.user != "":
		full.User = url.User(u.user)
	}
	return Engine{
		Kind: Postgres, URL: secret.New(full.String()), Prefix: full.Path, User: u.user, Password: secret.New(u.password), hosts: u.hosts,
	}, Problem{}
}

// wrongStore never repeats the value: it may hold a password.
func wrongStore(c Config) (text, fix string) {
	e, p := parseEngine(c.Store)
	switch {
	case p.Text != "":
		return p.Text, p.Fix
	case !e.Password.Absent() && (!c.StorePassword.Absent() || c.StorePasswordFile != ""):
		return "the password comes from two places", onePassword
	}
	return "", ""
}

const onePassword = "keep one of store_password, store_password_file and the password in store"

func wrongStorePassword(c Config) (text, fix string) {
	e, _ := parseEngine(c.Store)
	switch {
	case c.StorePassword.Absent():
	case c.StorePasswordFile != "":
		return "the password comes from two places", onePassword
	case e.Shared() && e.User == "":
		return "is for nobody: store names no user", "write the user before the host: postgres://signet@db.example.com/signet"
	}
	return "", ""
}

func wrongStorePasswordFile(c Config) (text, fix string) {
	switch e, _ := parseEngine(c.Store); {
	case c.StorePasswordFile == "":
	case e.Shared() && e.User == "":
		return "is for nobody: store names no user", "write the user before the host: postgres://signet@db.example.com/signet"
	}
	return "", ""
}

// maskStore hides the password of a URL, wherever the whole of it is shown.
func maskStore(text string) string {
	scheme, rest, found := strings.Cut(text, "://")
	at := strings.LastIndex(rest, "@")
	if !found || at < 0 {
		return text
	}
	user, _, has := strings.Cut(rest[:at], ":")
	if !has {
		return text
	}
	return scheme + "://" + user + ":…@" + rest[at+1:]
}
