package app_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/assertion"
	"github.com/signet-id/signet/internal/client"
)

// signer makes a key for alg.
func signer(t testing.TB, alg string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg {
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "RS256", "PS256":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		t.Fatalf("%s is advertised and not tried here", alg)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// prover registers a client that asserts with alg, and returns what it signs with.
func (h *house) prover(id, alg string) any {
	h.t.Helper()
	grants, yes := []string{client.GrantCredentials}, true
	if alg == "HS256" {
		method := client.AuthSecretJWT
		made, err := h.Operator.AddClient(h.t.Context(), id, admin.ClientSettings{AuthMethod: &method, Grants: &grants, Introspects: &yes})
		if err != nil {
			h.t.Fatal(err)
		}
		return []byte(made.Secret.Reveal())
	}
	key := signer(h.t, alg)
	public, err := jwk.FromRaw(key.Public())
	if err != nil {
		h.t.Fatal(err)
	}
	set, err := json.Marshal(map[string]any{"keys": []any{public}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.client(client.Client{ID: id, AuthMethod: client.AuthKeyJWT, JWKS: set, Grants: grants, Introspects: true})
	return key
}

// RFC 8414 §2: the methods by assertion, with each algorithm that is advertised,
// at each endpoint that a client authenticates to.
func TestEveryAdvertisedAssertionAlgorithmWorksAtEachEndpoint(t *testing.T) {
	h := open(t)
	doc := h.document(wellKnown)
	for endpoint, path := range map[string]string{"token": "/token", "revocation": "/revoke", "introspection": "/introspect"} {
		methods := list(doc, endpoint+"_endpoint_auth_methods_supported")
		for _, method := range []string{client.AuthKeyJWT, client.AuthSecretJWT} {
			if !slices.Contains(methods, method) {
				t.Errorf("%s is not advertised for %s", method, path)
			}
		}
		for _, alg := range list(doc, endpoint+"_endpoint_auth_signing_alg_values_supported") {
			id := strings.ToLower(endpoint + "-" + alg)
			key := h.prover(id, alg)
			form := url.Values{
				"grant_type": {"client_credentials"}, "token": {"x"},
				"client_assertion_type": {assertion.Type}, "client_assertion": {asserts(t, id, jwa.SignatureAlgorithm(alg), key, "aud", issuer)},
			}
			if got := h.serve(formRequest(t.Context(), path, form)); got.StatusCode != http.StatusOK {
				t.Errorf("%s with %s: %d %s", path, alg, got.StatusCode, got.body)
			}
		}
	}
}
