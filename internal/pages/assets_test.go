package pages_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/pages"
)

// references returns the paths of the style sheet and the icon, as a page names them.
func references(t *testing.T, p *pages.Pages) (style, icon string) {
	t.Helper()
	for _, n := range elements(t, render(t, p, pages.Home{}).Body.String()) {
		href, _ := attr(n, "href")
		switch rel, _ := attr(n, "rel"); rel {
		case "stylesheet":
			style = href
		case "icon":
			icon = href
		}
	}
	return style, icon
}

func fetch(t *testing.T, p *pages.Pages, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	p.Assets().ServeHTTP(w, r)
	return w
}

func TestEveryAssetThatPagesNameIsServedForEver(t *testing.T) {
	for _, base := range []string{"", "/auth"} {
		p := newPages(t, pages.Options{Base: base})
		style, icon := references(t, p)
		for path, contentType := range map[string]string{style: "text/css; charset=utf-8", icon: "image/svg+xml"} {
			w := fetch(t, p, http.MethodGet, path)
			if w.Code != http.StatusOK || w.Body.Len() == 0 {
				t.Errorf("GET %s = %d with %d bytes", path, w.Code, w.Body.Len())
			}
			for key, want := range map[string]string{
				"Content-Type":           contentType,
				"Cache-Control":          "public, max-age=31536000, immutable",
				"X-Content-Type-Options": "nosniff",
				"Vary":                   "Accept-Encoding",
				"Content-Encoding":       "",
			} {
				if got := w.Header().Get(key); got != want {
					t.Errorf("GET %s: %s = %q, want %q", path, key, got, want)
				}
			}
		}
	}
}

func TestTheCompressedAssetIsTheSameAsset(t *testing.T) {
	p := newPages(t, pages.Options{})
	style, _ := references(t, p)
	plain := fetch(t, p, http.MethodGet, style)
	zipped := fetch(t, p, http.MethodGet, style, "Accept-Encoding", "br, gzip;q=0.8")
	if got := zipped.Header().Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("Content-Encoding = %q", got)
	}
	r, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != plain.Body.String() {
		t.Error("the two differ")
	}
	// RFC 9110 §8.8.3: different bytes, different strong tags.
	if a, b := plain.Header().Get("ETag"), zipped.Header().Get("ETag"); a == b {
		t.Errorf("both have the tag %s", a)
	}
}

func TestGzipIsSentOnlyToWhoTakesIt(t *testing.T) {
	p := newPages(t, pages.Options{})
	style, _ := references(t, p)
	for accept, want := range map[string]string{
		"gzip": "gzip", "x-gzip": "gzip", "GZIP": "gzip", "*": "gzip", "deflate, gzip;q=1.0": "gzip", "*;q=0, gzip": "gzip",
		"": "", "br": "", "gzip;q=0": "", "gzip; q=0.0": "", "*, gzip;q=0": "", "*;q=0": "", "gzip;q=nonsense": "",
	} {
		if got := fetch(t, p, http.MethodGet, style, "Accept-Encoding", accept).Header().Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q is answered with %q, want %q", accept, got, want)
		}
	}
}

func TestAKnownAssetIsNotSentAgain(t *testing.T) {
	p := newPages(t, pages.Options{})
	style, _ := references(t, p)
	tag := fetch(t, p, http.MethodGet, style).Header().Get("ETag")
	w := fetch(t, p, http.MethodGet, style, "If-None-Match", tag)
	if w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("got %d with %d bytes, want 304 with none", w.Code, w.Body.Len())
	}
}

func TestNothingButTheAssetsIsServed(t *testing.T) {
	p := newPages(t, pages.Options{})
	style, _ := references(t, p)
	for _, path := range []string{
		"/assets/", "/assets/signet.css", "/assets/layout.html", "/assets/../signin.html", "/", strings.Replace(style, "signet-", "signet-0", 1),
	} {
		w := fetch(t, p, http.MethodGet, path)
		if w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s = %d, Cache-Control %q; want 404, no-store", path, w.Code, w.Header().Get("Cache-Control"))
		}
	}
	if w := fetch(t, p, http.MethodPost, style); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST = %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
	if w := fetch(t, p, http.MethodHead, style); w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("HEAD = %d with %d bytes", w.Code, w.Body.Len())
	}
}
