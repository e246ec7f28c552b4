package app_test

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
	"testing"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/internal/user"
)

const (
	issuer   = "http://127.0.0.1:8080"
	callback = "https://app.example/cb"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk-and-more"
	password = "a long walk by the river"
)

// house is a composed issuer on a real bbolt file, called in process.
type house struct {
	*app.App
	t      testing.TB
	secret secret.Value // of every confidential client
	alice  user.User
	bob    user.User
}

// open composes an issuer with two users and a client of every kind.
func open(t testing.TB, change ...func(*config.Config, *app.Options)) *house {
	t.Helper()
	cfg := config.Default()
	cfg.Issuer = issuer
	cfg.Store = "bolt:" + filepath.Join(t.TempDir(), "signet.db")
	cfg.Metrics.Address = config.Off
	config.LoopbackHTTP(&cfg)
	options := app.Options{NoSync: true, Log: io.Discard}
	for _, c := range change {
		c(&cfg, &options)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	// What a hash costs is tested where hashes are; here there are hundreds.
	cfg.Passwords.Memory, cfg.Passwords.Time = 8*config.KiB, 1
	a, err := app.New(t.Context(), cfg, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &house{App: a, t: t, secret: client.NewSecret()}
	h.alice, h.bob = h.user("alice"), h.user("bob")
	h.client(client.Client{ID: "orders", FirstParty: true, Scopes: []string{"orders:read"}, Audience: []string{"https://orders.example", "https://invoices.example"}})
	h.client(client.Client{ID: "third", Refresh: client.RefreshOffline})
	h.client(client.Client{ID: "spa", FirstParty: true, Public: true, RedirectURIs: []string{callback, "http://127.0.0.1/cb"}})
	h.client(client.Client{ID: "robot", Grants: []string{client.GrantCredentials}, Scopes: []string{"orders:read", "orders:write"}, Audience: []string{"https://orders.example"}})
	return h
}

func (h *house) client(c client.Client) {
	h.t.Helper()
	if len(c.RedirectURIs) == 0 && len(c.Grants) == 0 {
		c.RedirectURIs = []string{callback}
		c.PostLogoutRedirectURIs = []string{"https://app.example/bye"}
	}
	c.PKCE = true
	c.IDTokenAlg = "ES256"
	if !c.Public && c.AuthMethod != client.AuthKeyJWT {
		c.Rotate(h.secret, testNow())
	}
	if _, err := h.Operator.Clients.Create(h.t.Context(), c); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) user(login string) user.User {
	h.t.Helper()
	hash, err := h.Operator.Passwords.Hash(h.t.Context(), password)
	if err != nil {
		h.t.Fatal(err)
	}
	u, err := h.Operator.Users.Create(h.t.Context(), user.User{
		Login: login, Name: strings.ToUpper(login[:1]) + login[1:], Email: login + "@example.com",
		Roles: []string{"clerk"}, Password: hash,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

// browser is a person's browser: it keeps cookies and shows every redirect.
type browser struct {
	h   *house
	jar http.CookieJar
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{h, jar}
}

// answer is one response, whole.
type answer struct {
	*http.Response
	body string
}

func (a answer) location(t testing.TB) *url.URL {
	t.Helper()
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.Header.Get("Location") == "" {
		t.Fatalf("no Location in %d: %s", a.StatusCode, a.body)
	}
	return u
}

func (b *browser) do(r *http.Request) answer {
	b.h.t.Helper()
	at, err := url.Parse(issuer)
	if err != nil {
		b.h.t.Fatal(err)
	}
	for _, c := range b.jar.Cookies(at) {
		r.AddCookie(c)
	}
	r.Header.Set("Accept", "text/html")
	got := b.h.serve(r)
	b.jar.SetCookies(at, got.Cookies())
	return got
}

// serve answers one request, as a server would. Of the stream it hears the first
// message: whoever asks has left already.
func (h *house) serve(r *http.Request) answer {
	h.t.Helper()
	if strings.HasSuffix(r.URL.Path, "/stream") {
		left, leave := context.WithCancel(r.Context())
		leave()
		r = r.WithContext(left)
	}
	w := httptest.NewRecorder()
	h.Handler().ServeHTTP(w, r)
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{res, string(body)}
}

func (b *browser) get(path string) answer {
	b.h.t.Helper()
	return b.do(httptest.NewRequestWithContext(b.h.t.Context(), http.MethodGet, path, nil))
}

func (b *browser) post(path string, form url.Values) answer {
	b.h.t.Helper()
	return b.do(formRequest(b.h.t.Context(), path, form))
}

func formRequest(ctx context.Context, path string, form url.Values) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// asks is an authorization request of the client, with changes.
func asks(clientID string, change ...string) url.Values {
	digest := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {callback}, "scope": {"openid profile email"},
		"state": {"af0ifjsldkj"}, "nonce": {"n-0S6_WzA2Mj"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == "" {
			q.Del(change[i])
		} else {
			q.Set(change[i], change[i+1])
		}
	}
	return q
}

func authorize(q url.Values) string { return "/authorize?" + q.Encode() }

var hiddenField = regexp.MustCompile(`name="(journey|request)" value="([^"]*)"`)

func hidden(t testing.TB, page string) string {
	t.Helper()
	m := hiddenField.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no hidden field in %s", page)
	}
	return m[2]
}

// signIn walks from a request to the end of the sign-in page and returns the
// answer that the client gets.
func (b *browser) signIn(login string, q url.Values) answer {
	b.h.t.Helper()
	got := b.get(authorize(q))
	page := b.get(got.location(b.h.t).String())
	got = b.post("/signin", url.Values{"journey": {hidden(b.h.t, page.body)}, "login": {login}, "password": {password}, "action": {"signin"}})
	return b.get(got.location(b.h.t).String())
}

// code walks the whole authorization and returns the code.
func (b *browser) code(login, clientID string, change ...string) string {
	b.h.t.Helper()
	got := b.signIn(login, asks(clientID, change...))
	code := got.location(b.h.t).Query().Get("code")
	if code == "" {
		b.h.t.Fatalf("no code in %s", got.Header.Get("Location"))
	}
	return code
}

// tokens is the token endpoint's answer.
type tokens struct {
	Status                                               int
	AccessToken, RefreshToken, IDToken, TokenType, Scope string
	ExpiresIn                                            int
	Error, Description                                   string
}

// token posts to the token endpoint as the client (with the common secret, or
// none for a public client).
func (h *house) token(clientID string, form url.Values) tokens {
	h.t.Helper()
	r := formRequest(h.t.Context(), "/token", form)
	if clientID == "spa" {
		form.Set("client_id", clientID)
		r = formRequest(h.t.Context(), "/token", form)
	} else {
		r.SetBasicAuth(clientID, h.secret.Reveal())
	}
	return h.parse(h.serve(r))
}

func (h *house) parse(got answer) tokens {
	h.t.Helper()
	var out struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		IDToken      string `json:"id_token"`
		TokenType    string `json:"token_type"`
		Scope        string `json:"scope"`
		ExpiresIn    int    `json:"expires_in"`
		Error        string `json:"error"`
		Description  string `json:"error_description"`
	}
	if err := json.Unmarshal([]byte(got.body), &out); err != nil {
		h.t.Fatalf("token answer %d %q: %v", got.StatusCode, got.body, err)
	}
	return tokens{got.StatusCode, out.AccessToken, out.RefreshToken, out.IDToken, out.TokenType, out.Scope, out.ExpiresIn, out.Error, out.Description}
}

func redeem(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
}

func refresh(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

// claims reads a JWT's payload without judging it.
func claims(t testing.TB, compact string) map[string]any {
	t.Helper()
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", compact)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// userinfo asks who is behind an access token.
func (h *house) userinfo(access string) answer {
	h.t.Helper()
	r := httptest.NewRequestWithContext(h.t.Context(), http.MethodGet, "/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+access)
	return h.serve(r)
}

// disable takes a user's right to sign in away, and nothing else: what still
// works afterwards works by mistake.
func (h *house) disable(subject string) {
	h.t.Helper()
	_, err := h.Operator.Users.Update(h.t.Context(), subject, func(u *user.User) error {
		u.Disabled = true
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}
