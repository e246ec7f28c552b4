package deploy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/authn"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/session"
	"github.com/signet-id/signet/internal/store"
)

const host = "id.example.com"

// Each example stands in front of a real issuer, the two other nodes being away.
func TestNginxStandsInFrontOfThreeNodes(t *testing.T) {
	binary := program(t, "SIGNET_NGINX", "nginx")
	p := stage(t)
	conf := p.rewrite("nginx/signet.conf",
		"listen 443 ssl http2;", "listen "+p.address+" ssl http2;",
		"/etc/nginx/tls/id.example.com.crt", p.path("tls.crt"), "/etc/nginx/tls/id.example.com.key", p.path("tls.key"))
	whole := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log stderr;\nevents {}\nhttp {\naccess_log off;\n", p.dir)
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		whole += kind + "_temp_path " + p.path(kind) + ";\n"
	}
	p.write("nginx.conf", whole+conf+"}\n")
	args := []string{"-p", p.dir, "-e", "stderr", "-c", p.path("nginx.conf")}
	if said, err := exec.CommandContext(t.Context(), binary, append(args, "-t")...).CombinedOutput(); err != nil || bytes.Contains(said, []byte("[warn]")) {
		t.Fatalf("nginx -t: %v\n%s", err, said)
	}
	p.run(binary, args...)
	p.examine()
}

func TestCaddyStandsInFrontOfThreeNodes(t *testing.T) {
	binary := program(t, "SIGNET_CADDY", "caddy")
	p := stage(t)
	_, at, _ := net.SplitHostPort(p.address)
	// Its own certificate and no other ports: a test does not ask Let's Encrypt.
	conf := p.rewrite("caddy/Caddyfile",
		"\n"+host+" {\n", "\n"+host+":"+at+" {\n\tbind 127.0.0.1\n\ttls "+p.path("tls.crt")+" "+p.path("tls.key")+"\n")
	p.write("Caddyfile", "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"+conf)
	args := []string{"--config", p.path("Caddyfile"), "--adapter", "caddyfile"}
	validate := exec.CommandContext(t.Context(), binary, append([]string{"validate"}, args...)...)
	validate.Env = p.environ()
	if said, err := validate.CombinedOutput(); err != nil {
		t.Fatalf("caddy validate: %v\n%s", err, said)
	}
	p.run(binary, append([]string{"run"}, args...)...)
	p.examine()
}

// program finds a proxy: where the variable says, or in the path.
func program(t *testing.T, variable, name string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s here; %s may name one", name, variable)
	}
	return path
}

// proxy is one of them in front of a node.
type proxy struct {
	t       *testing.T
	dir     string
	address string // of the proxy
	node    string // of the issuer
	log     *lines // of the issuer
	roots   *x509.CertPool
	away    atomic.Bool  // the issuer's engine
	probes  http.Handler // of the issuer
	secret  string       // of the client robot
}

// leaving is an engine that can be away.
type leaving struct {
	store.Store
	away *atomic.Bool
}

func (l leaving) fail() error {
	if l.away.Load() {
		e := fault.New(fault.Unavailable, "the store does not answer")
		e.RetryAfter = time.Second
		return e
	}
	return nil
}

func (l leaving) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	if err := l.fail(); err != nil {
		return nil, err
	}
	return l.Store.Get(ctx, keys...)
}

func (l leaving) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	if err := l.fail(); err != nil {
		return 0, err
	}
	return l.Store.Commit(ctx, ops...)
}

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) contain(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.text.Bytes(), []byte(part))
}

