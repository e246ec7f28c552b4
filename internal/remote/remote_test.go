package remote_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/remote"
)

const document = `{"keys":[]}`

// serve starts a TLS server on loopback that answers with h, and says who it is.
func serve(t *testing.T, h http.HandlerFunc) (url string, roots *x509.CertPool) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	roots = x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.URL, roots
}

func answer(headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		fmt.Fprint(w, document)
	}
}

func wantKind(t *testing.T, err error, want fault.Kind) {
	t.Helper()
	if got := fault.KindOf(err); err == nil || got != want {
		t.Errorf("got %v (%s), want fault %s", err, got, want)
	}
}

// leaves lets one who is in a hurry and one who is patient ask at the same time
// whoever never answers, and wants the first to be the only one who gives up.
func leaves(t *testing.T, roots *x509.CertPool, ask func(*remote.Fetcher) error) error {
	t.Helper()
	hurried, patient := make(chan error, 1), make(chan error, 1)
	for answer, limit := range map[chan error]time.Duration{hurried: 100 * time.Millisecond, patient: time.Minute} {
		go func() { answer <- ask(remote.New(remote.Options{AllowPrivate: true, Roots: roots, Timeout: limit})) }()
	}
	select {
	case err := <-hurried:
		wantKind(t, err, fault.Unavailable)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v, want its deadline", err)
		}
		return err
	case err := <-patient:
		t.Errorf("who has a minute gave up first: %v", err)
		return err
	}
}

func TestADocumentIsFetchedWithItsAge(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                              0,
		"max-age=600":                   10 * time.Minute,
		"public, Max-Age=\"60\"":        time.Minute,
		"max-age=60, no-store":          0,
		"no-cache":                      0,
		"max-age=-1":                    0,
		"max-age=99999999999999999999":  0,
		"max-age=2147483647":            365 * 24 * time.Hour,
		"s-maxage=5, max-age=7, public": 7 * time.Second,
	} {
		url, roots := serve(t, answer("Cache-Control", header))
		body, age, err := remote.New(remote.Options{AllowPrivate: true, Roots: roots}).Fetch(t.Context(), url)
		if err != nil || string(body) != document || age != want {
			t.Errorf("%q: got %q, %s, %v, want an age of %s", header, body, age, err, want)
		}
	}
}

func TestOnlyJSONIsRead(t *testing.T) {
	for kind, want := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "application/jwk-set+json": true,
		"text/html": false, "text/json": false, "application/octet-stream": false, "image/svg+xml": false, "": false, "application/json, text/html": false,
	} {
		url, roots := serve(t, answer("Content-Type", kind))
		if _, _, err := remote.New(remote.Options{AllowPrivate: true, Roots: roots}).Fetch(t.Context(), url); (err == nil) != want {
			t.Errorf("%q: got %v, want it read: %t", kind, err, want)
		}
	}
}

// This server stands inside; a client stands outside and must not see through it.
func TestAPrivateAddressIsRefusedUnlessTheOperatorAllowsIt(t *testing.T) {
	asked := false
	url, roots := serve(t, func(w http.ResponseWriter, r *http.Request) { asked = true; answer()(w, r) })
	_, _, err := remote.New(remote.Options{Roots: roots}).Fetch(t.Context(), url)
	wantKind(t, err, fault.Denied)
	if _, message := fault.Public(err); strings.Contains(message, "127.0.0.1") {
		t.Errorf("the message tells what was met: %q", message)
	}
	// A name that leads here is no better than the number: what counts is the
	// address that is connected to, whatever a look-up said before.
	_, _, err = remote.New(remote.Options{Roots: roots}).Fetch(t.Context(), strings.Replace(url, "127.0.0.1", "localhost", 1))
	wantKind(t, err, fault.Denied)
	if asked {
		t.Error("the server was asked all the same")
	}
	if _, _, err := remote.New(remote.Options{Roots: roots, AllowPrivate: true}).Fetch(t.Context(), url); err != nil {
		t.Errorf("allowed, and refused: %v", err)
	}
}

func TestAURLOfAnotherFormIsNotAsked(t *testing.T) {
	for _, url := range []string{
		"http://keys.example.com/jwks", "ftp://keys.example.com/", "file:///etc/passwd", "https:///jwks", "https:keys", "//keys.example.com/",
		"https://user@keys.example.com/", "https://user:pass@keys.example.com/", "https://keys.example.com/#x", "", "jwks", "https://:443/",
		"gopher://127.0.0.1/", "https://keys.example.com/" + strings.Repeat("x", 2048), "https://%zz/", "unix:/run/x",
	} {
		_, _, err := remote.New(remote.Options{}).Fetch(t.Context(), url)
		wantKind(t, err, fault.Invalid)
	}
}

