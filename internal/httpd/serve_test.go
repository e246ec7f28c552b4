package httpd_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/httpd"
	"github.com/signet-id/signet/internal/telemetry"
)

// dial opens a plain connection for what no client library would send.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestAnOversizedHeaderIs431(t *testing.T) {
	s, _ := newServer(t, nil)
	s.Echo().GET("/", ok)
	addr := run(t, s)
	for size, want := range map[int]int{8 << 10: 200, 32 << 10: 431} {
		conn := dial(t, addr)
		// The server may hang up while the rest is still on its way.
		_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Padding: %s\r\n\r\n", strings.Repeat("x", size))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("a header of %d bytes = %d, want %d", size, resp.StatusCode, want)
		}
	}
}

func TestAClientThatDribblesItsHeaderIsCut(t *testing.T) {
	s, _ := newServer(t, func(o *httpd.Options) { o.Timeout = 200 * time.Millisecond })
	s.Echo().GET("/", ok)
	conn := dial(t, run(t, s))
	began := time.Now()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	go func() { // ends when the server, or the test, closes the connection
		for {
			if _, err := io.WriteString(conn, "X: y\r\n"); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	if _, err := io.ReadAll(conn); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("the server still listens after %s", time.Since(began))
	}
}

func TestAClientThatDribblesItsBodyIsCut(t *testing.T) {
	s, _ := newServer(t, func(o *httpd.Options) { o.Timeout = 200 * time.Millisecond })
	read := make(chan error, 1)
	s.Echo().POST("/", func(c echo.Context) error {
		_, err := io.ReadAll(c.Request().Body)
		read <- err
		return err
	})
	conn := dial(t, run(t, s))
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nslow"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-read:
		if err == nil {
			t.Error("the handler read a body that never came")
		}
	case <-time.After(time.Minute):
		t.Error("the handler still waits for the body")
	}
}

func TestAStreamMayOutliveTheTimeoutsThatItLifts(t *testing.T) {
	const timeout = 250 * time.Millisecond
	s, _ := newServer(t, func(o *httpd.Options) { o.Timeout = timeout })
	stream := func(lift bool) echo.HandlerFunc {
		return func(c echo.Context) error {
			if control := http.NewResponseController(c.Response()); lift {
				if err := errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})); err != nil {
					return err
				}
			}
			time.Sleep(4 * timeout)
			if err := c.Request().Context().Err(); err != nil {
				return err
			}
			return ok(c)
		}
	}
	s.Echo().GET("/stream", stream(true))
	s.Echo().GET("/slow", stream(false))
	addr := run(t, s)
	if got := fetch(t, http.DefaultClient, "http://"+addr+"/stream"); got != "200 ok" {
		t.Errorf("the stream got %q", got)
	}
	if got := fetch(t, http.DefaultClient, "http://"+addr+"/slow"); strings.HasPrefix(got, "200") {
		t.Errorf("a request that lifts nothing got %q after the timeout", got)
	}
}

func TestAStopFinishesWhatIsUnderWayAndTakesNothingNew(t *testing.T) {
	var tel *telemetry.Telemetry
	s, _ := newServer(t, func(o *httpd.Options) { tel = o.Telemetry })
	began, finish := make(chan struct{}), make(chan struct{})
	s.Echo().GET("/slow", func(c echo.Context) error {
		close(began)
		<-finish
		if err := c.Request().Context().Err(); err != nil {
			return err
		}
		return ok(c)
	})
	addr, err := s.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()

	answer := make(chan string, 1)
	go func() { answer <- fetch(t, http.DefaultClient, "http://"+addr.String()+"/slow") }()
	<-began
	stop()
	<-s.Stopping()
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/readyz", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("/readyz = %d while stopping, want 503", w.Code)
	}
	refused(t, addr.String())
	close(finish)
	if got := <-answer; got != "200 ok" {
		t.Errorf("the request under way got %q, want 200 ok", got)
	}
	if err := <-done; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}

