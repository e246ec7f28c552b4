package httpd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/httpd"
	"github.com/signet-id/signet/internal/telemetry"
)

// book is a log that may be read while the server writes it.
type book struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newServer(t *testing.T, change func(*httpd.Options)) (*httpd.Server, *book) {
	t.Helper()
	log := &book{}
	o := httpd.Options{
		Address:   "127.0.0.1:0",
		Telemetry: telemetry.New(telemetry.Options{Writer: log, Format: "json", Level: slog.LevelDebug}),
	}
	if change != nil {
		change(&o)
	}
	s, err := httpd.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s, log
}

// ask sends a request in process; header lines alternate name and value.
func ask(t *testing.T, s *httpd.Server, method, target string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, body)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func ok(c echo.Context) error { return c.String(http.StatusOK, "ok") }

// run serves until the test ends, and returns the address.
func run(t *testing.T, s *httpd.Server) string {
	t.Helper()
	addr, err := s.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
	return addr.String()
}

func TestAPanicIsA500ThatSaysNothingAndALogLineThatSaysAll(t *testing.T) {
	s, log := newServer(t, nil)
	s.Echo().GET("/boom", func(echo.Context) error { panic("hunter2 exploded") })
	w := ask(t, s, "GET", "/boom", nil)
	if w.Code != http.StatusInternalServerError {
		t.Errorf("status = %d, want 500", w.Code)
	}
	if body := w.Body.String(); strings.Contains(body, "hunter2") || strings.Contains(body, "goroutine") || strings.Contains(body, ".go") {
		t.Errorf("the answer leaks: %s", body)
	}
	id := w.Header().Get("X-Request-Id")
	if !strings.Contains(w.Body.String(), id) || id == "" {
		t.Errorf("the answer does not name the request %q: %s", id, w.Body)
	}
	if got := log.String(); !strings.Contains(got, "hunter2 exploded") || !strings.Contains(got, "httpd_test.go") || !strings.Contains(got, id) {
		t.Errorf("the log lacks the panic, its stack or the request id:\n%s", got)
	}
	if w := ask(t, s, "GET", "/boom", nil); w.Code != http.StatusInternalServerError {
		t.Errorf("the next request = %d, want 500 again", w.Code)
	}
}

func TestHalfAnAnswerIsCutAndNotTakenForAWholeOne(t *testing.T) {
	s, _ := newServer(t, nil)
	s.Echo().GET("/half", func(c echo.Context) error {
		if err := c.String(http.StatusOK, strings.Repeat("x", 100_000)); err != nil {
			return err
		}
		panic("too late")
	})
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+run(t, s)+"/half", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return // cut before the header left: as good
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the client read an answer without noticing that it was cut")
	}
}

func TestTheAccessLogHoldsNoSecret(t *testing.T) {
	s, log := newServer(t, nil)
	s.Echo().POST("/token/:handle", func(c echo.Context) error {
		if _, err := io.ReadAll(c.Request().Body); err != nil {
			return err
		}
		return ok(c)
	})
	ask(t, s, "POST", "/token/hunter2-path?code=hunter2-query", strings.NewReader("client_secret=hunter2-body"),
		"Authorization", "Bearer hunter2-auth", "Cookie", "session=hunter2-cookie", "Referer", "https://x/?hunter2-referer",
		"User-Agent", "hunter2-agent", "X-Forwarded-For", "hunter2-forwarded", "X-Request-Id", "hunter2-id")
	ask(t, s, "GET", "/nowhere/hunter2-unmatched", nil)
	got := log.String()
	if strings.Contains(got, "hunter2") {
		t.Errorf("the log holds what strangers sent:\n%s", got)
	}
	for _, want := range []string{`"route":"/token/:handle"`, `"status":200`, `"bytes":2`, `"status":404`, `"route":""`, `"client":"192.0.2.1"`, `"request_id"`} {
		if !strings.Contains(got, want) {
			t.Errorf("the log lacks %s:\n%s", want, got)
		}
	}
}

