package oauth

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/refusal"
)

const formType = "application/x-www-form-urlencoded"

func formRequest(t *testing.T, target, contentType, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

// wantCode checks the OAuth error code of err, and that its description is fit
// for the wire.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %s", code)
		return
	}
	if r := refusalOf(err); r.code() != code {
		t.Errorf("code = %q (%v), want %q", r.code(), err, code)
	}
}

func TestAnAuthorizationRequestComesByGETOrPOSTAlike(t *testing.T) {
	query := url.Values{"client_id": {"orders"}, "scope": {"openid email"}, "state": {"ü&="}, "resource": {"https://a", "https://b"}, "unknown": {"x"}}
	want := url.Values{"client_id": {"orders"}, "scope": {"openid email"}, "state": {"ü&="}, "resource": {"https://a", "https://b"}}
	get := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/authorize?"+query.Encode(), nil)
	post := formRequest(t, "/authorize", formType+"; charset=utf-8", query.Encode())
	for _, r := range []*http.Request{get, post} {
		got, err := readAuthorize(echo.New().NewContext(r, httptest.NewRecorder()))
		if err != nil {
			t.Errorf("%s: %v", r.Method, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.Method, diff)
		}
	}
}

// One that reads both could be sent two requests in one.
func TestAPostedRequestIsItsBodyAlone(t *testing.T) {
	r := formRequest(t, "/authorize?client_id=evil&redirect_uri=https://evil", formType, "client_id=orders")
	got, err := readAuthorize(echo.New().NewContext(r, httptest.NewRecorder()))
	if err != nil || got.Get("client_id") != "orders" || got.Has("redirect_uri") {
		t.Errorf("readAuthorize = %v, %v", got, err)
	}
}

// RFC 6749 §2.3.1: secrets must not be in the URL, where logs keep them.
func TestATokenRequestIsItsBodyAlone(t *testing.T) {
	r := formRequest(t, "/token?client_secret=leaked&code=x&client_id=url", formType, "grant_type=authorization_code&client_id=body")
	form, err := readToken(r)
	if err != nil || form.Get("client_id") != "body" || form.Has("client_secret") || form.Has("code") {
		t.Errorf("readToken = %v, %v", form, err)
	}
}

func TestABodyThatIsNoFormIsRefused(t *testing.T) {
	for name, tt := range map[string]struct{ contentType, body string }{
		"JSON":         {"application/json", `{"grant_type":"client_credentials"}`},
		"multipart":    {"multipart/form-data; boundary=x", "--x--"},
		"no type":      {"", "grant_type=client_credentials"},
		"a wrong type": {"application/x-www-form-urlencoded-not", "grant_type=client_credentials"},
		"malformed":    {formType, "grant_type=%zz"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readToken(formRequest(t, "/token", tt.contentType, tt.body))
			wantCode(t, err, "invalid_request")
		})
	}
}

// RFC 6749 §3.1, §3.2: parameters MUST NOT be included more than once.
func TestAParameterSentTwiceIsRefused(t *testing.T) {
	for _, body := range []string{"client_id=a&client_id=b", "client_id=a&client_id=a", "x=1&x=2", "state=&state=", "code=&code=x"} {
		_, err := readToken(formRequest(t, "/token", formType, body))
		wantCode(t, err, "invalid_request")
	}
	form, err := readToken(formRequest(t, "/token", formType, "resource=https://a&resource=https://b")) // RFC 8707 §2
	if err != nil || len(form["resource"]) != 2 {
		t.Errorf("resource twice: %v, %v", form, err)
	}
}

// RFC 6749 §3.1, §3.2: parameters sent without a value MUST be treated as if
// they were omitted from the request.
func TestAParameterWithoutAValueWasNotSent(t *testing.T) {
	form, err := readToken(formRequest(t, "/token", formType, "client_id=app&client_secret=&scope&resource=&resource=https://a"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(url.Values{"client_id": {"app"}, "resource": {"https://a"}}, form); diff != "" {
		t.Errorf("token (-want +got):\n%s", diff)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/authorize?client_id=app&state=&resource=&nonce", nil)
	params, err := readAuthorize(echo.New().NewContext(r, httptest.NewRecorder()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(url.Values{"client_id": {"app"}}, params); diff != "" {
		t.Errorf("authorize (-want +got):\n%s", diff)
	}
}

func TestWhatStrangersSendIsBounded(t *testing.T) {
	long := strings.Repeat("x", maxParameter)
	for name, tt := range map[string]struct {
		params url.Values
		fits   bool
	}{
		"as long as one may be":  {url.Values{"state": {long}}, true},
		"one byte longer":        {url.Values{"state": {long + "x"}}, false},
		"too long together":      {url.Values{"a": {long}, "b": {long}, "c": {long}, "d": {"x"}}, false},
		"a long name":            {url.Values{strings.Repeat("n", maxParameters): {"x"}}, false},
		"many resources":         {url.Values{"resource": slices.Repeat([]string{strings.Repeat("r", 1000)}, 20)}, false},
		"nothing":                {url.Values{}, true},
		"a FAPI nonce and state": {url.Values{"nonce": {strings.Repeat("n", 384)}, "state": {strings.Repeat("s", 128)}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkParameters(tt.params)
			if tt.fits && err != nil {
				t.Errorf("checkParameters = %v", err)
			}
			if !tt.fits {
				wantCode(t, err, "invalid_request")
			}
		})
	}
}

func TestTheSameRequestAlwaysNamesTheSameParameter(t *testing.T) {
	params := url.Values{"b": {"1", "2"}, "a": {"1", "2"}, "c": {"1", "2"}}
	for range 32 {
		if got := checkParameters(params).Error(); !strings.Contains(got, `"a"`) {
			t.Fatalf("checkParameters = %s, want it to name a", got)
		}
	}
}

// Whatever name or text a stranger sends, the description of the error holds
// only what RFC 6749 §5.2 allows: %x20-21 / %x23-5B / %x5D-7E.
func FuzzADescriptionIsFitForTheWire(f *testing.F) {
	for _, seed := range []string{"", "scope", `a"b\c`, "a\r\nSet-Cookie: x", "ü\xff\u2028", strings.Repeat("x", 100), "\x7f\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name := printable(text)
		if len(name) > 32 {
			t.Errorf("printable(%q) has %d bytes", text, len(name))
		}
		for _, got := range []string{
			name, refuse(refusal.RequestInvalid, "%s", text).describe(),
			refusalOf(checkParameters(url.Values{text: {"1", "2"}, "zz": {"1", "2"}})).describe(),
		} {
			for _, c := range []byte(got) {
				if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
					t.Errorf("%q is described with the byte %#x: %q", text, c, got)
				}
			}
		}
	})
}
