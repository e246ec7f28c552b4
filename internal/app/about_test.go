package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/client"
)

func (h *house) about(path, clientID, token string) (answer, map[string]any) {
	h.t.Helper()
	r := formRequest(h.t.Context(), path, url.Values{"token": {token}})
	r.SetBasicAuth(clientID, h.secret.Reveal())
	got := h.serve(r)
	var out map[string]any
	if got.body != "" {
		if err := json.Unmarshal([]byte(got.body), &out); err != nil {
			h.t.Fatalf("%s answered %d %q", path, got.StatusCode, got.body)
		}
	}
	return got, out
}

// RFC 7662.
func TestIntrospectionTellsOnlyWhoMayAskAndKnow(t *testing.T) {
	h := open(t)
	h.client(client.Client{ID: "gate", Grants: []string{client.GrantCredentials}, Introspects: true, Audience: []string{"https://orders.example"}})
	h.client(client.Client{ID: "other", Grants: []string{client.GrantCredentials}, Introspects: true, Audience: []string{"https://elsewhere.example"}})
	b := h.browser()
	got := h.token("orders", redeem(b.code("alice", "orders", "scope", "openid orders:read")))
	machine := h.token("robot", url.Values{"grant_type": {"client_credentials"}})

	_, told := h.about("/introspect", "gate", got.AccessToken)
	for name, want := range map[string]any{
		"active": true, "sub": h.alice.Subject, "client_id": "orders", "scope": "openid orders:read", "username": "alice", "iss": issuer, "token_type": "Bearer",
	} {
		if told[name] != want {
			t.Errorf("%s = %v, want %v", name, told[name], want)
		}
	}
	if _, told = h.about("/introspect", "gate", machine.AccessToken); told["active"] != true || told["sub"] != "robot" {
		t.Errorf("machine token: %v", told)
	}
	for name, asked := range map[string][2]string{
		"a token for another service":    {"other", got.AccessToken},
		"another client's refresh token": {"gate", got.RefreshToken},
		"an ID token":                    {"gate", got.IDToken},
		"garbage":                        {"gate", "a.b.c"},
	} {
		if _, told := h.about("/introspect", asked[0], asked[1]); len(told) != 1 || told["active"] != false {
			t.Errorf("%s: %v", name, told)
		}
	}
	if res, told := h.about("/introspect", "robot", got.AccessToken); res.StatusCode != http.StatusBadRequest || told["error"] != "unauthorized_client" {
		t.Errorf("a client that may not ask: %d %v", res.StatusCode, told)
	}
	r := formRequest(t.Context(), "/introspect", url.Values{"token": {got.AccessToken}, "client_id": {"spa"}})
	if res := h.serve(r); !strings.Contains(res.body, "unauthorized_client") {
		t.Errorf("a public client: %s", res.body)
	}
	r = formRequest(t.Context(), "/introspect", url.Values{"token": {got.AccessToken}})
	if res := h.serve(r); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody: %d", res.StatusCode)
	}
	b.get("/logout?" + url.Values{"id_token_hint": {got.IDToken}}.Encode())
	if _, told = h.about("/introspect", "gate", got.AccessToken); told["active"] != false {
		t.Errorf("after sign-out: %v", told)
	}
}

// RFC 7009.
func TestRevokingEitherTokenEndsTheGrant(t *testing.T) {
	for _, which := range []string{"refresh", "access"} {
		t.Run(which, func(t *testing.T) {
			h := open(t)
			got := h.token("orders", redeem(h.browser().code("alice", "orders")))
			token := map[string]string{"refresh": got.RefreshToken, "access": got.AccessToken}[which]
			if res, _ := h.about("/revoke", "third", token); res.StatusCode != http.StatusOK {
				t.Errorf("another client: %d", res.StatusCode)
			}
			if info := h.userinfo(got.AccessToken); info.StatusCode != http.StatusOK {
				t.Fatal("another client revoked it")
			}
			if res, _ := h.about("/revoke", "orders", token); res.StatusCode != http.StatusOK || res.body != "" {
				t.Errorf("revoking: %d %s", res.StatusCode, res.body)
			}
			if again := h.token("orders", refresh(got.RefreshToken)); again.Error != "invalid_grant" {
				t.Errorf("refresh after: %+v", again)
			}
			if info := h.userinfo(got.AccessToken); info.StatusCode != http.StatusUnauthorized {
				t.Errorf("userinfo after: %d", info.StatusCode)
			}
			if res, _ := h.about("/revoke", "orders", token); res.StatusCode != http.StatusOK {
				t.Errorf("revoking again: %d", res.StatusCode)
			}
		})
	}
}

