package etcdstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/secret"
)

// The client keeps a connection to each member, asks whether it is alive when
// it was silent for a while, and never waits long before it tries again.
const (
	keepAlive        = 10 * time.Second // the shortest that etcd's and grpc's own limits allow
	keepAliveTimeout = 3 * time.Second
	reconnectFirst   = 100 * time.Millisecond
	reconnectMax     = 2 * time.Second
	connectTimeout   = 3 * time.Second
)

// maxPrefix leaves room for what the contract allows within etcd's own limits.
const maxPrefix = 64

// Options are what etcd may ask of its clients; the zero value is for one that
// asks nothing.
type Options struct {
	// CA is the file with the certificates of who vouches for etcd's, in PEM;
	// empty means those that the system trusts. Cert and Key are the files of this
	// node's own certificate; they are read anew for each connection, so that a
	// renewed one needs no restart.
	CA, Cert, Key string

	// Username and Password are for a cluster with authentication.
	Username string
	Password secret.Value

	// Logger receives what no caller can be told. Nil discards it.
	Logger *slog.Logger
}

// Open opens the store whose keys begin with prefix, in the cluster that the
// endpoints are members of: URLs with http or https, a host and a port. It
// fails, with what to do, unless the cluster answers and lets this node in. Who
// opens closes.
func Open(ctx context.Context, endpoints []string, prefix string, opts Options) (*Store, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	names := space{prefix: strings.Trim(prefix, "/")}
	if names.prefix == "" || len(names.prefix) > maxPrefix {
		return nil, fault.New(fault.Invalid, "a store in etcd has a prefix of 1 to %d bytes, such as signet", maxPrefix)
	}
	encrypted, err := examine(endpoints, opts)
	if err != nil {
		return nil, err
	}
	config, err := configure(endpoints, encrypted, opts)
	if err != nil {
		return nil, err
	}
	life, finish := context.WithCancel(context.WithoutCancel(ctx))
	config.Context = life
	stop := context.AfterFunc(ctx, finish) // the library's opening has no context of its own
	client, err := clientv3.New(config)
	if err != nil {
		stop()
		finish()
		return nil, openFault(ctx, endpoints, opts, err)
	}
	s := &Store{
		client: client, space: names, logger: opts.Logger, finish: finish, closing: make(chan struct{}),
		leases: &leases{client: client, life: life, byEnd: map[int64]*lease{}},
	}
	err = s.settle(ctx)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(openFault(ctx, endpoints, opts, err), s.Close())
	}
	return s, nil
}

// settle looks who wrote under the prefix, and signs it if nobody did.
func (s *Store) settle(ctx context.Context) error {
	const format = "1"
	var found *clientv3.GetResponse
	err := s.read(ctx, func(ctx context.Context) (err error) {
		found, err = s.client.Get(ctx, s.space.format())
		return err
	})
	if err != nil {
		return err
	}
	if len(found.Kvs) == 0 {
		unsigned := clientv3.Compare(clientv3.ModRevision(s.space.format()), "=", 0)
		answer, err := s.transact(ctx, []clientv3.Cmp{unsigned}, []clientv3.Op{clientv3.OpPut(s.space.format(), format)}, nil)
		if err != nil || answer.Succeeded {
			return err
		}
		return s.settle(ctx) // another node came first
	}
	if have := string(found.Kvs[0].Value); have != format {
		return fault.New(fault.Invalid, "the keys under %q in etcd have the format %q, this release knows %q: choose another prefix, or the release that wrote them",
			s.space.prefix, have, format)
	}
	return nil
}