func TestMetricsNeverGrowWithThePathsThatStrangersTry(t *testing.T) {
	var tel *telemetry.Telemetry
	s, _ := newServer(t, func(o *httpd.Options) { tel = o.Telemetry })
	s.Echo().GET("/status/:n", ok)
	s.Echo().Group("/api", func(next echo.HandlerFunc) echo.HandlerFunc { return next }).GET("/x", ok)
	for _, path := range []string{"/secret-a", "/secret-b/c", "/status/1", "/status/2", "/other/secret-c/d", "/api/secret-d"} {
		ask(t, s, "GET", path, nil)
	}
	ask(t, s, "POST", "/status/secret-e", nil)
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if strings.Contains(w.Body.String(), "secret") {
		t.Error("a raw path became a label")
	}
	if want := `signet_http_requests_total{code="200",method="GET",route="/status/:n"} 2`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("/metrics lacks %s:\n%s", want, w.Body)
	}
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	for _, https := range []bool{true, false} {
		s, _ := newServer(t, func(o *httpd.Options) { o.HTTPS = https })
		s.Echo().GET("/", ok)
		s.Echo().GET("/boom", func(echo.Context) error { panic("boom") })
		for _, path := range []string{"/", "/boom", "/nowhere"} {
			h := ask(t, s, "GET", path, nil).Header()
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("%s: headers are %v", path, h)
			}
			if got := h.Get("Strict-Transport-Security"); (got != "") != https {
				t.Errorf("%s under https=%v: HSTS is %q", path, https, got)
			}
		}
	}
}

func TestABodyBeyondTheLimitIs413(t *testing.T) {
	s, _ := newServer(t, func(o *httpd.Options) { o.MaxBody = 100 })
	read := 0
	s.Echo().POST("/form", func(c echo.Context) error {
		err := c.Request().ParseForm()
		read = len(c.Request().PostForm.Encode())
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "the form is malformed")
		}
		return ok(c)
	})
	s.Echo().POST("/swallow", func(c echo.Context) error {
		_, _ = io.Copy(io.Discard, c.Request().Body) // forgets the error
		return nil
	})
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	big := "a=" + strings.Repeat("x", 1000)
	unsized := func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) } // its length is not announced
	for _, tc := range []struct {
		path string
		body io.Reader
		want int
	}{
		{"/form", strings.NewReader("a=b"), 200},
		{"/form", strings.NewReader("a=" + strings.Repeat("x", 98)), 200},
		{"/form", strings.NewReader(big), 413},
		{"/form", unsized(big), 413},
		{"/swallow", unsized(big), 413},
	} {
		if w := ask(t, s, "POST", tc.path, tc.body, form...); w.Code != tc.want {
			t.Errorf("POST %s = %d %s, want %d", tc.path, w.Code, w.Body, tc.want)
		}
		if read > 100 {
			t.Errorf("the handler read %d bytes, beyond the limit", read)
		}
	}
}

func TestAWrongMethodIs405WithAllow(t *testing.T) {
	s, _ := newServer(t, nil)
	s.Echo().POST("/token", ok)
	s.Echo().GET("/keys", ok)
	for path, want := range map[string]string{"/token": "OPTIONS, POST", "/keys": "OPTIONS, GET, HEAD"} {
		w := ask(t, s, "DELETE", path, nil)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != want {
			t.Errorf("DELETE %s = %d, Allow %q, want 405 and %q", path, w.Code, w.Header().Get("Allow"), want)
		}
		var body struct{ Error string }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error != "method_not_allowed" {
			t.Errorf("DELETE %s answers %s", path, w.Body)
		}
	}
}

func TestWhatCanBeFetchedAnswersHEADWithoutABody(t *testing.T) {
	s, _ := newServer(t, nil)
	s.Echo().GET("/keys", ok)
	r, err := http.NewRequestWithContext(t.Context(), "HEAD", "http://"+run(t, s)+"/keys", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK || resp.ContentLength != 2 {
		t.Errorf("HEAD = %d with length %d, want 200 and 2", resp.StatusCode, resp.ContentLength)
	}
}

func TestALastResortErrorShowsTheMessageAndNeverTheCause(t *testing.T) {
	s, log := newServer(t, nil)
	cause := errors.New("hunter2")
	for path, err := range map[string]error{
		"/invalid":     fault.Wrap(fault.Invalid, cause, "the name is too long"),
		"/internal":    fault.Wrap(fault.Internal, cause, "hunter2 again"),
		"/unavailable": &fault.Error{Kind: fault.Unavailable, Message: "the store is away", Cause: cause, RetryAfter: 1500 * time.Millisecond},
		"/plain":       cause,
		"/echo":        echo.NewHTTPError(http.StatusBadRequest, "hunter2").SetInternal(cause),
	} {
		s.Echo().GET(path, func(echo.Context) error { return err })
	}
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/invalid":     {400, "the name is too long"},
		"/internal":    {500, "something went wrong on our side"},
		"/unavailable": {503, "the store is away"},
		"/plain":       {500, "something went wrong on our side"},
		"/echo":        {400, "Bad Request"},
		"/nowhere":     {404, "there is nothing at this address"},
	} {
		w := ask(t, s, "GET", path, nil)
		if w.Code != want.status || !strings.Contains(w.Body.String(), want.text) || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s = %d %s, want %d saying %q", path, w.Code, w.Body, want.status, want.text)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be cached", path)
		}
	}
	if got := ask(t, s, "GET", "/unavailable", nil).Header().Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After = %q, want 2", got)
	}
	if !strings.Contains(log.String(), "hunter2") {
		t.Error("the log lacks the cause")
	}
}

