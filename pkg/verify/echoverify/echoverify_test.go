package echoverify_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/pkg/verify"
	"github.com/signet-id/signet/pkg/verify/echoverify"
)

const (
	issuer   = "https://id.example.com"
	audience = "https://orders.example.com"
)

func encode(v any) string {
	b, ok := v.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(v); err != nil {
			panic(err)
		}
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// keys is an issuer without a network, of one key.
type keys struct{ private ed25519.PrivateKey }

func (k keys) RoundTrip(req *http.Request) (*http.Response, error) {
	body := fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, issuer+"/jwks")
	if req.URL.Path == "/jwks" {
		x := encode([]byte(k.private.Public().(ed25519.PublicKey)))
		body = fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"k1","x":%q}]}`, x)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: req,
		Body: io.NopCloser(bytes.NewReader([]byte(body))),
	}, nil
}

func (k keys) token() string {
	now := time.Now().Unix()
	input := encode(map[string]any{"typ": "at+jwt", "alg": "EdDSA", "kid": "k1"}) + "." + encode(map[string]any{
		"iss": issuer, "sub": "u-alice", "aud": audience, "exp": now + 600, "iat": now,
		"jti": "t-1", "client_id": "web", "scope": "orders:read", "auth_time": now - 3600,
	})
	return input + "." + encode(ed25519.Sign(k.private, []byte(input)))
}

func setup(t *testing.T) (*verify.Verifier, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := keys{private}
	v, err := verify.New(issuer, audience, verify.WithRealm("orders"),
		verify.WithHTTPClient(&http.Client{Transport: k}), verify.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v, k.token()
}

func get(e *echo.Echo, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

func list(c echo.Context) error {
	tok, ok := echoverify.Token(c)
	return c.String(http.StatusOK, fmt.Sprint(tok.Subject(), " ", ok))
}

func TestAGoodTokenReachesTheHandler(t *testing.T) {
	v, token := setup(t)
	e := echo.New()
	e.GET("/orders", list, echoverify.Require(v, "orders:read"))
	if w := get(e, token); w.Code != http.StatusOK || w.Body.String() != "u-alice true" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestWithoutMiddlewareThereIsNoToken(t *testing.T) {
	_, token := setup(t)
	e := echo.New()
	e.GET("/orders", list)
	if w := get(e, token); w.Body.String() != " false" {
		t.Errorf("the handler saw %q", w.Body)
	}
}

func TestARefusalIsAnsweredByEchosErrorHandlerWithTheChallenge(t *testing.T) {
	v, token := setup(t)
	for name, c := range map[string]struct {
		token, scope    string
		status          int
		challenge, body string
	}{
		"no token": {"", "orders:read", 401, `Bearer realm="orders", scope="orders:read"`, `{"error_description":"a bearer token is required"}`},
		"a forged token": {
			token[:len(token)-4] + "AAAA", "orders:read", 401,
			`Bearer realm="orders", error="invalid_token", error_description="the signature is wrong"`,
			`{"error":"invalid_token","error_description":"the signature is wrong"}`,
		},
		"a scope too few": {
			token, "orders:write", 403,
			`Bearer realm="orders", error="insufficient_scope", error_description="the token lacks a scope that is required here", scope="orders:write"`,
			`{"error":"insufficient_scope","error_description":"the token lacks a scope that is required here"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := echo.New()
			var handled error
			e.HTTPErrorHandler = func(err error, c echo.Context) {
				handled = err
				e.DefaultHTTPErrorHandler(err, c)
			}
			e.GET("/orders", list, echoverify.Require(v, c.scope))
			w := get(e, c.token)
			if w.Code != c.status || strings.TrimSpace(w.Body.String()) != c.body {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, c.status, c.body)
			}
			if got := w.Header().Get("WWW-Authenticate"); got != c.challenge {
				t.Errorf("WWW-Authenticate\n got %s\nwant %s", got, c.challenge)
			}
			var refusal *verify.Error
			if !errors.As(handled, &refusal) || refusal.Status() != c.status {
				t.Errorf("the error handler saw %v, want a *verify.Error within", handled)
			}
		})
	}
}

func TestAHandlerMayAskForAFreshSignIn(t *testing.T) {
	v, token := setup(t)
	e := echo.New()
	e.GET("/orders", func(c echo.Context) error {
		tok, _ := echoverify.Token(c)
		if err := tok.SignedInWithin(5 * time.Minute); err != nil {
			return echoverify.Refuse(c, err)
		}
		return c.NoContent(http.StatusOK)
	}, echoverify.Require(v))
	w := get(e, token)
	if got := w.Header().Get("WWW-Authenticate"); w.Code != http.StatusUnauthorized || !strings.Contains(got, `max_age="300"`) {
		t.Errorf("%d %s", w.Code, got)
	}
}

func TestAnErrorOfAnotherKindIsNoRefusal(t *testing.T) {
	e := echo.New()
	e.GET("/orders", func(c echo.Context) error { return echoverify.Refuse(c, errors.New("disk on fire")) })
	if w := get(e, ""); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "fire") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAScopeThatNoTokenCanHaveIsAMistakeInTheProgram(t *testing.T) {
	v, _ := setup(t)
	defer func() {
		if recover() == nil {
			t.Error("Require did not panic")
		}
	}()
	echoverify.Require(v, "orders:read orders:write")
}