// examine judges the endpoints, and reports whether connections are encrypted.
func examine(endpoints []string, opts Options) (encrypted bool, err error) {
	const example = "write https://etcd-1.example.com:2379"
	if len(endpoints) == 0 {
		return false, fault.New(fault.Invalid, "a store in etcd needs at least one endpoint: %s", example)
	}
	for i, endpoint := range endpoints {
		u, err := url.Parse(endpoint)
		switch {
		case err != nil || u.Host == "" || u.Port() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
			return false, fault.New(fault.Invalid, "endpoint %d of etcd is not a URL with a host and a port alone: %s", i+1, example)
		case u.Scheme != "http" && u.Scheme != "https":
			return false, fault.New(fault.Invalid, "endpoint %d of etcd has the scheme %q: %s", i+1, u.Scheme, example)
		case i > 0 && encrypted != (u.Scheme == "https"):
			return false, fault.New(fault.Invalid, "some endpoints of etcd are https and some are not: make all of them https")
		}
		encrypted = u.Scheme == "https"
		if !encrypted && (!opts.Password.Absent() || opts.CA != "" || opts.Cert != "") && !isLoopback(u.Hostname()) {
			return false, fault.New(fault.Invalid, "endpoint %d of etcd is not encrypted, and would be told a password or is expected to have a certificate: %s", i+1, example)
		}
	}
	return encrypted, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func configure(endpoints []string, encrypted bool, opts Options) (clientv3.Config, error) {
	config := clientv3.Config{
		Endpoints:            endpoints,
		DialTimeout:          patience,
		MaxUnaryRetries:      3, // for an expired token; repeat does the rest
		DialKeepAliveTime:    keepAlive,
		DialKeepAliveTimeout: keepAliveTimeout,
		Username:             opts.Username,
		Password:             opts.Password.Reveal(),
		Logger:               zap.NewNop(), // what it knows is in the errors that it returns
		DialOptions: []grpc.DialOption{
			grpc.WithChainUnaryInterceptor(carefully),
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: reconnectFirst, Multiplier: 1.6, Jitter: 0.2, MaxDelay: reconnectMax},
				MinConnectTimeout: connectTimeout,
			}),
		},
	}
	if !encrypted {
		return config, nil
	}
	config.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if opts.CA != "" {
		pem, err := os.ReadFile(opts.CA)
		if err != nil {
			return config, fault.Wrap(fault.Invalid, err, "the certificates that vouch for etcd cannot be read")
		}
		config.TLS.RootCAs = x509.NewCertPool()
		if !config.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return config, fault.New(fault.Invalid, "%s holds no certificate in PEM", opts.CA)
		}
	}
	if opts.Cert == "" && opts.Key == "" {
		return config, nil
	}
	load := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(opts.Cert, opts.Key)
		if err != nil {
			return nil, fmt.Errorf("reading this node's certificate for etcd: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(nil); err != nil {
		return config, fault.Wrap(fault.Invalid, err, "the certificate for etcd in %s and its key in %s cannot be used", opts.Cert, opts.Key)
	}
	config.TLS.GetClientCertificate = load
	return config, nil
}

// openFault says why the cluster cannot be used, and what to do. The endpoints
// hold no password: examine sees to that.
func openFault(ctx context.Context, endpoints []string, opts Options, err error) error {
	where := strings.Join(endpoints, ", ")
	switch {
	case fault.KindOf(err) == fault.Invalid, errors.Is(ctx.Err(), context.Canceled):
		return err
	case errors.Is(err, rpctypes.ErrAuthFailed), errors.Is(err, rpctypes.ErrUserNotFound):
		return fault.Wrap(fault.Invalid, err, "etcd at %s refuses the name %q or its password", where, opts.Username)
	case errors.Is(err, rpctypes.ErrUserEmpty):
		return fault.Wrap(fault.Invalid, err, "etcd at %s demands a user: name one, with a password", where)
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		return fault.Wrap(fault.Invalid, err, "etcd at %s lets %q not read and write the keys of the store: grant its role readwrite on their prefix", where, opts.Username)
	}
	e := fault.Wrap(fault.Unavailable, err, "the store in etcd at %s cannot be opened: it does not answer, or not as was expected", where)
	e.RetryAfter = comeBack
	return e
}
