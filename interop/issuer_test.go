package interop

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/internal/user"
)

const (
	callback = "https://app.example/cb"
	password = "a long walk by the river"
)

// issuer is a running server on loopback.
type issuer struct {
	*app.App
	url    string
	roots  *x509.CertPool // nil over plain HTTP
	secret secret.Value
}

// serve starts the composed server, over TLS when secure.
func serve(t *testing.T, secure bool) *issuer {
	t.Helper()
	dir := t.TempDir()
	address := freeAddress(t)
	cfg := config.Default()
	cfg.Issuer, cfg.HTTP.Address = "http://"+address, address
	cfg.Store = "bolt:" + filepath.Join(dir, "signet.db")
	cfg.Metrics.Address = config.Off
	is := &issuer{secret: client.NewSecret()}
	if secure {
		cfg.Issuer = "https://" + address
		cfg.HTTP.TLS.Certificate, cfg.HTTP.TLS.Key, is.roots = certificate(t, dir)
	}
	config.LoopbackHTTP(&cfg)
	a, err := app.New(t.Context(), cfg, app.Options{Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	is.App, is.url = a, cfg.Issuer
	if _, err := a.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, a.Close()); err != nil {
			t.Error(err)
		}
	})
	return is
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// certificate writes a certificate for 127.0.0.1 and returns who trusts it.
func certificate(t *testing.T, dir string) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signet"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := errors.Join(
		os.WriteFile(certFile, cert, 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return certFile, keyFile, roots
}

// httpClient trusts the issuer's certificate, and keeps cookies if asked to.
func (is *issuer) httpClient(t *testing.T, cookies bool) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: is.roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	c := &http.Client{Transport: transport}
	if cookies {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Jar = jar
	}
	return c
}

// people registers alice and a client of each algorithm.
func (is *issuer) people(t *testing.T, algs ...string) user.User {
	t.Helper()
	hash, err := is.Operator.Passwords.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	alice, err := is.Operator.Users.Create(t.Context(), user.User{Login: "alice", Name: "Alice", Email: "alice@example.com", Password: hash})
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range algs {
		c := client.Client{ID: "app-" + alg, FirstParty: true, RedirectURIs: []string{callback}, PKCE: true, IDTokenAlg: alg}
		c.Rotate(is.secret, time.Now())
		if _, err := is.Operator.Clients.Create(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	return alice
}

var journeyField = regexp.MustCompile(`name="journey" value="([^"]*)"`)

// person walks the pages from an authorization URL to the client's address,
// which is read and not visited.
func (is *issuer) person(t *testing.T, start string) url.Values {
	t.Helper()
	browser := is.httpClient(t, true)
	var landed *url.URL
	browser.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "app.example" {
			landed = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}
	body := fetch(t, browser, http.MethodGet, start, nil)
	m := journeyField.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no sign-in page: %s", body)
	}
	fetch(t, browser, http.MethodPost, is.url+"/signin", url.Values{"journey": {m[1]}, "login": {"alice"}, "password": {password}})
	if landed == nil {
		t.Fatal("the browser never came back to the client")
	}
	return landed.Query()
}
