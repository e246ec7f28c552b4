package app_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/config"
)

// hot is a request that is made again and again, and the answer to it.
type hot struct {
	request *http.Request
	answer  bytes.Buffer
	header  http.Header
	status  int
	body    strings.Reader
}

func (h *hot) Header() http.Header         { return h.header }
func (h *hot) WriteHeader(status int)      { h.status = status }
func (h *hot) Write(p []byte) (int, error) { return h.answer.Write(p) }

func newHot(b testing.TB, method, path string) *hot {
	h := &hot{request: httptest.NewRequestWithContext(b.Context(), method, path, nil), header: http.Header{}}
	h.request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return h
}

// ask answers with the body that was written; the caller checks it.
func (h *hot) ask(to http.Handler, form string) {
	clear(h.header)
	h.answer.Reset()
	h.status = http.StatusOK
	h.body.Reset(form)
	r := h.request
	r.Form, r.PostForm, r.Body, r.ContentLength = nil, nil, io.NopCloser(&h.body), int64(len(form))
	to.ServeHTTP(h, r)
}

func (h *hot) member(name string) string {
	_, rest, _ := bytes.Cut(h.answer.Bytes(), []byte(`"`+name+`":"`))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// quiet is the house as an operator of a busy one runs it.
func quiet(b testing.TB) *house {
	return open(b, func(c *config.Config, o *app.Options) { c.Log.Level = slog.LevelWarn })
}

func BenchmarkClientCredentials(b *testing.B) {
	h := quiet(b)
	call := newHot(b, http.MethodPost, "/token")
	call.request.SetBasicAuth("robot", h.secret.Reveal())
	b.ReportAllocs()
	for b.Loop() {
		call.ask(h.Handler(), "grant_type=client_credentials&scope=orders%3Aread")
	}
	if call.status != http.StatusOK {
		b.Fatal(call.answer.String())
	}
}

// BenchmarkCodeFlow is one step of each: a signed-in authorization, and the redemption.
func BenchmarkCodeFlow(b *testing.B) {
	h := quiet(b)
	ask, call := signedIn(b, h), newHot(b, http.MethodPost, "/token")
	call.request.SetBasicAuth("orders", h.secret.Reveal())
	form := redeem("")
	form.Del("code")
	rest := "&" + form.Encode()
	b.ReportAllocs()
	for b.Loop() {
		ask.ask(h.Handler(), "")
		_, after, _ := strings.Cut(ask.header.Get("Location"), "code=")
		code, _, _ := strings.Cut(after, "&")
		call.ask(h.Handler(), "code="+code+rest)
		if call.status != http.StatusOK {
			b.Fatal(ask.header, call.answer.String())
		}
	}
}

func BenchmarkRefresh(b *testing.B) {
	h := quiet(b)
	token := h.token("orders", redeem(h.browser().code("alice", "orders"))).RefreshToken
	call := newHot(b, http.MethodPost, "/token")
	call.request.SetBasicAuth("orders", h.secret.Reveal())
	b.ReportAllocs()
	for b.Loop() {
		call.ask(h.Handler(), "grant_type=refresh_token&refresh_token="+token)
		if token = call.member("refresh_token"); token == "" {
			b.Fatal(call.answer.String())
		}
	}
}

func BenchmarkUserinfo(b *testing.B) {
	h := quiet(b)
	access := h.token("orders", redeem(h.browser().code("alice", "orders"))).AccessToken
	call := newHot(b, http.MethodGet, "/userinfo")
	call.request.Header.Set("Authorization", "Bearer "+access)
	b.ReportAllocs()
	for b.Loop() {
		call.ask(h.Handler(), "")
	}
	if call.status != http.StatusOK {
		b.Fatal(call.answer.String())
	}
}

func BenchmarkIntrospection(b *testing.B) {
	h := quiet(b)
	access := h.token("orders", redeem(h.browser().code("alice", "orders"))).AccessToken
	call := newHot(b, http.MethodPost, "/introspect")
	h.client(client.Client{ID: "gate", Grants: []string{client.GrantCredentials}, Introspects: true, Audience: []string{"https://orders.example"}})
	call.request.SetBasicAuth("gate", h.secret.Reveal())
	b.ReportAllocs()
	for b.Loop() {
		call.ask(h.Handler(), "token="+access)
	}
	if !bytes.Contains(call.answer.Bytes(), []byte(`"active":true`)) {
		b.Fatal(call.answer.String())
	}
}
