package interop

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/user"
	"github.com/signet-id/signet/pkg/verify"
)

// audience is the name by which tokens mean the protected API.
const audience = "https://orders.example.com"

// The algorithms of ID tokens that a client may register.
func algorithms() []string { return []string{"RS256", "ES256", "EdDSA", "PS256"} }

// stage is where foreign clients act: an issuer over TLS, a protected API that
// trusts its tokens, and the certificates by which a client knows them both.
type stage struct {
	*issuer
	alice  user.User
	api    string // the address of the protected API
	bundle string // a PEM file that trusts the issuer, the API and nobody else
}

func openStage(t *testing.T) *stage {
	t.Helper()
	is := serve(t, true)
	s := &stage{issuer: is, alice: is.people(t)}
	v, err := verify.New(is.url, audience, verify.WithHTTPClient(is.httpClient(t, false)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	api := httptest.NewTLSServer(v.Require("orders:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, _ := verify.FromContext(r.Context())
		fmt.Fprintf(w, "orders for %s", tok.Subject())
	})))
	t.Cleanup(api.Close)
	s.api = api.URL + "/orders"
	s.bundle = s.writeBundle(t, api.Certificate().Raw)
	s.trust(t, s.bundle)
	for _, alg := range algorithms() {
		s.register(t, client.Client{ID: "app-" + alg, RedirectURIs: []string{callback}, IDTokenAlg: alg})
	}
	return s
}

// register adds a first-party client that may call the protected API.
func (s *stage) register(t *testing.T, c client.Client) {
	t.Helper()
	c.FirstParty, c.PKCE = true, true
	c.Scopes = []string{"orders:read"}
	if c.Audience == nil {
		c.Audience = []string{audience}
	}
	c.Rotate(s.secret, time.Now())
	if _, err := s.Operator.Clients.Create(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// writeBundle writes the certificate that the issuer shows, and others.
func (s *stage) writeBundle(t *testing.T, others ...[]byte) string {
	t.Helper()
	address, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(t.Context(), "tcp", address.Host)
	if err != nil {
		t.Fatal(err)
	}
	shown := conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	var out []byte
	for _, der := range append([][]byte{shown}, others...) {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	file := filepath.Join(t.TempDir(), "bundle.pem")
	// A server that changes its user has to read it too.
	if err := os.WriteFile(file, out, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// environ is all that a foreign program gets to know: a proxy or a certificate
// of this machine would change what is tested.
func environ(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8"}, more...)
}

// part is what the client of one walk is told, as one line of JSON.
type part struct {
	Issuer       string `json:"issuer"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	RedirectURI  string `json:"redirect_uri"`
	Scope        string `json:"scope"`
	Alg          string `json:"alg"`
	API          string `json:"api"`
	Audience     string `json:"audience"`
}

// learned is what it found out, by its own checks.
type learned struct {
	IDToken     map[string]any `json:"id_token"`
	UserInfo    map[string]any `json:"userinfo"`
	AccessToken map[string]any `json:"access_token"`
	Rotated     bool           `json:"rotated"`   // the refresh brought new tokens
	Refreshed   map[string]any `json:"refreshed"` // the ID token of the refresh
	API         string         `json:"api"`       // what the API said to the first token
	Again       string         `json:"again"`     // and to the one of the refresh
	Refused     []string       `json:"refused"`
}

// refusals are what every foreign verifier must find wrong: the first two are
// its own judgement, the last is our API's.
func refusals() []string {
	return []string{"another audience", "an ID token as access token", "an ID token at the API"}
}

// walk runs a client in another language: it is told its part, answers with the
// address for the person's browser, is told where the browser came back, and
// ends with what it learned.
func (s *stage) walk(t *testing.T, alg string, env []string, program string, args ...string) {
	t.Helper()
	say, hear := start(t, env, program, args...)
	say(part{
		Issuer: s.url, ClientID: "app-" + alg, ClientSecret: s.secret.Reveal(), RedirectURI: callback,
		Scope: "openid profile email orders:read", Alg: alg, API: s.api, Audience: audience,
	})
	var visit string
	hear(&visit)
	say(callback + "?" + s.person(t, visit).Encode())
	var got learned
	hear(&got)
	s.judge(t, alg, got)
}

// start runs a program and returns how to talk with it, in lines of JSON. When
// the test ends its input ends, and it has to end as well, without an error.
func start(t *testing.T, env []string, program string, args ...string) (say, hear func(any)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Stderr, cmd.WaitDelay = env, t.Output(), time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", cmd, err)
		}
	})
	write, read := json.NewEncoder(in), json.NewDecoder(out)
	must := func(f func(any) error) func(any) {
		return func(v any) {
			t.Helper()
			if err := f(v); err != nil {
				t.Fatalf("talking with %s: %v", cmd, err)
			}
		}
	}
	return must(write.Encode), must(read.Decode)
}

func (s *stage) judge(t *testing.T, alg string, got learned) {
	t.Helper()
	for where, claims := range map[string]map[string]any{
		"ID token": got.IDToken, "refreshed ID token": got.Refreshed, "userinfo": got.UserInfo, "access token": got.AccessToken,
	} {
		if claims["sub"] != s.alice.Subject {
			t.Errorf("%s is about %v, want %s: %v", where, claims["sub"], s.alice.Subject, claims)
		}
	}
	if got.IDToken["aud"] != "app-"+alg || got.IDToken["nonce"] == nil {
		t.Errorf("ID token: %v", got.IDToken)
	}
	if got.UserInfo["email"] != "alice@example.com" || got.UserInfo["name"] != "Alice" {
		t.Errorf("userinfo: %v", got.UserInfo)
	}
	if got.AccessToken["aud"] != audience || got.AccessToken["client_id"] != "app-"+alg {
		t.Errorf("access token: %v", got.AccessToken)
	}
	if !got.Rotated || got.Refreshed["auth_time"] != got.IDToken["auth_time"] {
		t.Errorf("the refresh brought nothing new (%v) or another sign-in: %v", got.Rotated, got.Refreshed)
	}
	if want := "orders for " + s.alice.Subject; got.API != want || got.Again != want {
		t.Errorf("the API said %q and, after the refresh, %q, want %q", got.API, got.Again, want)
	}
	if !slices.Equal(got.Refused, refusals()) {
		t.Errorf("refused %q, want %q", got.Refused, refusals())
	}
}
