package interop

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func fetch(t *testing.T, c *http.Client, method, target string, form url.Values) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// golang.org/x/oauth2 and coreos/go-oidc discover the issuer, sign a person in,
// check the ID token by their own code, refresh, and ask userinfo.
func TestGoOIDCSignsInOverHTTPAndTLS(t *testing.T) {
	for name, secure := range map[string]bool{"http": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			is := serve(t, secure)
			algs := []string{"RS256", "ES256", "EdDSA", "PS256"}
			alice := is.people(t, algs...)
			for _, alg := range algs {
				t.Run(alg, func(t *testing.T) { is.goOIDC(t, alg, alice.Subject) })
			}
		})
	}
}

func (is *issuer) goOIDC(t *testing.T, alg, subject string) {
	ctx := oidc.ClientContext(t.Context(), is.httpClient(t, false))
	provider, err := oidc.NewProvider(ctx, is.url)
	if err != nil {
		t.Fatal(err)
	}
	client := oauth2.Config{
		ClientID: "app-" + alg, ClientSecret: is.secret.Reveal(), Endpoint: provider.Endpoint(), RedirectURL: callback,
		Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}
	verifier := oauth2.GenerateVerifier()
	answer := is.person(t, client.AuthCodeURL("state-1", oauth2.S256ChallengeOption(verifier), oidc.Nonce("nonce-1")))
	if answer.Get("state") != "state-1" || answer.Get("iss") != is.url {
		t.Fatalf("answer %v", answer)
	}
	token, err := client.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: client.ClientID, SupportedSigningAlgs: []string{alg}}).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if id.Subject != subject || id.Nonce != "nonce-1" {
		t.Errorf("ID token of %s, nonce %s", id.Subject, id.Nonce)
	}
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		t.Errorf("at_hash: %v", err)
	}
	old := token.RefreshToken
	token.Expiry = time.Now().Add(-time.Minute)
	source := client.TokenSource(ctx, token)
	fresh, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	if fresh.RefreshToken == old || fresh.AccessToken == token.AccessToken {
		t.Error("the refresh brought nothing new")
	}
	info, err := provider.UserInfo(ctx, source)
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject != subject || info.Email != "alice@example.com" {
		t.Errorf("userinfo: %+v", info)
	}
}
