package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/transfer"
)

// absent is an engine that can be away: then all that reaches it fails, and
// whoever watches is cut off.
type absent struct {
	store.Store
	away     atomic.Bool
	commits  atomic.Int64
	watching context.Context
	cut      context.CancelFunc
}

func (a *absent) fail() error {
	if a.away.Load() {
		return fault.Wrap(fault.Unavailable, errors.New("connection refused"), "the store does not answer")
	}
	return nil
}

func (a *absent) Get(ctx context.Context, keys ...string) ([]store.Record, error) {
	if err := a.fail(); err != nil {
		return nil, err
	}
	return a.Store.Get(ctx, keys...)
}

func (a *absent) List(ctx context.Context, prefix, after string, limit int) ([]store.Record, error) {
	if err := a.fail(); err != nil {
		return nil, err
	}
	return a.Store.List(ctx, prefix, after, limit)
}

func (a *absent) Commit(ctx context.Context, ops ...store.Op) (store.Version, error) {
	if err := a.fail(); err != nil {
		return 0, err
	}
	a.commits.Add(1)
	return a.Store.Commit(ctx, ops...)
}

func (a *absent) Watch(ctx context.Context, prefix string) (store.Watch, error) {
	if err := a.fail(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(a.watching, cancel)
	return a.Store.Watch(ctx, prefix)
}

func (a *absent) leave() {
	a.away.Store(true)
	a.cut()
}

func (a *absent) comeBack(ctx context.Context) {
	a.watching, a.cut = context.WithCancel(ctx)
	a.away.Store(false)
}

// The one list of what goes on without the store, and of what does not.
func TestWithoutItsStoreTheIssuerGoesOnAsFarAsItCanAndResumes(t *testing.T) {
	engine := &absent{}
	engine.comeBack(t.Context())
	h := open(t, func(_ *config.Config, o *app.Options) {
		o.Wrap = func(s store.Store) store.Store { engine.Store = s; return engine }
	})
	b := h.browser()
	first := h.token("orders", redeem(b.code("alice", "orders")))
	code := h.browser().code("bob", "orders")
	h.token("robot", url.Values{"grant_type": {"client_credentials"}})
	fresh := h.browser()
	page := fresh.get(fresh.get(authorize(asks("orders"))).location(t).String())
	list := claims(t, first.AccessToken)["status"].(map[string]any)["status_list"].(map[string]any)["uri"].(string)

	engine.leave()
	commits := engine.commits.Load()
	ready := func() bool {
		return len(h.Telemetry.Health().NotReady(t.Context())) == 0
	}
	if ready() {
		t.Error("a server without its store calls itself ready")
	}
	get := func(path string) answer {
		return h.serve(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks", strings.TrimPrefix(list, issuer), "/status/stream"} {
		if got := get(path); got.StatusCode != http.StatusOK {
			t.Errorf("%s: %d without the store", path, got.StatusCode)
		}
	}
	if got := h.token("robot", url.Values{"grant_type": {"client_credentials"}}); got.Status != http.StatusOK {
		t.Errorf("client credentials: %+v", got)
	}
	basic := func(path string, form url.Values) answer {
		r := formRequest(t.Context(), path, form)
		r.SetBasicAuth("orders", h.secret.Reveal())
		return h.serve(r)
	}
	_, signed, _ := strings.Cut(first.AccessToken, ".")
	strangers := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"made-elsewhere","typ":"at+jwt"}`)) + "." + signed
	for name, got := range map[string]answer{
		"code":       basic("/token", redeem(code)),
		"refresh":    basic("/token", refresh(first.RefreshToken)),
		"revocation": basic("/revoke", url.Values{"token": {first.RefreshToken}}),
		"userinfo":   h.userinfo(first.AccessToken),
		// Its key may be one that this server could not hear of.
		"revocation of a token whose key is unknown": basic("/revoke", url.Values{"token": {strangers}}),
		"userinfo for a token whose key is unknown":  h.userinfo(strangers),
		"sign-in":  fresh.post("/signin", url.Values{"journey": {hidden(t, page.body)}, "login": {"alice"}, "password": {password}}),
		"sessions": b.get("/account"),
	} {
		if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
			t.Errorf("%s without the store: %d, Retry-After %q: %.300s", name, got.StatusCode, got.Header.Get("Retry-After"), got.body)
		}
		if strings.Contains(got.body, "connection refused") {
			t.Errorf("%s tells a stranger why", name)
		}
	}
	// A browser on its way is sent back, with what clients know to try again
	// (RFC 6749 §4.1.2.1).
	if got := b.get(authorize(asks("orders"))); got.location(t).Query().Get("error") != "temporarily_unavailable" {
		t.Errorf("authorize without the store: %s", got.Header.Get("Location"))
	}
	if engine.commits.Load() != commits {
		t.Error("something was written after all")
	}

	engine.comeBack(t.Context())
	if got := h.userinfo(strangers); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("userinfo for a token whose key is nobody's: %d", got.StatusCode)
	}
	if !ready() {
		t.Error("a server that has its store again is not ready")
	}
	// What was refused was not half done: the code and the refresh token are good.
	if got := h.token("orders", redeem(code)); got.Status != http.StatusOK {
		t.Errorf("the code, when the store is back: %+v", got)
	}
	if got := h.token("orders", refresh(first.RefreshToken)); got.Status != http.StatusOK {
		t.Errorf("the refresh token, when the store is back: %+v", got)
	}
	if got := b.get(authorize(asks("orders"))); got.StatusCode != http.StatusSeeOther {
		t.Errorf("authorize, when the store is back: %d", got.StatusCode)
	}
	// The copies in memory follow again.
	if _, err := h.Operator.DisableClient(t.Context(), "robot"); err != nil {
		t.Fatal(err)
	}
	if got := h.token("robot", url.Values{"grant_type": {"client_credentials"}}); got.Status == http.StatusOK {
		t.Error("a client that was disabled after the outage gets tokens")
	}
}

func TestAStoreThatIsBeingMovedRefusesChangesAndGoesOnReading(t *testing.T) {
	h := open(t)
	b := h.browser()
	first := h.token("orders", redeem(b.code("alice", "orders")))
	if err := transfer.Freeze(t.Context(), h.Store(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	// Until the server hears of it a refresh is a change, each with its own token: one
	// that is repeated changes nothing.
	token, got := first.RefreshToken, answer{}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		r := formRequest(t.Context(), "/token", refresh(token))
		r.SetBasicAuth("orders", h.secret.Reveal())
		if got = h.serve(r); got.StatusCode != http.StatusOK {
			break
		}
		token = h.parse(got).RefreshToken
	}
	if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Errorf("refresh while frozen: %d %s", got.StatusCode, got.body)
	}
	if got := h.userinfo(first.AccessToken); got.StatusCode != http.StatusOK {
		t.Errorf("userinfo while frozen: %d", got.StatusCode)
	}
	if err := transfer.Thaw(t.Context(), h.Store()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); h.token("orders", refresh(token)).Status != http.StatusOK; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the store is still frozen")
		}
	}
}

func TestAStoreThatIsHalfACopyIsNotServed(t *testing.T) {
	source := open(t)
	target := t.TempDir() + "/target.db"
	e, err := config.ParseEngine("bolt:" + target)
	if err != nil {
		t.Fatal(err)
	}
	s, err := app.OpenEngine(t.Context(), e, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = transfer.Copy(ctx, source.Store(), s, transfer.CopyOptions{Journals: app.Journals(), Tell: func(transfer.Progress) { cancel() }})
	if err == nil {
		t.Fatal("the copy was not interrupted")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Issuer, cfg.Store, cfg.Metrics.Address = "https://id.example.com", "bolt:"+target, config.Off
	a, err := app.New(t.Context(), cfg, app.Options{Log: new(bytes.Buffer)})
	if err == nil {
		_ = a.Close()
	}
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "half filled") {
		t.Errorf("New = %v, want it to refuse half a copy", err)
	}
}

// A store that the issuer has filled is one that its own decoders know.
func TestEveryRecordOfTheIssuerIsKnownToTheCheck(t *testing.T) {
	h := open(t)
	b := h.browser()
	got := h.token("orders", redeem(b.code("alice", "orders")))
	h.token("orders", refresh(got.RefreshToken))
	h.token("robot", url.Values{"grant_type": {"client_credentials"}})
	if _, err := h.Operator.DisableUser(t.Context(), h.bob.Login); err != nil {
		t.Fatal(err)
	}
	report, err := transfer.Check(t.Context(), h.Store(), app.Decoders(), nil)
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("Check = %+v, %v", report.Findings, err)
	}
	for _, prefix := range []string{"user", "login", "client", "session", "code", "ended", "audit", "keys", "seal", "slots", "begun"} {
		if report.Records[prefix] == 0 {
			t.Errorf("no %s was looked at: %v", prefix, report.Records)
		}
	}
	if _, err := h.Store().Commit(t.Context(), store.Put("user/x", []byte("{")), store.Put("client/y", []byte("[]")), store.Put("elsewhere", nil)); err != nil {
		t.Fatal(err)
	}
	report, err = transfer.Check(t.Context(), h.Store(), app.Decoders(), nil)
	if err != nil || len(report.Findings) != 3 {
		t.Errorf("Check found %+v, %v; want the three", report.Findings, err)
	}
}
