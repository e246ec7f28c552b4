package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/grant"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/user"
)

const (
	issuer   = "http://127.0.0.1:8080"
	callback = "https://shop.example.com/callback"
	password = "a long walk by the river"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk-and-more"
)

// scales weighs what reaches the engine: of each kind, the heaviest record.
type scales struct {
	store.Store
	mu      sync.Mutex
	weights map[string]float64
}

func (s *scales) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	s.mu.Lock()
	for _, op := range ops {
		kind, _, _ := strings.Cut(op.Key, "/")
		if grant.IsBeside(op.Key) {
			kind = "fence"
		}
		s.weights[kind] = max(s.weights[kind], float64(len(op.Key)+len(op.Value)))
	}
	s.mu.Unlock()
	return s.Store.Commit(ctx, ops...)
}

// What the model takes a record to weigh is what a person's sign-in, tokens and
// sign-out really write, or a little more.
func TestTheModelsRecordsWeighWhatTheStoresDo(t *testing.T) {
	s := &scales{weights: map[string]float64{}}
	visit(t, s)
	a := Defaults()
	for kind, assumed := range map[string]float64{
		"user": a.UserBytes, "login": a.LoginBytes, "session": a.SessionBytes, "grant": a.GrantBytes,
		"code": a.CodeBytes, "fence": a.FenceBytes, "ended": a.JournalBytes, "audit": a.AuditBytes,
		"outbox": a.CallBytes, "slots": a.LeaseBytes,
	} {
		weighed := s.weights[kind]
		if weighed == 0 {
			t.Errorf("no %s was written", kind)
		}
		if assumed < weighed || assumed > 1.5*weighed {
			t.Errorf("a record of %s weighs %.0f bytes, and the model counts with %.0f", kind, weighed, assumed)
		}
	}
}

// visit walks through a sign-in, a refresh and a sign-out.
func visit(t *testing.T, s *scales) {
	t.Helper()
	cfg := config.Default()
	cfg.Issuer = issuer
	cfg.Store = "bolt:" + filepath.Join(t.TempDir(), "signet.db")
	cfg.Metrics.Address = config.Off
	config.LoopbackHTTP(&cfg)
	a, err := app.New(t.Context(), cfg, app.Options{NoSync: true, Log: io.Discard, Wrap: func(engine store.Store) store.Store {
		s.Store = engine
		return s
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	p := person{t: t, door: a.Handler(), shop: furnish(t, a)}
	if p.jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	p.signIn()
	page := p.ask(http.MethodGet, "/logout", nil)
	p.ask(http.MethodPost, "/logout", url.Values{"request": {p.hidden(page.body)}, "answer": {"yes"}})
}

// furnish adds a person and a client that is told of sign-outs, and returns the
// client's secret.
func furnish(t *testing.T, a *app.App) (shop string) {
	t.Helper()
	hash, err := a.Operator.Passwords.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = a.Operator.Users.Create(t.Context(), user.User{
		Login: "alice.ahlgren@example.com", Name: "Alice Ahlgren", GivenName: "Alice", FamilyName: "Ahlgren",
		Email: "alice.ahlgren@example.com", Roles: []string{"clerk"}, Password: hash,
	}); err != nil {
		t.Fatal(err)
	}
	yes, scope, told := true, "orders:read", "https://shop.example.com/signed-out"
	made, err := a.Operator.AddClient(t.Context(), "shop", admin.ClientSettings{
		FirstParty: &yes, RedirectURIs: &[]string{callback}, Scope: &scope, Audience: &[]string{"https://orders.example.com"},
		BackchannelURI: &told,
	})
	if err != nil {
		t.Fatal(err)
	}
	return made.Secret.Reveal()
}

// person is somebody at a browser, and the client that they use.
type person struct {
	t    *testing.T
	door http.Handler
	jar  http.CookieJar
	shop string
}

type answer struct {
	*http.Response
	body string
}

func (p person) signIn() {
	p.t.Helper()
	digest := sha256.Sum256([]byte(verifier))
	page := p.follow(p.ask(http.MethodGet, "/authorize?"+url.Values{
		"client_id": {"shop"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid profile email orders:read"},
		"state": {"af0ifjsldkj"}, "nonce": {"n-0S6_WzA2Mj"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])}, "code_challenge_method": {"S256"},
	}.Encode(), nil))
	back := p.follow(p.ask(http.MethodPost, "/signin", url.Values{
		"journey": {p.hidden(page.body)}, "login": {"alice.ahlgren@example.com"}, "password": {password}, "action": {"signin"},
	}))
	at, err := back.Location()
	if err != nil {
		p.t.Fatalf("no code in %d: %s", back.StatusCode, back.body)
	}
	token := p.token(url.Values{
		"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier},
	})
	p.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// token returns the refresh token that it gets.
func (p person) token(form url.Values) string {
	p.t.Helper()
	got := p.ask(http.MethodPost, "/token", form)
	var out struct {
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(got.body), &out); err != nil || out.Refresh == "" {
		p.t.Fatalf("no refresh token in %d: %s", got.StatusCode, got.body)
	}
	return out.Refresh
}

func (p person) follow(a answer) answer {
	p.t.Helper()
	return p.ask(http.MethodGet, a.Header.Get("Location"), nil)
}

func (p person) ask(method, path string, form url.Values) answer {
	p.t.Helper()
	r := httptest.NewRequestWithContext(p.t.Context(), method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if r.URL.Path == "/token" {
		r.SetBasicAuth("shop", p.shop)
	}
	at := &url.URL{Scheme: "http", Host: "127.0.0.1:8080"}
	for _, c := range p.jar.Cookies(at) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	p.door.ServeHTTP(w, r)
	p.jar.SetCookies(at, w.Result().Cookies())
	return answer{w.Result(), w.Body.String()}
}

func (p person) hidden(page string) string {
	p.t.Helper()
	m := regexp.MustCompile(`name="(?:journey|request)" value="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		p.t.Fatalf("no form in %s", page)
	}
	return m[1]
}
