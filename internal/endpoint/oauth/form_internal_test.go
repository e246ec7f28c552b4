package oauth

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzPairsAreReadAsTheStandardLibraryReadsThem: what a proxy or another library
// reads in a form must be what we read.
func FuzzPairsAreReadAsTheStandardLibraryReadsThem(f *testing.F) {
	for _, text := range []string{
		"", "a", "a=", "=a", "=", "&", "&&a=1&", "a=1&b=2", "a=1&b=2&a=3&b=4&c=5", "a=1;b=2", "a=1&b;=2&c=3", "a%3b=1",
		"a=%zz&b=2", "%zz=1&b=2", "a=%4", "a=b=c", "a=1+2%2B3", "a=%00%ff\xff", "resource=x&resource=&resource=y",
		strings.Repeat("a=1&", usualPairs+3) + "b=2", "a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=0&k=1&l=2&m=3&n=4&o=5&p=6&q=7&r=8&a=9",
		strings.Repeat("&", maxPairs-1), strings.Repeat("&", maxPairs),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parsePairs(text, anyName)
		want, wantErr := url.ParseQuery(text)
		if (err == nil) != (wantErr == nil) {
			t.Errorf("parsePairs(%q) fails with %v, url.ParseQuery with %v", text, err, wantErr)
		}
		if len(got)+len(want) > 0 && !cmp.Equal(got, want) {
			t.Errorf("parsePairs(%q): %s", text, cmp.Diff(want, got))
		}
	})
}

func TestOfPairsThatAreNotWantedNothingIsKept(t *testing.T) {
	got, err := parsePairs("a=1&b=2&a=3", func(name string) bool { return name == "b" })
	if err != nil || !cmp.Equal(got, url.Values{"b": {"2"}}) {
		t.Errorf("parsePairs = %v, %v", got, err)
	}
}

// A refusal tells what was sent, from PostForm.
func TestAFormIsWhereARefusalLooksForIt(t *testing.T) {
	for body, code := range map[string]string{"client_id=app&scope=x": "", "client_id=app&scope=%zz": "invalid_request"} {
		r := formRequest(t, "/token", formType, body)
		if _, err := readToken(r); code != "" {
			wantCode(t, err, code)
		} else if err != nil {
			t.Error(err)
		}
		if got := r.PostForm.Get("client_id"); got != "app" {
			t.Errorf("%s: PostForm has client_id %q", body, got)
		}
	}
}

// cut is a body that ends before it should.
type cut struct{ sent io.Reader }

func (c cut) Read(p []byte) (int, error) {
	n, err := c.sent.Read(p)
	if err == io.EOF { //nolint:errorlint // a reader returns it bare
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestABodyThatIsCutIsRefusedWhole(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", cut{strings.NewReader("grant_type=client_credentials")})
	r.Header.Set("Content-Type", formType)
	form, err := readToken(r)
	wantCode(t, err, "invalid_request")
	if form != nil || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("readToken = %v, %v", form, err)
	}
}

// One who says a gigabyte will come has not sent it.
func TestRoomForABodyIsNotMadeOnAStrangersWord(t *testing.T) {
	const claimed = 1 << 30
	r := &http.Request{Header: http.Header{"Content-Type": {formType}}, Body: http.NoBody, ContentLength: claimed}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := readForm(r); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > claimed/2 {
		t.Errorf("a request without a body takes %d bytes", got)
	}
}
