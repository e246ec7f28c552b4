package discovery_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/signet-id/signet/internal/endpoint/discovery"
	"github.com/signet-id/signet/keys"
)

// ring publishes what a test says.
type ring struct{ document keys.Document }

func (r *ring) JWKS() keys.Document { return r.document }

const (
	metadataPath = "/.well-known/openid-configuration"
	minute       = time.Minute
)

func serving(t *testing.T) (*echo.Echo, *ring) {
	t.Helper()
	r := &ring{keys.Document{Body: []byte(`{"keys":["one"]}`), ETag: `"one"`, MaxAge: minute}}
	h, err := discovery.New(discovery.Options{Issuer: "https://id.example.com", Keys: r, MaxAge: minute})
	if err != nil {
		t.Fatal(err)
	}
	e := echo.New()
	h.Mount(e.Group(""), e.Group(""))
	return e, r
}

func ask(t *testing.T, h http.Handler, method, path string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	maps.Copy(r.Header, header)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// What Echo's own middleware says across origins is what we say, ready-made.
func TestOtherOriginsAreAnsweredAsByTheOrdinaryMiddleware(t *testing.T) {
	ours, _ := serving(t)
	theirs := echo.New()
	cors := middleware.CORSWithConfig(middleware.CORSConfig{AllowOrigins: []string{"*"}, AllowMethods: []string{http.MethodGet}})
	theirs.Match([]string{http.MethodGet, http.MethodOptions}, "/*", func(c echo.Context) error { return c.NoContent(http.StatusOK) }, cors)
	for _, method := range []string{http.MethodGet, http.MethodOptions} {
		for _, header := range []http.Header{
			{},
			{"Origin": {"https://spa.example"}},
			{"Origin": {""}},
			{"Origin": {"null"}, "Access-Control-Request-Method": {"GET"}},
			{"Origin": {"https://spa.example"}, "Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {"if-none-match, x-a"}},
			{"Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {"if-none-match"}},
		} {
			for _, path := range []string{metadataPath, "/jwks", "/.well-known/oauth-authorization-server"} {
				got, want := ask(t, ours, method, path, header), ask(t, theirs, method, path, header)
				if got.StatusCode != want.StatusCode {
					t.Errorf("%s %s %v: %d, want %d", method, path, header, got.StatusCode, want.StatusCode)
				}
				for _, name := range []string{
					"Vary", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
					"Access-Control-Max-Age", "Access-Control-Allow-Credentials", "Allow",
				} {
					if got, want := got.Header.Values(name), want.Header.Values(name); !slices.Equal(got, want) {
						t.Errorf("%s %s %v: %s is %q, want %q", method, path, header, name, got, want)
					}
				}
			}
		}
	}
}

func TestWhoeverHasADocumentGetsNothing(t *testing.T) {
	e, _ := serving(t)
	for _, path := range []string{metadataPath, "/jwks"} {
		got := ask(t, e, http.MethodGet, path, nil)
		tag := got.Header.Get("ETag")
		again := ask(t, e, http.MethodGet, path, http.Header{"If-None-Match": {`"other", W/` + tag}})
		if again.StatusCode != http.StatusNotModified || again.Header.Get("ETag") != tag || again.Header.Get("Cache-Control") != "public, max-age=60" {
			t.Errorf("%s: whoever has it gets %d with %v", path, again.StatusCode, again.Header)
		}
		if body, err := io.ReadAll(again.Body); err != nil || len(body) > 0 || again.Header.Get("Content-Type") != "" {
			t.Errorf("%s: 304 has a body: %q, %v (%v)", path, body, again.Header, err)
		}
	}
}

func TestAKeyThatComesIsPublishedWithTheNextAnswer(t *testing.T) {
	e, r := serving(t)
	if got := ask(t, e, http.MethodGet, "/jwks", nil); got.Header.Get("ETag") != `"one"` {
		t.Fatalf("ETag = %s", got.Header.Get("ETag"))
	}
	r.document = keys.Document{Body: []byte(`{"keys":["one","two"]}`), ETag: `"two"`, MaxAge: minute}
	got := ask(t, e, http.MethodGet, "/jwks", nil)
	body, err := io.ReadAll(got.Body)
	if err != nil || got.Header.Get("ETag") != `"two"` || string(body) != string(r.document.Body) {
		t.Errorf("the answer is %s %s, want the new one (%v)", got.Header.Get("ETag"), body, err)
	}
}

// The headers of all answers are the same slices: what one adds must not be seen
// by the next.
func TestWhatIsAddedToOneAnswerStaysThere(t *testing.T) {
	e, _ := serving(t)
	add := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Response().Before(func() {
				for name := range c.Response().Header() {
					c.Response().Header().Add(name, "added")
				}
			})
			return next(c)
		}
	}
	plain := ask(t, e, http.MethodGet, metadataPath, http.Header{"Origin": {"https://spa.example"}})
	e.Use(add)
	changed := ask(t, e, http.MethodGet, metadataPath, http.Header{"Origin": {"https://spa.example"}})
	for name, values := range changed.Header {
		if want := append(plain.Header.Values(name), "added"); !slices.Equal(values, want) {
			t.Errorf("%s is %q, want %q", name, values, want)
		}
	}
	again := ask(t, e, http.MethodGet, metadataPath, http.Header{"Origin": {"https://spa.example"}})
	for name, values := range again.Header {
		if len(values) != 2 {
			t.Errorf("after an answer was added to, %s is %q", name, values)
		}
	}
}
