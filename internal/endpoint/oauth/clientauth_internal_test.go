package oauth

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/store/boltstore"
)

func basicHeader(userinfo string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userinfo))
}

// tokenCall is a token request with an Authorization header for each of headers.
func tokenCall(t *testing.T, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", nil)
	for _, h := range headers {
		r.Header.Add("Authorization", h)
	}
	return r
}

func TestTheWaysInWhichAClientSaysWhoItIs(t *testing.T) {
	for name, tt := range map[string]struct {
		header string
		form   url.Values
		want   credentials
	}{
		"Basic":                 {basicHeader("orders:s3cret"), nil, credentials{id: "orders", secret: "s3cret", method: client.AuthBasic}},
		"basic, in any case":    {"bAsIc" + basicHeader("orders:s3cret")[5:], nil, credentials{id: "orders", secret: "s3cret", method: client.AuthBasic}},
		"Basic, urlencoded":     {basicHeader("a%3Ab%2Bc:p%25+%C3%BC%3A"), nil, credentials{id: "a:b+c", secret: "p% ü:", method: client.AuthBasic}},
		"Basic, colons within":  {basicHeader("orders:a:b"), nil, credentials{id: "orders", secret: "a:b", method: client.AuthBasic}},
		"Basic, no secret":      {basicHeader("orders:"), nil, credentials{id: "orders", secret: "", method: client.AuthBasic}},
		"Basic and the same id": {basicHeader("orders:s3cret"), url.Values{"client_id": {"orders"}}, credentials{id: "orders", secret: "s3cret", method: client.AuthBasic}},
		"a secret in the body":  {"", url.Values{"client_id": {"orders"}, "client_secret": {"s3cret"}}, credentials{id: "orders", secret: "s3cret", method: client.AuthPost}},
		"a public client's id":  {"", url.Values{"client_id": {"app"}}, credentials{id: "app", secret: "", method: client.AuthNone}},
	} {
		t.Run(name, func(t *testing.T) {
			r := tokenCall(t)
			if tt.header != "" {
				r = tokenCall(t, tt.header)
			}
			got, err := presentedBy(r, tt.form)
			if err != nil || got != tt.want {
				t.Errorf("presentedBy = %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestAClientThatSaysItAmbiguouslyIsRefused(t *testing.T) {
	good := basicHeader("orders:s3cret")
	for name, tt := range map[string]struct {
		headers []string
		form    url.Values
		code    string
	}{
		"two headers":             {[]string{good, good}, nil, "invalid_request"},
		"header and body":         {[]string{good}, url.Values{"client_id": {"orders"}, "client_secret": {"s3cret"}}, "invalid_request"},
		"header and other client": {[]string{good}, url.Values{"client_id": {"billing"}}, "invalid_request"},
		"nobody":                  {nil, url.Values{}, "invalid_client"},
		"a secret of nobody":      {nil, url.Values{"client_secret": {"s3cret"}}, "invalid_client"},
		"Bearer":                  {[]string{"Bearer x"}, url.Values{"client_id": {"app"}}, "invalid_client"},
		"an empty header":         {[]string{""}, url.Values{"client_id": {"app"}}, "invalid_client"},
		"Basic without more":      {[]string{"Basic"}, nil, "invalid_client"},
		"Basic, no base64":        {[]string{"Basic !!!"}, nil, "invalid_client"},
		"Basic, no colon":         {[]string{basicHeader("orders")}, nil, "invalid_client"},
		"Basic, bad escape":       {[]string{basicHeader("orders:%zz")}, nil, "invalid_client"},
		"Basic, bad escaped id":   {[]string{basicHeader("%zz:s3cret")}, nil, "invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := presentedBy(tokenCall(t, tt.headers...), tt.form)
			wantCode(t, err, tt.code)
			if got != (credentials{}) {
				t.Errorf("presentedBy = %+v beside the error", got)
			}
		})
	}
}

// known is a handler that knows one client of each kind, and the one secret of
// all of them.
func known(t *testing.T) (h *Handler, secret string) {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "signet.db"), boltstore.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	clients, err := client.Open(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		clients.Close()
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	value := client.NewSecret()
	for _, c := range []client.Client{
		{ID: "basic"}, {ID: "post", AuthMethod: client.AuthPost}, {ID: "inside", Networks: []string{"10.0.0.0/8"}}, {ID: "disabled", Disabled: true},
		{ID: "public", Public: true, RedirectURIs: []string{"http://127.0.0.1/cb"}},
	} {
		if !c.Public {
			c.Rotate(value, time.Now())
		}
		if _, err := clients.Create(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	return &Handler{Options: Options{Clients: clients}}, value.Reveal()
}

func TestWhoMayCallTheTokenEndpoint(t *testing.T) {
	h, secret := known(t)
	body := func(id, secret string) url.Values { return url.Values{"client_id": {id}, "client_secret": {secret}} }
	for name, tt := range map[string]struct {
		header string
		form   url.Values
		from   string
		admits string // the client, or nobody
	}{
		"the secret, by Basic":                    {basicHeader("basic:" + secret), nil, "192.0.2.1", "basic"},
		"the secret, in the body":                 {"", body("post", secret), "192.0.2.1", "post"},
		"a public client":                         {"", url.Values{"client_id": {"public"}}, "192.0.2.1", "public"},
		"from its network":                        {basicHeader("inside:" + secret), nil, "10.1.2.3", "inside"},
		"from its network, mapped":                {basicHeader("inside:" + secret), nil, "::ffff:10.1.2.3", "inside"},
		"a wrong secret":                          {basicHeader("basic:" + secret + "x"), nil, "192.0.2.1", ""},
		"no secret":                               {basicHeader("basic:"), nil, "192.0.2.1", ""},
		"an unknown client":                       {basicHeader("nobody:" + secret), nil, "192.0.2.1", ""},
		"a disabled client":                       {basicHeader("disabled:" + secret), nil, "192.0.2.1", ""},
		"confidential, without any proof":         {"", url.Values{"client_id": {"basic"}}, "192.0.2.1", ""},
		"in the body, registered for Basic":       {"", body("basic", secret), "192.0.2.1", ""},
		"by Basic, registered for the body":       {basicHeader("post:" + secret), nil, "192.0.2.1", ""},
		"public, with a secret":                   {"", body("public", secret), "192.0.2.1", ""},
		"public, by Basic":                        {basicHeader("public:"), nil, "192.0.2.1", ""},
		"from elsewhere":                          {basicHeader("inside:" + secret), nil, "192.0.2.1", ""},
		"from elsewhere, mapped":                  {basicHeader("inside:" + secret), nil, "::ffff:192.0.2.1", ""},
		"from nowhere that one can read":          {basicHeader("inside:" + secret), nil, "", ""},
		"from elsewhere, without networks at all": {basicHeader("basic:" + secret), nil, "", "basic"},
	} {
		t.Run(name, func(t *testing.T) {
			r := tokenCall(t)
			if tt.header != "" {
				r = tokenCall(t, tt.header)
			}
			e := echo.New()
			e.IPExtractor = func(*http.Request) string { return tt.from }
			got, err := h.sender(e.NewContext(r, httptest.NewRecorder()), tt.form, &unit{})
			if tt.admits != "" {
				if err != nil || got.ID != tt.admits {
					t.Errorf("sender = %q, %v, want %s", got.ID, err, tt.admits)
				}
				return
			}
			wantCode(t, err, "invalid_client")
			if got.ID != "" {
				t.Errorf("sender = %q", got.ID)
			}
			// One answer for all: whoever guesses learns nothing.
			if r := refusalOf(err); r.description != "client authentication failed" {
				t.Errorf("description = %q", r.description)
			}
		})
	}
}