func TestRevokingWhatIsNoTokenIsNoError(t *testing.T) {
	h := open(t)
	if res, _ := h.about("/revoke", "orders", "never was one"); res.StatusCode != http.StatusOK {
		t.Errorf("garbage: %d", res.StatusCode)
	}
	if _, told := h.about("/revoke", "orders", ""); told["error"] != "invalid_request" {
		t.Errorf("no token: %v", told)
	}
}

// OpenID Connect Core §5.5: claims one by one, userinfo and ID token apart.
func TestTheClaimsParameterAsksUserinfoAndIDTokenApart(t *testing.T) {
	h := open(t)
	asked := `{"userinfo":{"name":{"essential":true},"made_up":null},"id_token":{"email":null,"auth_time":{"essential":true}}}`
	got := h.token("orders", redeem(h.browser().code("alice", "orders", "scope", "openid", "claims", asked)))
	id := claims(t, got.IDToken)
	if id["email"] != "alice@example.com" || id["name"] != nil || id["auth_time"] == nil {
		t.Errorf("ID token: %v", id)
	}
	var who map[string]any
	if err := json.Unmarshal([]byte(h.userinfo(got.AccessToken).body), &who); err != nil {
		t.Fatal(err)
	}
	if who["name"] != "Alice" || who["email"] != nil || who["made_up"] != nil {
		t.Errorf("userinfo: %v", who)
	}
	again := h.token("orders", refresh(got.RefreshToken))
	if id := claims(t, again.IDToken); id["email"] != "alice@example.com" {
		t.Errorf("refreshed ID token: %v", id)
	}
}

func TestAClaimAskedForByNameIsAskedOfThePersonToo(t *testing.T) {
	h := open(t)
	b := h.browser()
	page := b.get(b.signIn("alice", asks("third", "scope", "openid", "claims", `{"userinfo":{"phone_number":null}}`)).location(t).String())
	if !strings.Contains(page.body, "See your phone number") {
		t.Errorf("the consent page does not say so: %s", page.body)
	}
}

func TestClaimsThatCannotBeHadAreRefused(t *testing.T) {
	h := open(t)
	for asked, code := range map[string]string{
		`{"id_token":`: "invalid_request",
		`[]`:           "invalid_request",
		`{"id_token":{"acr":{"essential":true,"values":["9"]}}}`: "unmet_authentication_requirements",
	} {
		if u := h.browser().get(authorize(asks("orders", "claims", asked))).location(t); u.Query().Get("error") != code {
			t.Errorf("%s answered %s", asked, u)
		}
	}
	b := h.browser()
	b.code("alice", "orders")
	wrong := asks("orders", "prompt", "none", "claims", `{"id_token":{"sub":{"value":"`+h.bob.Subject+`"}}}`)
	if u := b.get(authorize(wrong)).location(t); u.Query().Get("error") != "login_required" {
		t.Errorf("another sub answered %s", u)
	}
}

// OAuth 2.0 Multiple Response Type Encoding Practices §2.1, Form Post §2.
func TestTheResponseModeHoldsForCodesAndErrors(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.code("alice", "orders")
	for name, q := range map[string]url.Values{
		"code": asks("orders"), "error": asks("orders", "max_age", "soon"),
	} {
		q.Set("response_mode", "fragment")
		u := b.get(authorize(q)).location(t)
		fragment, err := url.ParseQuery(u.Fragment)
		if err != nil || fragment.Get(name) == "" || fragment.Get("state") != "af0ifjsldkj" || u.RawQuery != "" {
			t.Errorf("fragment, %s: %s", name, u)
		}
		q.Set("response_mode", "form_post")
		page := b.get(authorize(q))
		if page.StatusCode != http.StatusOK || !strings.Contains(page.body, `action="`+callback+`"`) ||
			!strings.Contains(page.body, `name="`+name+`"`) || !strings.Contains(page.body, `name="state"`) {
			t.Errorf("form_post, %s: %d %s", name, page.StatusCode, page.body)
		}
	}
}

func TestUserinfoIsSignedForAClientThatRegisteredIt(t *testing.T) {
	h := open(t)
	h.client(client.Client{ID: "signed", FirstParty: true, RedirectURIs: []string{callback}, UserinfoAlg: "ES256"})
	got := h.token("signed", redeem(h.browser().code("alice", "signed")))
	info := h.userinfo(got.AccessToken)
	if kind := info.Header.Get("Content-Type"); kind != "application/jwt" {
		t.Fatalf("content type %q", kind)
	}
	if _, _, err := h.Keys().Verify(info.body); err != nil {
		t.Error(err)
	}
	told := claims(t, info.body)
	if told["iss"] != issuer || told["aud"] != "signed" || told["sub"] != h.alice.Subject || told["nonce"] != nil {
		t.Errorf("claims: %v", told)
	}
}