// stage runs an issuer with a client, and makes a certificate.
func stage(t *testing.T) *proxy {
	t.Helper()
	p := &proxy{t: t, dir: t.TempDir(), log: &lines{}, roots: x509.NewCertPool(), address: free(t)}
	cfg := parse(t, "systemd/signet.yaml", "SIGNET_STORE=bolt:"+p.path("signet.db"), "SIGNET_ADMIN_SOCKET="+p.path("s"),
		"SIGNET_HTTP_ADDRESS=127.0.0.1:0", "SIGNET_METRICS_ADDRESS=off")
	a, err := app.New(t.Context(), cfg, app.Options{NoSync: true, Log: p.log, Wrap: func(s store.Store) store.Store {
		return leaving{s, &p.away}
	}})
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	if _, err := a.Operator.AddClient(t.Context(), "shop", admin.ClientSettings{
		FirstParty: &yes, RedirectURIs: &[]string{"https://shop.example.com/callback"},
	}); err != nil {
		t.Fatal(err)
	}
	robot, err := a.Operator.AddClient(t.Context(), "robot", admin.ClientSettings{
		Grants: &[]string{"client_credentials"}, Audience: &[]string{"https://orders.example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.secret, p.probes = robot.Secret.Reveal(), a.Telemetry.Handler()
	node, err := a.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.node = node.String()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, a.Close()); err != nil {
			t.Error(err)
		}
	})
	p.certify()
	return p
}

func (p *proxy) path(name string) string { return filepath.Join(p.dir, name) }

func (p *proxy) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *proxy) environ() []string {
	return append(os.Environ(), "HOME="+p.dir, "XDG_DATA_HOME="+p.dir, "XDG_CONFIG_HOME="+p.dir)
}

// rewrite returns an example with its places exchanged for those of the test: the
// third node is the issuer, the others answer nobody. Each must be there.
func (p *proxy) rewrite(example string, pairs ...string) string {
	p.t.Helper()
	pairs = append(pairs, "10.0.0.11:8080", free(p.t), "10.0.0.12:8080", free(p.t), "10.0.0.13:8080", p.node)
	text := read(p.t, example)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			p.t.Fatalf("%s has no %q", example, pairs[i])
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func free(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// certify makes the certificate that the proxy shows.
func (p *proxy) certify() {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		p.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	shown := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	p.roots.AppendCertsFromPEM(shown)
	p.write("tls.crt", string(shown))
	p.write("tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// run starts the proxy and waits until it answers.
func (p *proxy) run(binary string, args ...string) {
	p.t.Helper()
	cmd := exec.Command(binary, args...)
	var said lines
	cmd.Stdout, cmd.Stderr, cmd.Env = &said, &said, p.environ()
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // how it ended by a signal is its own affair
	})
	for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(20 * time.Millisecond) {
		if c, err := new(net.Dialer).DialContext(p.t.Context(), "tcp", p.address); err == nil {
			_ = c.Close()
			return
		}
	}
	said.mu.Lock()
	defer said.mu.Unlock()
	p.t.Fatalf("%s does not answer:\n%s", binary, said.text.String())
}

// client asks the proxy by its name; http2 is what browsers and services speak.
func (p *proxy) client() *http.Client {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.roots}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, p.address)
		},
	}
	p.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

