package remote_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/remote"
)

func form() url.Values { return url.Values{"logout_token": {"a.b+c"}} }

func TestAFormArrivesAndItsStatusComesBack(t *testing.T) {
	for _, want := range []int{200, 204, 400, 500, 302, 307} {
		var method, kind, body string
		var header http.Header
		at, roots := serve(t, func(w http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			method, kind, body, header = r.Method, r.Header.Get("Content-Type"), string(raw), r.Header
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(want)
		})
		got, err := remote.New(remote.Options{AllowPrivate: true, Roots: roots}).Post(t.Context(), at+"/logout?tenant=1", form())
		if err != nil || got != want {
			t.Errorf("got %d, %v, want %d", got, err, want)
		}
		if method != "POST" || kind != "application/x-www-form-urlencoded" || body != "logout_token=a.b%2Bc" {
			t.Errorf("it got %s %q %q", method, kind, body)
		}
		for _, name := range []string{"Authorization", "Cookie", "Referer", "Accept-Encoding"} {
			if header.Get(name) != "" {
				t.Errorf("%s: %s was sent", name, header.Get(name))
			}
		}
	}
}

// What is posted is a signed statement about a person: it goes where the operator
// registered and nowhere else.
func TestAPostFollowsNoRedirect(t *testing.T) {
	var elsewhere atomic.Int32
	other, _ := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		at, roots := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, status) })
		got, err := remote.New(remote.Options{AllowPrivate: true, Roots: roots}).Post(t.Context(), at, form())
		if err != nil || got != status {
			t.Errorf("%d: got %d, %v", status, got, err)
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("the other place was asked %d times", n)
	}
}

func TestAPostGoesNowhereThatAFetchMayNotGo(t *testing.T) {
	asked := false
	at, roots := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	_, err := remote.New(remote.Options{Roots: roots}).Post(t.Context(), at, form())
	wantKind(t, err, fault.Denied)
	_, err = remote.New(remote.Options{AllowPrivate: true}).Post(t.Context(), "https://169.254.169.254/", form())
	wantKind(t, err, fault.Denied)
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer plain.Close()
	for _, bad := range []string{
		plain.URL, "http://shop.example.com/", "https://u:p@shop.example.com/", "https://shop.example.com/#x", "ftp://shop.example.com/", "", "https:",
	} {
		_, err := remote.New(remote.Options{Roots: roots}).Post(t.Context(), bad, form())
		wantKind(t, err, fault.Invalid)
	}
	if asked {
		t.Error("it was asked all the same")
	}
	if status, err := remote.New(remote.Options{AllowPrivate: true}).Post(t.Context(), plain.URL, form()); err != nil || status != 200 {
		t.Errorf("plain http to this machine, allowed: got %d, %v", status, err)
	}
}

// An answer without an end costs nothing: nobody reads it.
func TestThePartOfAnAnswerThatIsNotNeededIsNotRead(t *testing.T) {
	gone := make(chan struct{})
	at, roots := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(gone)
		for {
			if _, err := fmt.Fprint(w, strings.Repeat("x", 1<<16)); err != nil {
				return
			}
		}
	})
	status, err := remote.New(remote.Options{AllowPrivate: true, Roots: roots}).Post(t.Context(), at, form())
	if err != nil || status != 200 {
		t.Errorf("got %d, %v", status, err)
	}
	select {
	case <-gone:
	case <-time.After(time.Minute):
		t.Error("the connection is still open")
	}
	big, roots := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) })
	_, err = remote.New(remote.Options{AllowPrivate: true, Roots: roots}).Post(t.Context(), big, form())
	wantKind(t, err, fault.Unavailable)
}

func TestAPostToWhoNeverAnswersEndsInTime(t *testing.T) {
	release := make(chan struct{})
	at, roots := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	err := leaves(t, roots, func(f *remote.Fetcher) error {
		_, err := f.Post(t.Context(), at, form())
		return err
	})
	var f *fault.Error
	if errors.As(err, &f) && strings.Contains(f.Message, at) {
		t.Errorf("the message says where: %s", f.Message)
	}
}