// refused waits until the port is closed: Stopping comes just before.
func refused(t *testing.T, addr string) {
	t.Helper()
	var d net.Dialer
	for range 100 {
		conn, err := d.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return
		}
		_ = conn.Close()
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("a stopping server takes new connections")
}

func fetch(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		return err.Error()
	}
	resp, err := client.Do(r)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}

func TestTheSideListenerServesAndStops(t *testing.T) {
	tel := telemetry.New(telemetry.Options{Writer: io.Discard})
	side := httpd.NewSide("127.0.0.1:0", "metrics.address", tel.Handler(), tel.Logger())
	addr, err := side.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- side.Serve(ctx) }()
	if got := fetch(t, http.DefaultClient, "http://"+addr.String()+"/healthz"); !strings.HasPrefix(got, "200") {
		t.Errorf("/healthz = %s", got)
	}
	taken := httpd.NewSide(addr.String(), "metrics.address", tel.Handler(), tel.Logger())
	if _, err := taken.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), "metrics.address") {
		t.Errorf("Listen = %v, want it to name metrics.address", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

// writePair makes a self-signed certificate for 127.0.0.1 in dir.
func writePair(t *testing.T, dir, name string, useRSA bool) (httpd.TLS, *x509.CertPool) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	var public, private any
	if useRSA {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		public, private = key.Public(), key
	} else {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public, private = key.Public(), key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	files := httpd.TLS{Certificate: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")}
	for path, content := range map[string][]byte{
		files.Certificate: certPEM,
		files.Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return files, pool
}

func secureServer(t *testing.T, useRSA bool) (addr string, pool *x509.CertPool) {
	t.Helper()
	files, pool := writePair(t, t.TempDir(), "one", useRSA)
	s, _ := newServer(t, func(o *httpd.Options) { o.TLS, o.HTTPS = files, true })
	s.Echo().GET("/", ok)
	return run(t, s), pool
}

func handshake(t *testing.T, addr string, conf *tls.Config) error {
	t.Helper()
	d := tls.Dialer{Config: conf}
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

func TestOldTLSIsRefused(t *testing.T) {
	addr, pool := secureServer(t, false)
	for version, fine := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
	} {
		err := handshake(t, addr, &tls.Config{RootCAs: pool, MinVersion: version, MaxVersion: version})
		if (err == nil) != fine || !fine && !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("%s: %v, want fine = %v", tls.VersionName(version), err, fine)
		}
	}
}

func TestOnlyForwardSecretAuthenticatedSuitesAreSpoken(t *testing.T) {
	for _, useRSA := range []bool{true, false} {
		addr, pool := secureServer(t, useRSA)
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if suite.SupportedVersions[0] == tls.VersionTLS13 {
				continue // not negotiable by list, and all of them good
			}
			kind := "_ECDSA_"
			if useRSA {
				kind = "_RSA_"
			}
			good := strings.HasPrefix(suite.Name, "TLS_ECDHE") && strings.Contains(suite.Name, kind) &&
				(strings.Contains(suite.Name, "_GCM_") || strings.Contains(suite.Name, "CHACHA20"))
			err := handshake(t, addr, &tls.Config{
				RootCAs: pool, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID},
			})
			if (err == nil) != good {
				t.Errorf("%s (RSA certificate: %v): %v, want fine = %v", suite.Name, useRSA, err, good)
			}
		}
	}
}

func TestHTTP2IsSpokenOverTLS(t *testing.T) {
	addr, pool := secureServer(t, false)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s with %v, want HTTP/2 and HSTS", resp.Proto, resp.Header)
	}
}

func TestACertificateThatCannotBeReadStopsTheStart(t *testing.T) {
	dir := t.TempDir()
	files := httpd.TLS{Certificate: filepath.Join(dir, "absent.crt"), Key: filepath.Join(dir, "absent.key")}
	tel := telemetry.New(telemetry.Options{Writer: io.Discard})
	if _, err := httpd.New(httpd.Options{TLS: files, Telemetry: tel}); err == nil {
		t.Error("New made a server without its certificate")
	}
}
