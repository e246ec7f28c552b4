package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/signet-id/signet/internal/client"
)

// accessClaims are what a service that knows golang-jwt declares for itself.
type accessClaims struct {
	jwt.RegisteredClaims
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
}

// golang-jwt verifies access tokens by the published keys, as go-jose reads them.
func TestGolangJWTVerifiesAccessTokens(t *testing.T) {
	s := openStage(t)
	s.register(t, client.Client{ID: "robot", Grants: []string{client.GrantCredentials}})
	raw := s.machineToken(t, "robot", audience)
	keys := s.goKeys(t)

	var claims accessClaims
	token, err := parser(s.url, audience).ParseWithClaims(raw, &claims, keys)
	if err != nil {
		t.Fatal(err)
	}
	if token.Header["typ"] != "at+jwt" || claims.ClientID != "robot" || claims.Scope != "orders:read" || claims.ID == "" {
		t.Errorf("header %v, claims %+v", token.Header, claims)
	}
	if !slices.Equal(claims.Audience, jwt.ClaimStrings{audience}) {
		t.Errorf("audience %v", claims.Audience)
	}

	for name, c := range map[string]struct {
		parser *jwt.Parser
		raw    string
		want   error
	}{
		"another audience":     {parser(s.url, "https://invoices.example.com"), raw, jwt.ErrTokenInvalidAudience},
		"another issuer":       {parser("https://id.example.org", audience), raw, jwt.ErrTokenInvalidIssuer},
		"a changed signature":  {parser(s.url, audience), flip(raw), jwt.ErrTokenSignatureInvalid},
		"a key of another one": {parser(s.url, audience), openStranger(t).machineToken(t, "robot", audience), jwt.ErrTokenUnverifiable},
	} {
		if _, err := c.parser.Parse(c.raw, keys); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// parser wants all that RFC 9068 §4 does; the type is the caller's.
func parser(issuer, audience string) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256", "RS256", "PS256", "EdDSA"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithStrictDecoding(),
	)
}

// openStranger is another issuer with a client of the same name.
func openStranger(t *testing.T) *stage {
	t.Helper()
	s := openStage(t)
	s.register(t, client.Client{ID: "robot", Grants: []string{client.GrantCredentials}})
	return s
}

// flip changes one bit in the middle of the signature.
func flip(raw string) string {
	b := []byte(raw)
	i := len(b) - 40
	b[i] = map[bool]byte{true: 'B', false: 'A'}[b[i] == 'A']
	return string(b)
}

// machineToken is an access token by client credentials.
func (s *stage) machineToken(t *testing.T, id, resource string) string {
	t.Helper()
	target, err := url.Parse(s.url + "/token")
	if err != nil {
		t.Fatal(err)
	}
	target.User = url.UserPassword(id, s.secret.Reveal())
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"orders:read"}, "resource": {resource}}
	var got struct {
		AccessToken string `json:"access_token"`
	}
	body := fetch(t, s.httpClient(t, false), http.MethodPost, target.String(), form)
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.AccessToken == "" {
		t.Fatalf("%v: %s", err, body)
	}
	return got.AccessToken
}

// goKeys answers golang-jwt's question for a key from the published set.
func (s *stage) goKeys(t *testing.T) jwt.Keyfunc {
	t.Helper()
	c := s.httpClient(t, false)
	var metadata struct {
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal([]byte(fetch(t, c, http.MethodGet, s.url+"/.well-known/openid-configuration", nil)), &metadata); err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(fetch(t, c, http.MethodGet, metadata.JWKSURI, nil)), &set); err != nil {
		t.Fatal(err)
	}
	for _, k := range set.Keys {
		if !k.Valid() || !k.IsPublic() || k.Use != "sig" {
			t.Errorf("go-jose finds key %s wrong: valid %v, public %v, use %q", k.KeyID, k.Valid(), k.IsPublic(), k.Use)
		}
	}
	return func(token *jwt.Token) (any, error) {
		kid, _ := token.Header["kid"].(string)
		for _, k := range set.Key(kid) {
			if k.Algorithm == token.Method.Alg() {
				return k.Key, nil
			}
		}
		return nil, fmt.Errorf("no key %q for %s", kid, token.Method.Alg())
	}
}