func (p *proxy) examine() {
	c := p.client()
	ask := func(t *testing.T, path string, header ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	p.t.Run("nodes that are away are passed over", func(t *testing.T) {
		for range 10 {
			if got := ask(t, "/.well-known/openid-configuration").StatusCode; got != http.StatusOK {
				t.Errorf("metadata: %d", got)
			}
		}
	})
	p.t.Run("the stream comes through at once", func(t *testing.T) {
		res := ask(t, "/status/stream")
		line, err := bufio.NewReader(res.Body).ReadString('\n')
		if err != nil || res.StatusCode != http.StatusOK || !strings.HasPrefix(line, "id: ") {
			t.Errorf("%d, %q, %v", res.StatusCode, line, err)
		}
	})
	p.t.Run("a visitor does not choose the address that limits count by", func(t *testing.T) {
		ask(t, "/jwks", "X-Forwarded-For", "203.0.113.9")
		if p.log.contain("203.0.113.9") || !p.log.contain(`"client":"127.0.0.1"`) {
			t.Error("the issuer believes the visitor's own X-Forwarded-For")
		}
	})
	p.t.Run("an engine that is away takes no node away", func(t *testing.T) {
		p.away.Store(true)
		defer p.away.Store(false)
		_, signedIn := session.Policy{Idle: time.Hour, Absolute: time.Hour}.Begin(authn.Result{Subject: ident.New()}, session.Origin{})
		for range 5 {
			// Its first token needs slots, which are a change.
			form := strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode())
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+host+"/token", form)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth("robot", p.secret)
			res, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			said, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(string(said), "temporarily_unavailable") {
				t.Errorf("a token: %d, Retry-After %q, %s, %v", res.StatusCode, res.Header.Get("Retry-After"), said, err)
			}
			// A page needs the session, which is a read. The proxy may repeat it, and not
			// think worse of the node.
			if page := ask(t, "/account", "Cookie", "__Host-signet="+signedIn.Cookie()); page.StatusCode != http.StatusServiceUnavailable || page.Header.Get("Retry-After") == "" {
				t.Errorf("a page: %d, Retry-After %q", page.StatusCode, page.Header.Get("Retry-After"))
			}
			if got := ask(t, "/jwks").StatusCode; got != http.StatusOK {
				t.Errorf("the keys: %d", got)
			}
		}
	})
	p.t.Run("a redirect may carry a large journey", func(t *testing.T) {
		res := ask(t, "/authorize?"+url.Values{
			"client_id": {"shop"}, "redirect_uri": {"https://shop.example.com/callback"}, "response_type": {"code"}, "scope": {"openid"},
			"nonce": {strings.Repeat("n", 3500)}, "state": {strings.Repeat("s", 3500)}, "code_challenge": {strings.Repeat("c", 43)}, "code_challenge_method": {"S256"},
		}.Encode())
		to := res.Header.Get("Location")
		if res.StatusCode != http.StatusSeeOther || len(to) < 8000 {
			t.Fatalf("%d, %d bytes of Location", res.StatusCode, len(to))
		}
		var cookies []string
		for _, c := range res.Cookies() {
			cookies = append(cookies, c.Name+"="+c.Value)
		}
		if page := ask(t, strings.TrimPrefix(to, "https://"+host), "Cookie", strings.Join(cookies, "; ")); page.StatusCode != http.StatusOK {
			t.Errorf("the page of that journey: %d", page.StatusCode)
		}
	})
}

// An engine that is away is away for every node: were its 503s failures of the
// nodes, or were nodes taken out for it, nobody would be left to answer for the
// keys. Each proxy is asked for that as well, where it is installed.
func TestAnEngineThatIsAwayTakesNoNodeAway(t *testing.T) {
	p := stage(t)
	box := at(t, manifest(t, "deployment.yaml"), "spec", "template", "spec", "containers", 0)
	p.away.Store(true)
	for _, probe := range []string{"readinessProbe", "livenessProbe", "startupProbe"} {
		path := at(t, box, probe, "httpGet", "path").(string)
		w := httptest.NewRecorder()
		p.probes.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s asks %s, and is answered %d: %s", probe, path, w.Code, w.Body)
		}
	}
	if conf := read(t, "nginx/signet.conf"); strings.Count(conf, "proxy_next_upstream ") != 1 || !strings.Contains(conf, "    proxy_next_upstream error timeout;\n") {
		t.Error("nginx takes more for a failure than a node that does not answer")
	}
	for _, setting := range []string{"unhealthy_status", "health_uri", "health_path"} {
		if strings.Contains(read(t, "caddy/Caddyfile"), setting) {
			t.Errorf("Caddy judges nodes by %s", setting)
		}
	}
}

func TestTheProxiesAskTheConfiguredPort(t *testing.T) {
	_, want, _ := net.SplitHostPort(config.Default().HTTP.Address)
	for _, example := range []string{"nginx/signet.conf", "caddy/Caddyfile"} {
		for _, node := range []string{"10.0.0.11", "10.0.0.12", "10.0.0.13"} {
			if !strings.Contains(read(t, example), node+":"+want) {
				t.Errorf("%s does not ask %s at %s", example, node, want)
			}
		}
	}
}