func TestPlainHTTPIsForThisMachineAlone(t *testing.T) {
	s := httptest.NewServer(answer())
	defer s.Close()
	_, _, err := remote.New(remote.Options{}).Fetch(t.Context(), s.URL)
	wantKind(t, err, fault.Invalid)
	allowed := remote.New(remote.Options{AllowPrivate: true, Timeout: 500 * time.Millisecond})
	if _, _, err := allowed.Fetch(t.Context(), s.URL); err != nil {
		t.Errorf("loopback, allowed: %v", err)
	}
	for _, url := range []string{"http://10.0.0.1/", "http://8.8.8.8/", "http://[fd00::1]/"} {
		_, _, err = allowed.Fetch(t.Context(), url)
		wantKind(t, err, fault.Denied)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	var asked atomic.Bool
	target, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { asked.Store(true); answer()(w, r) })
	url, roots := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		http.Redirect(w, r, target, http.StatusFound)
	})
	_, _, err := remote.New(remote.Options{AllowPrivate: true, Roots: roots}).Fetch(t.Context(), url)
	wantKind(t, err, fault.Unavailable)
	if asked.Load() {
		t.Error("the target was asked")
	}
}

func TestAnAnswerThatIsNot200IsNoDocument(t *testing.T) {
	for _, status := range []int{201, 204, 206, 401, 404, 500} {
		url, roots := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
		})
		_, _, err := remote.New(remote.Options{AllowPrivate: true, Roots: roots}).Fetch(t.Context(), url)
		wantKind(t, err, fault.Unavailable)
	}
}

func TestADocumentHasALargestSizeDeclaredOrNot(t *testing.T) {
	for name, declared := range map[string]bool{"declared": true, "streamed": false} {
		for size, want := range map[int]bool{1024: true, 1025: false, 1 << 20: false} {
			url, roots := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if declared {
					w.Header().Set("Content-Length", fmt.Sprint(size))
				} else {
					w.(http.Flusher).Flush()
				}
				fmt.Fprint(w, strings.Repeat(" ", size))
			})
			body, _, err := remote.New(remote.Options{AllowPrivate: true, Roots: roots, MaxBytes: 1024}).Fetch(t.Context(), url)
			if (err == nil) != want || len(body) > 1024 {
				t.Errorf("%s, %d bytes: read %d, %v, want it read: %t", name, size, len(body), err, want)
			}
		}
	}
}

// Compressed, 64 KiB could be the seed of a hundred megabytes.
func TestNoCompressionIsAskedForAndNoCredentialSent(t *testing.T) {
	var got http.Header
	url, roots := serve(t, func(w http.ResponseWriter, r *http.Request) { got = r.Header; answer("Set-Cookie", "a=b")(w, r) })
	f := remote.New(remote.Options{AllowPrivate: true, Roots: roots})
	for range 2 {
		if _, _, err := f.Fetch(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"Accept-Encoding", "Authorization", "Cookie", "Referer"} {
		if got.Get(name) != "" {
			t.Errorf("%s: %s was sent", name, got.Get(name))
		}
	}
}

func TestASlowServerIsLeftInTime(t *testing.T) {
	release := make(chan struct{})
	url, roots := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.(http.Flusher).Flush()
		<-release
	})
	defer close(release)
	_ = leaves(t, roots, func(f *remote.Fetcher) error {
		_, _, err := f.Fetch(t.Context(), url)
		return err
	})
}

func TestAStrangerIsNotTrusted(t *testing.T) {
	url, _ := serve(t, answer())
	_, _, err := remote.New(remote.Options{AllowPrivate: true}).Fetch(t.Context(), url)
	wantKind(t, err, fault.Unavailable)
	old := httptest.NewUnstartedServer(answer())
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11} //nolint:gosec // that is the point
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.StartTLS()
	defer old.Close()
	roots := x509.NewCertPool()
	roots.AddCert(old.Certificate())
	_, _, err = remote.New(remote.Options{AllowPrivate: true, Roots: roots}).Fetch(t.Context(), old.URL)
	wantKind(t, err, fault.Unavailable)
}

func TestOnlySoManyFetchesRunAtOnce(t *testing.T) {
	var running, most atomic.Int32
	url, roots := serve(t, func(w http.ResponseWriter, r *http.Request) {
		now := running.Add(1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		time.Sleep(30 * time.Millisecond)
		running.Add(-1)
		answer()(w, r)
	})
	f := remote.New(remote.Options{AllowPrivate: true, Roots: roots, Concurrent: 2, Timeout: 5 * time.Second})
	done := make(chan error)
	for range 8 {
		go func() { _, _, err := f.Fetch(context.Background(), url); done <- err }()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := most.Load(); got != 2 {
		t.Errorf("%d ran at once, want 2", got)
	}
}

// The environment is read once in a process, so it is set before all tests.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		if err := os.Setenv(name, "http://127.0.0.1:1"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// A proxy would connect for us, and nobody would judge the address.
func TestAProxyOfTheEnvironmentIsNotAsked(t *testing.T) {
	_, _, err := remote.New(remote.Options{AllowPrivate: true}).Fetch(t.Context(), "https://169.254.169.254/latest")
	wantKind(t, err, fault.Denied)
}
