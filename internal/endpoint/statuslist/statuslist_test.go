package statuslist_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/httpd"
	"github.com/signet-id/signet/internal/slot"
)

func body(t testing.TB, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func path(at slot.Slot) string { return strings.TrimPrefix(at.URI(issuer), issuer) }

func TestAListIsServedWithWhatCachesNeed(t *testing.T) {
	s := serve(t, nil, httpd.TLS{})
	at := s.take(t)
	plain := s.get(t, http.MethodGet, path(at))
	packed := s.get(t, http.MethodGet, path(at), "Accept-Encoding", "br, gzip;q=0.8")
	for _, res := range []*http.Response{plain, packed} {
		for name, want := range map[string]string{
			"Content-Type": "application/statuslist+jwt", "Cache-Control": "public, max-age=60",
			"Vary": "Accept-Encoding", "Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff",
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		if res.StatusCode != http.StatusOK || res.ContentLength <= 0 {
			t.Errorf("status %d, %d bytes", res.StatusCode, res.ContentLength)
		}
	}
	if got := packed.Header.Get("Content-Encoding"); got != "gzip" {
		t.Fatalf("Content-Encoding is %q, want gzip", got)
	}
	unpacked, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	jwt := body(t, plain.Body)
	if got := body(t, unpacked); got != jwt || strings.Count(jwt, ".") != 2 {
		t.Errorf("compressed it is %.80q, want %.80q", got, jwt)
	}
	if plain.Header.Get("ETag") == packed.Header.Get("ETag") {
		t.Error("two representations have one tag")
	}
}

func TestWhoHasTheListIsToldSoAndWhoHasAnOldOneGetsTheNew(t *testing.T) {
	s := serve(t, nil, httpd.TLS{})
	at := s.take(t)
	etag := s.get(t, http.MethodGet, path(at)).Header.Get("ETag")
	for _, match := range []string{etag, "W/" + etag, `"other", ` + etag, "*", strings.TrimSuffix(etag, `"`) + `-gzip"`} {
		res := s.get(t, http.MethodGet, path(at), "If-None-Match", match, "Accept-Encoding", "gzip")
		if res.StatusCode != http.StatusNotModified || res.Header.Get("ETag") == "" || res.Header.Get("Vary") == "" || body(t, res.Body) != "" {
			t.Errorf("If-None-Match: %s is answered %d", match, res.StatusCode)
		}
	}
	if err := s.Wait(t.Context(), s.end(t, at)); err != nil {
		t.Fatal(err)
	}
	res := s.get(t, http.MethodGet, path(at), "If-None-Match", etag)
	if res.StatusCode != http.StatusOK || res.Header.Get("ETag") == etag {
		t.Errorf("after a change it is %d with tag %s", res.StatusCode, res.Header.Get("ETag"))
	}
}

func TestOnlyWhoAcceptsGzipGetsIt(t *testing.T) {
	s := serve(t, nil, httpd.TLS{})
	at := s.take(t)
	for accept, want := range map[string]string{
		"gzip": "gzip", "GZIP": "gzip", "deflate, gzip;q=1.0": "gzip", "x-gzip": "gzip", "gzip; q=0.001": "gzip",
		"": "", "gzip;q=0": "", "gzip; q=0.000": "", "identity": "", "br": "", "gzipped": "",
	} {
		if got := s.get(t, http.MethodGet, path(at), "Accept-Encoding", accept).Header.Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding: %q is answered with %q, want %q", accept, got, want)
		}
	}
}

func TestAListThatDoesNotExistIsNotFound(t *testing.T) {
	s := serve(t, nil, httpd.TLS{})
	at := s.take(t)
	number := strconv.FormatUint(at.List(), 10)
	for _, p := range []string{"/status/1", "/status/0" + number, "/status/+" + number, "/status/-1", "/status/x", "/status/99999999999999999999"} {
		res := s.get(t, http.MethodGet, p)
		var failure struct {
			Error string `json:"error"`
		}
		if err := json.Unmarshal([]byte(body(t, res.Body)), &failure); err != nil || res.StatusCode != http.StatusNotFound || failure.Error != "not_found" {
			t.Errorf("%s is answered %d, %+v, %v", p, res.StatusCode, failure, err)
		}
		if res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the refusal may be cached: it may exist in a moment", p)
		}
	}
}

func TestTheAggregationNamesEveryList(t *testing.T) {
	s := serve(t, nil, httpd.TLS{})
	var doc struct {
		Lists []string `json:"status_lists"`
	}
	read := func() {
		t.Helper()
		res := s.get(t, http.MethodGet, "/status")
		if err := json.Unmarshal([]byte(body(t, res.Body)), &doc); err != nil || res.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%v, %s", err, res.Header.Get("Content-Type"))
		}
	}
	if read(); doc.Lists == nil || len(doc.Lists) != 0 {
		t.Errorf("at first there is %v, want an empty array", doc.Lists)
	}
	at := s.take(t)
	if read(); !slices.Equal(doc.Lists, []string{at.URI(issuer)}) {
		t.Errorf("there is %v, want %s", doc.Lists, at.URI(issuer))
	}
}

func TestAskingAboutALinkOrFromAPageOfAnotherOriginWorks(t *testing.T) {
	s := serve(t, nil, httpd.TLS{})
	at := s.take(t)
	for _, p := range []string{path(at), "/status", "/status/stream"} {
		res := s.get(t, http.MethodHead, p)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") == "" || body(t, res.Body) != "" {
			t.Errorf("HEAD %s is answered %d", p, res.StatusCode)
		}
		res = s.get(t, http.MethodOptions, p, "Origin", "https://shop.example", "Access-Control-Request-Method", "GET")
		if res.StatusCode != http.StatusNoContent || res.Header.Get("Access-Control-Allow-Origin") != "*" ||
			!strings.Contains(res.Header.Get("Access-Control-Allow-Headers"), "Last-Event-ID") {
			t.Errorf("OPTIONS %s is answered %d, %v", p, res.StatusCode, res.Header)
		}
	}
}