func TestABrowserGetsThePageAndAMachineGetsJSON(t *testing.T) {
	s, log := newServer(t, func(o *httpd.Options) {
		o.Fail = func(c echo.Context, err error) {
			if c.Request().URL.Path == "/worse" {
				panic("the page fails too")
			}
			if err := c.HTML(httpd.FailureOf(err).Status, "<h1>Sorry</h1>"); err != nil {
				t.Error(err)
			}
		}
	})
	const browser = "text/html,application/xhtml+xml,*/*;q=0.8"
	if w := ask(t, s, "GET", "/nowhere", nil, "Accept", browser); w.Code != 404 || w.Body.String() != "<h1>Sorry</h1>" {
		t.Errorf("a browser gets %d %s", w.Code, w.Body)
	}
	if w := ask(t, s, "GET", "/nowhere", nil, "Accept", "application/json"); w.Code != 404 || !strings.HasPrefix(w.Body.String(), `{"error":"not_found"`) {
		t.Errorf("a machine gets %d %s", w.Code, w.Body)
	}
	if w := ask(t, s, "GET", "/worse", nil, "Accept", browser); w.Code != 404 || !strings.HasPrefix(w.Body.String(), `{"error":"not_found"`) {
		t.Errorf("a browser whose page fails gets %d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "the page fails too") {
		t.Error("the log lacks the page's failure")
	}
}

func TestARequestIDComesFromATrustedProxyOnly(t *testing.T) {
	s, _ := newServer(t, func(o *httpd.Options) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	s.Echo().GET("/", ok)
	for _, tc := range []struct {
		peer, sent string
		kept       bool
	}{
		{"192.0.2.1:1", "from-the-proxy", true},
		{"192.0.2.1:1", "with\nnewline-and-more", false},
		{"192.0.2.1:1", strings.Repeat("a", 65), false},
		{"198.51.100.1:1", "from-a-stranger", false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.RemoteAddr = tc.peer
		r.Header.Set("X-Request-Id", tc.sent)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		got := w.Header().Get("X-Request-Id")
		if (got == tc.sent) != tc.kept || got == "" {
			t.Errorf("%s sends %q: the request is called %q", tc.peer, tc.sent, got)
		}
	}
}

func TestTheHandlerWorksWithoutANetworkInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newServer(t, nil)
		s.Echo().GET("/", func(c echo.Context) error {
			time.Sleep(time.Hour)
			return ok(c)
		})
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.RemoteAddr = ""
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("status = %d, want 200", w.Code)
		}
	})
}

func TestATakenPortIsSaidPlainly(t *testing.T) {
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	s, _ := newServer(t, func(o *httpd.Options) { o.Address = taken.Addr().String() })
	_, err = s.Listen(t.Context())
	_, got := fault.Public(err)
	want := "port " + port + " on 127.0.0.1 is taken by another program; choose another with --port or http.address"
	if got != want {
		t.Errorf("Listen says %q, want %q", got, want)
	}
}

func TestAnAddressOfAnotherMachineIsSaidPlainly(t *testing.T) {
	s, _ := newServer(t, func(o *httpd.Options) { o.Address = "192.0.2.1:8080" })
	if _, err := s.Listen(t.Context()); fault.KindOf(err) != fault.Invalid {
		t.Errorf("Listen = %v, want invalid", err)
	}
}
