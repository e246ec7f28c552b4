package interop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"

	"github.com/signet-id/signet/internal/client"
)

// Apache with mod_auth_openidc protects a page for people and an API for
// programs, each over TLS, and judges our tokens with its own code.
func TestApacheProtectsAPageAndAnAPI(t *testing.T) {
	binary := os.Getenv("SIGNET_APACHE")
	if binary == "" {
		t.Skip("SIGNET_APACHE names no Apache with mod_auth_openidc; the test command installs one where it may")
	}
	c := openChrome(t, true)
	if _, err := chromedp.Call(c.ctx, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true}); err != nil {
		t.Fatal(err)
	}
	s := openStage(t)
	s.register(t, client.Client{ID: "robot", Grants: []string{client.GrantCredentials}, Audience: []string{"https://invoices.example.com"}})
	for _, alg := range []string{"RS256", "ES256"} {
		t.Run(alg, func(t *testing.T) {
			site := s.startApache(t, binary, alg)
			c.t = t

			c.visit(site + "/people/index.html")
			c.wantAt(s.url + "/signin")
			c.signIn("alice", password)
			c.wantAt(site + "/people/index.html")
			for id, want := range map[string]string{"user": s.alice.Subject, "name": "Alice", "mail": "alice@example.com"} {
				if got := c.textOf("#" + id); got != want {
					t.Errorf("the page says %s is %q, want %q", id, got, want)
				}
			}

			// Its access token is good at an API of ours and at one of Apache's.
			first := c.textOf("#token")
			s.wantOrders(t, s.api, first)
			s.wantOrders(t, site+"/api/orders.html", first)

			// The next visit asks nobody and refreshes.
			c.visit(site + "/people/index.html")
			c.wantAt(site + "/people/index.html")
			second := c.textOf("#token")
			if second == first {
				t.Error("the second visit did not refresh")
			}
			s.wantOrders(t, s.api, second)

			// Apache's API refuses a token for somebody else, and a changed one.
			for name, token := range map[string]string{
				"another audience": s.machineToken(t, "robot", "https://invoices.example.com"), "a changed signature": flip(second),
			} {
				if status, body := s.ask(t, site+"/api/orders.html", token); status != http.StatusUnauthorized {
					t.Errorf("%s: %d %s", name, status, body)
				}
			}

			// Signing out there ends the session here, and returns.
			c.click("#leave")
			c.wantAt(site + "/bye.html")
			c.visit(site + "/people/index.html")
			c.wantAt(s.url + "/signin")
		})
	}
}

func (c *chrome) textOf(selector string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", selector, err, c.page())
	}
	return strings.TrimSpace(text)
}

// startApache runs Apache with the configuration beside this file, as a client
// of its own, until the test ends, and returns its address.
func (s *stage) startApache(t *testing.T, binary, alg string) string {
	t.Helper()
	dir, host := t.TempDir(), freeAddress(t)
	site := "https://" + host
	s.register(t, client.Client{
		ID: "apache-" + alg, IDTokenAlg: alg,
		RedirectURIs: []string{site + "/people/back"}, PostLogoutRedirectURIs: []string{site + "/bye.html"},
	})
	certFile, keyFile, _ := certificate(t, dir)
	s.trust(t, certFile)
	var defines strings.Builder
	for name, value := range map[string]string{
		"DIR": dir, "HOST": host, "MODULES": filepath.Join(filepath.Dir(binary), "../lib/apache2/modules"),
		"CERTIFICATE": certFile, "KEY": keyFile, "BUNDLE": s.bundle, "ISSUER": s.url, "AUDIENCE": audience,
		"CLIENT": "apache-" + alg, "SECRET": s.secret.Reveal(), "ALG": alg, "PASSPHRASE": rand.Text(),
	} {
		fmt.Fprintf(&defines, "Define %s %q\n", name, value)
	}
	rules, err := os.ReadFile("apache/httpd.conf")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "httpd.conf")
	if err := errors.Join(
		os.WriteFile(config, append([]byte(defines.String()), rules...), 0o600),
		os.CopyFS(filepath.Join(dir, "pages"), os.DirFS("apache/pages")),
		// Started by root it becomes somebody else, who has to see its pages.
		os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(filepath.Dir(filepath.Dir(s.bundle)), 0o755),
	); err != nil {
		t.Fatal(err)
	}
	runApache(t, binary, config, filepath.Join(dir, "error.log"))
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
		if err == nil {
			_ = conn.Close()
			return site
		}
		if time.Now().After(deadline) {
			t.Fatalf("Apache does not answer: %v", err)
		}
	}
}

// runApache runs it until the test ends, and tells what it logged if that failed.
func runApache(t *testing.T, binary, config, log string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd := exec.CommandContext(ctx, binary, "-DFOREGROUND", "-f", config)
	cmd.Env, cmd.Stdout, cmd.Stderr = environ(), t.Output(), t.Output()
	// Asked to terminate, it ends its children too; killed, it would leave them.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Apache ended: %v", err)
		}
		if said, err := os.ReadFile(log); t.Failed() && err == nil {
			t.Logf("Apache logged:\n%s", said)
		}
	})
}

// trust lets the issuer's friends trust a certificate as well.
func (s *stage) trust(t *testing.T, certFile string) {
	t.Helper()
	cert, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	// The pool that others hold already stays as it is.
	s.roots = s.roots.Clone()
	s.roots.AppendCertsFromPEM(cert)
}

// ask shows an API the token.
func (s *stage) ask(t *testing.T, api, token string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := s.httpClient(t, false).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	said, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(said))
}

func (s *stage) wantOrders(t *testing.T, api, token string) {
	t.Helper()
	if status, body := s.ask(t, api, token); status != http.StatusOK || body != "orders for "+s.alice.Subject {
		t.Errorf("%s: %d %q", api, status, body)
	}
}
