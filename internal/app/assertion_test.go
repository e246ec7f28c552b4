package app_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/assertion"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ident"
	"github.com/signet-id/signet/internal/secret"
)

// asserts makes an assertion of the client, with changes.
func asserts(t *testing.T, id string, alg jwa.SignatureAlgorithm, key any, change ...any) string {
	t.Helper()
	now := time.Now()
	claims := map[string]any{
		"iss": id, "sub": id, "aud": issuer + "/token", "jti": ident.New(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	for i := 0; i < len(change); i += 2 {
		claims[change[i].(string)] = change[i+1]
	}
	token := jwt.New()
	for name, value := range claims {
		if err := token.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	signed, err := jwt.Sign(token, jwt.WithKey(alg, key))
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

func (h *house) withAssertion(raw string) tokens {
	h.t.Helper()
	return h.parse(h.serve(formRequest(h.t.Context(), "/token", url.Values{
		"grant_type": {"client_credentials"}, "client_assertion_type": {assertion.Type}, "client_assertion": {raw},
	})))
}

// OpenID Connect Core §9, RFC 7523 §3.
func TestAClientAuthenticatesByAnAssertionOfItsKeyOnce(t *testing.T) {
	h := open(t)
	key, public := keyPair(t)
	set, err := json.Marshal(map[string]any{"keys": []any{public}})
	if err != nil {
		t.Fatal(err)
	}
	h.client(client.Client{ID: "prover", AuthMethod: client.AuthKeyJWT, JWKS: set, Grants: []string{client.GrantCredentials}})
	raw := asserts(t, "prover", jwa.ES256, key)
	if got := h.withAssertion(raw); got.Status != http.StatusOK {
		t.Fatalf("first use: %+v", got)
	}
	if got := h.withAssertion(raw); got.Error != "invalid_client" || got.Status != http.StatusUnauthorized {
		t.Errorf("second use: %+v", got)
	}
	if got := h.withAssertion(asserts(t, "prover", jwa.ES256, key, "aud", issuer)); got.Status != http.StatusOK {
		t.Errorf("aud is the issuer: %+v", got)
	}
	other, _ := keyPair(t)
	for name, raw := range map[string]string{
		"another key":         asserts(t, "prover", jwa.ES256, other),
		"expired":             asserts(t, "prover", jwa.ES256, key, "exp", time.Now().Add(-time.Hour).Unix()),
		"for somebody else":   asserts(t, "prover", jwa.ES256, key, "aud", "https://elsewhere.example"),
		"another client's":    asserts(t, "robot", jwa.ES256, key),
		"issued by another":   asserts(t, "prover", jwa.ES256, key, "iss", "robot"),
		"without a jti":       asserts(t, "prover", jwa.ES256, key, "jti", ""),
		"the secret of robot": asserts(t, "robot", jwa.HS256, []byte(h.secret.Reveal())),
		"no assertion at all": "e30.e30.e30",
	} {
		if got := h.withAssertion(raw); got.Error != "invalid_client" || got.Status != http.StatusUnauthorized {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func keyPair(t *testing.T) (private crypto.Signer, public jwk.Key) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if public, err = jwk.FromRaw(&key.PublicKey); err != nil {
		t.Fatal(err)
	}
	return key, public
}

func TestAClientAuthenticatesByAMACOfItsSecret(t *testing.T) {
	h := open(t)
	method, grants := client.AuthSecretJWT, []string{client.GrantCredentials}
	made, err := h.Operator.AddClient(t.Context(), "macker", admin.ClientSettings{AuthMethod: &method, Grants: &grants})
	if err != nil {
		t.Fatal(err)
	}
	key := []byte(made.Secret.Reveal())
	if got := h.withAssertion(asserts(t, "macker", jwa.HS256, key)); got.Status != http.StatusOK {
		t.Errorf("its secret: %+v", got)
	}
	if got := h.withAssertion(asserts(t, "macker", jwa.HS256, []byte(secret.New("sgs_another").Reveal()))); got.Error != "invalid_client" {
		t.Errorf("another secret: %+v", got)
	}
}
