package signettest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/client"
)

// Tokens are what a sign-in yields.
type Tokens struct {
	AccessToken  string
	RefreshToken string // empty when the client gets none
	IDToken      string
	Scopes       []string // what was granted
	ExpiresIn    time.Duration
}

// SignIn signs a user in to a client, without a browser and yet the whole way:
// authorization request, sign-in page, consent page for a third party, code,
// and the exchange of the code, with PKCE. openid is always asked for, and
// scopes besides. Each call is another browser and so another session.
//
// It fails the test when anything on the way does, and when a scope is not
// granted: the client must be registered for it (see [Scope]).
func (iss *Issuer) SignIn(t testing.TB, who User, to Client, scopes ...string) Tokens {
	t.Helper()
	if !slices.Contains(scopes, client.ScopeOpenID) {
		scopes = append([]string{client.ScopeOpenID}, scopes...)
	}
	state, proof := rand.Text(), rand.Text()+rand.Text() // RFC 7636 §4.1: 43 characters or more
	challenge := sha256.Sum256([]byte(proof))
	back := iss.Authorize(t, who, iss.URL+"/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {to.ID}, "redirect_uri": {to.RedirectURI},
		"scope": {strings.Join(scopes, " ")}, "state": {state}, "nonce": {rand.Text()},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}.Encode())
	answer := back.Query()
	if answer.Get("code") == "" || answer.Get("state") != state {
		t.Fatalf("signettest: signing %q in to %q: the client was answered %s", who.Login, to.ID, back)
	}
	tokens, err := iss.redeem(to, answer.Get("code"), proof)
	if err != nil {
		t.Fatalf("signettest: signing %q in to %q: %v", who.Login, to.ID, err)
	}
	for _, s := range scopes {
		if !slices.Contains(tokens.Scopes, s) {
			t.Fatalf("signettest: signing %q in to %q: scope %q was not granted; register the client with Scope(%q)", who.Login, to.ID, s, s)
		}
	}
	return tokens
}

// Authorize does what a person's browser does with a client's authorization
// request: it follows authorizationURL to the sign-in page, signs who in, agrees
// if asked, and returns the address to which the browser is sent back, with the
// code or the error in its query. It is for testing a client's own code: take
// the URL to which that redirects, and hand it the URL that is returned.
//
// It fails the test when the issuer shows an error page instead.
func (iss *Issuer) Authorize(t testing.TB, who User, authorizationURL string) *url.URL {
	t.Helper()
	b, err := newBrowser(iss, who)
	if err != nil {
		t.Fatalf("signettest: %v", err)
	}
	back, err := b.walk(iss.ctx, authorizationURL)
	if err != nil {
		t.Fatalf("signettest: signing %q in: %v", who.Login, err)
	}
	return back
}

// redeem exchanges a code (RFC 6749 §4.1.3).
func (iss *Issuer) redeem(c Client, code, proof string) (Tokens, error) {
	form := url.Values{
		"grant_type": {client.GrantCode}, "code": {code}, "redirect_uri": {c.RedirectURI}, "code_verifier": {proof},
	}
	r, err := iss.asClient(c, "/token", form)
	if err != nil {
		return Tokens{}, fmt.Errorf("making the token request: %w", err)
	}
	resp, err := iss.HTTPClient().Do(r)
	if err != nil {
		return Tokens{}, fmt.Errorf("asking for tokens: %w", err)
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		IDToken      string `json:"id_token"`
		Scope        string `json:"scope"`
		ExpiresIn    int    `json:"expires_in"`
		Error        string `json:"error"`
		Description  string `json:"error_description"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return Tokens{}, fmt.Errorf("reading the token endpoint's answer %d: %w", resp.StatusCode, err)
	}
	if resp.StatusCode != http.StatusOK {
		return Tokens{}, fmt.Errorf("the token endpoint refused: %s: %s", answer.Error, answer.Description)
	}
	return Tokens{
		AccessToken: answer.AccessToken, RefreshToken: answer.RefreshToken, IDToken: answer.IDToken,
		Scopes: strings.Fields(answer.Scope), ExpiresIn: time.Duration(answer.ExpiresIn) * time.Second,
	}, nil
}

// asClient makes a request to an endpoint, as the client itself.
func (iss *Issuer) asClient(c Client, path string, form url.Values) (*http.Request, error) {
	if c.Secret == "" {
		form.Set("client_id", c.ID)
	}
	r, err := http.NewRequestWithContext(iss.ctx, http.MethodPost, iss.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.Secret != "" {
		r.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret)) // RFC 6749 §2.3.1
	}
	return r, nil
}
