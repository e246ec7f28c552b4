package app_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/user"
)

// document reads a JSON document of the issuer.
func (h *house) document(path string) map[string]any {
	h.t.Helper()
	got := h.serve(httptest.NewRequestWithContext(h.t.Context(), http.MethodGet, path, nil))
	var out map[string]any
	if err := json.Unmarshal([]byte(got.body), &out); err != nil {
		h.t.Fatalf("%s answered %d %q", path, got.StatusCode, got.body)
	}
	return out
}

func list(doc map[string]any, name string) []string {
	var out []string
	for _, v := range doc[name].([]any) {
		out = append(out, v.(string))
	}
	return out
}

const wellKnown = "/.well-known/openid-configuration"

// Discovery §3 and §4.3, RFC 8414 §3.
func TestTheMetadataNamesTheIssuerAndIsTheSameAtBothPlaces(t *testing.T) {
	h := open(t)
	doc, also := h.document(wellKnown), h.document("/.well-known/oauth-authorization-server")
	if doc["issuer"] != issuer {
		t.Errorf("issuer = %v", doc["issuer"])
	}
	a, _ := json.Marshal(doc)
	if b, _ := json.Marshal(also); string(a) != string(b) {
		t.Errorf("the two documents differ:\n%s\n%s", a, b)
	}
	for name, value := range doc {
		if values, ok := value.([]any); value == nil || value == "" || ok && len(values) == 0 {
			t.Errorf("%s is empty: leave it out", name)
		}
	}
}

// RFC 8414 §3.1 puts an issuer's path behind the well-known name, Discovery §4
// before it.
func TestAnIssuerWithAPathHasItsMetadataAtBothPlaces(t *testing.T) {
	const tenant = issuer + "/tenant"
	h := open(t, func(cfg *config.Config, _ *app.Options) { cfg.Issuer = tenant })
	for _, path := range []string{"/tenant" + wellKnown, "/.well-known/oauth-authorization-server/tenant"} {
		doc := h.document(path)
		if doc["issuer"] != tenant || doc["token_endpoint"] != tenant+"/token" {
			t.Errorf("%s: issuer %v, token endpoint %v", path, doc["issuer"], doc["token_endpoint"])
		}
	}
}

func TestEveryAdvertisedEndpointAnswers(t *testing.T) {
	h := open(t)
	methods := map[string]string{
		"authorization_endpoint": http.MethodGet, "token_endpoint": http.MethodPost, "userinfo_endpoint": http.MethodGet,
		"jwks_uri": http.MethodGet, "end_session_endpoint": http.MethodGet, "revocation_endpoint": http.MethodPost,
		"introspection_endpoint": http.MethodPost, "check_session_iframe": http.MethodGet,
		"status_list_aggregation_endpoint": http.MethodGet, "status_stream_endpoint": http.MethodGet,
	}
	for name, value := range h.document(wellKnown) {
		address, isText := value.(string)
		if !isText || name == "issuer" {
			continue
		}
		method, known := methods[name]
		path, ours := strings.CutPrefix(address, issuer)
		if !known || !ours {
			t.Errorf("%s: %s is advertised and not looked at here", name, address)
			continue
		}
		got := h.serve(httptest.NewRequestWithContext(t.Context(), method, path, nil))
		if got.StatusCode == http.StatusNotFound || got.StatusCode == http.StatusMethodNotAllowed || got.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%s %s answered %d", method, name, got.StatusCode)
		}
		delete(methods, name)
	}
	for name := range methods {
		t.Errorf("%s answers and is not advertised", name)
	}
}

// header reads a JWT's header without judging it.
func header(t *testing.T, compact string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(compact, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// registered adds a first-party client as the operator would.
func (h *house) registered(id string, s admin.ClientSettings) {
	h.t.Helper()
	first := true
	s.FirstParty, s.RedirectURIs = &first, &[]string{callback}
	made, err := h.Operator.AddClient(h.t.Context(), id, s)
	if err != nil {
		h.t.Fatal(err)
	}
	if !made.Secret.Absent() {
		h.secret = made.Secret
	}
}

func TestEveryAdvertisedAlgorithmSignsIDTokensAndUserinfo(t *testing.T) {
	h := open(t)
	doc := h.document(wellKnown)
	for _, name := range []string{"id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported"} {
		if !slices.Contains(list(doc, name), "RS256") {
			t.Errorf("%s lacks RS256 (Discovery §3)", name)
		}
		for _, alg := range list(doc, name) {
			id := strings.ToLower(name[:8] + "-" + alg)
			id = strings.ReplaceAll(id, "_", "-")
			h.registered(id, admin.ClientSettings{IDTokenAlg: &alg, UserinfoAlg: &alg})
			got := h.token(id, redeem(h.browser().code("alice", id)))
			signed := map[string]string{"ID token": got.IDToken, "userinfo": h.userinfo(got.AccessToken).body}
			for what, compact := range signed {
				if head := header(t, compact); head["alg"] != alg || head["kid"] == nil {
					t.Errorf("%s for %s has the header %v", what, alg, head)
				}
				if _, _, err := h.Keys().Verify(compact); err != nil {
					t.Errorf("%s for %s: %v", what, alg, err)
				}
			}
		}
	}
}

func TestEveryAdvertisedClientAuthenticationWorks(t *testing.T) {
	h := open(t)
	doc := h.document(wellKnown)
	for _, name := range []string{
		"token_endpoint_auth_methods_supported", "revocation_endpoint_auth_methods_supported", "introspection_endpoint_auth_methods_supported",
	} {
		for _, method := range list(doc, name) {
			if strings.HasSuffix(method, "_jwt") {
				continue // TestEveryAdvertisedAssertionAlgorithmWorksAtEachEndpoint
			}
			introspects := method != "none"
			id := strings.ReplaceAll(name[:5]+"-"+method, "_", "-")
			h.registered(id, admin.ClientSettings{AuthMethod: &method, Introspects: &introspects})
			path := map[string]string{"t": "/token", "r": "/revoke", "i": "/introspect"}[name[:1]]
			form := url.Values{"token": {"x"}}
			if path == "/token" {
				form = redeem(h.browser().code("alice", id))
			}
			var basic bool
			switch method {
			case "client_secret_basic":
				basic = true
			case "client_secret_post":
				form.Set("client_id", id)
				form.Set("client_secret", h.secret.Reveal())
			case "none":
				form.Set("client_id", id)
			default:
				t.Errorf("%s is advertised and not tried here", method)
			}
			r := formRequest(t.Context(), path, form)
			if basic {
				r.SetBasicAuth(id, h.secret.Reveal())
			}
			if got := h.serve(r); got.StatusCode != http.StatusOK {
				t.Errorf("%s by %s: %d %s", path, method, got.StatusCode, got.body)
			}
		}
	}
}

func TestEveryAdvertisedGrantAndResponseModeWorks(t *testing.T) {
	h := open(t)
	doc := h.document(wellKnown)
	if got := list(doc, "response_types_supported"); !slices.Equal(got, []string{"code"}) {
		t.Errorf("response types: %v", got)
	}
	b := h.browser()
	first := h.token("orders", redeem(b.code("alice", "orders")))
	answers := map[string]tokens{
		"authorization_code": first,
		"refresh_token":      h.token("orders", refresh(first.RefreshToken)),
		"client_credentials": h.token("robot", url.Values{"grant_type": {"client_credentials"}}),
	}
	for _, grant := range list(doc, "grant_types_supported") {
		if answers[grant].Status != http.StatusOK {
			t.Errorf("%s: %+v", grant, answers[grant])
		}
	}
	for _, mode := range list(doc, "response_modes_supported") {
		got := b.get(authorize(asks("orders", "response_mode", mode)))
		where := map[string]string{"query": "?code=", "fragment": "#code=", "form_post": `name="code"`}[mode]
		if where == "" || !strings.Contains(got.Header.Get("Location")+got.body, where) {
			t.Errorf("%s: %d %s", mode, got.StatusCode, got.Header.Get("Location"))
		}
	}
	for _, method := range list(doc, "code_challenge_methods_supported") {
		if method != "S256" {
			t.Errorf("%s is advertised", method)
		}
	}
}

func TestEveryAdvertisedPromptDisplayScopeAndClassIsTaken(t *testing.T) {
	h := open(t)
	doc := h.document(wellKnown)
	for parameter, values := range map[string][]string{
		"prompt": list(doc, "prompt_values_supported"), "display": list(doc, "display_values_supported"),
		"acr_values": list(doc, "acr_values_supported"), "ui_locales": list(doc, "ui_locales_supported"),
	} {
		for _, value := range values {
			b := h.browser()
			b.code("alice", "orders")
			to := b.get(authorize(asks("orders", parameter, value))).location(t)
			if to.Query().Get("error") != "" {
				t.Errorf("%s=%s is refused: %s", parameter, value, to)
			}
		}
	}
	scopes := list(doc, "scopes_supported")
	if !slices.Contains(scopes, "openid") {
		t.Errorf("scopes: %v", scopes)
	}
	got := h.browser().allow("alice", "scope", strings.Join(scopes, " "), "acr_values", strings.Join(list(doc, "acr_values_supported"), " "))
	if granted := strings.Fields(got.Scope); len(granted) != len(scopes) {
		t.Errorf("granted %v of %v", granted, scopes)
	}
	if acr, _ := claims(t, got.IDToken)["acr"].(string); !slices.Contains(list(doc, "acr_values_supported"), acr) {
		t.Errorf("acr %q is none of those advertised", acr)
	}
}

func TestEveryAdvertisedClaimIsTold(t *testing.T) {
	h := open(t)
	if _, err := h.Operator.Users.Update(t.Context(), h.alice.Subject, func(u *user.User) error {
		u.GivenName, u.FamilyName, u.Groups = "Alice", "Ahlgren", []string{"crew"}
		u.Profile = user.Profile{
			MiddleName: "M", Nickname: "al", PreferredUsername: "alice.a", Page: "https://a.example/", Picture: "https://a.example/p",
			Website: "https://a.example/w", Gender: "female", Birthdate: "1990-02-28", Zoneinfo: "Europe/Paris", Locale: "en-GB",
			PhoneNumber: "+1 555 0100", Address: user.Address{Country: "France"},
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got := h.token("orders", redeem(h.browser().code("alice", "orders", "scope", "openid profile email phone address roles groups", "max_age", "60")))
	told := claims(t, got.IDToken)
	var who map[string]any
	if err := json.Unmarshal([]byte(h.userinfo(got.AccessToken).body), &who); err != nil {
		t.Fatal(err)
	}
	for _, name := range list(h.document(wellKnown), "claims_supported") {
		if told[name] == nil && who[name] == nil {
			t.Errorf("%s is advertised and told nowhere", name)
		}
	}
	if who["email_verified"] != false || who["phone_number_verified"] != false {
		t.Errorf("the verified claims are not booleans: %v %v", who["email_verified"], who["phone_number_verified"])
	}
	if _, number := who["updated_at"].(float64); !number {
		t.Errorf("updated_at is %v, want a number", who["updated_at"])
	}
}

// Discovery §3: the default of request_uri_parameter_supported is true.
func TestWhatIsSaidToBeUnsupportedIsRefused(t *testing.T) {
	h := open(t)
	doc := h.document(wellKnown)
	for member, parameter := range map[string]string{"request_parameter_supported": "request", "request_uri_parameter_supported": "request_uri"} {
		if doc[member] != false {
			t.Errorf("%s = %v", member, doc[member])
		}
		u := h.browser().get(authorize(asks("orders", parameter, "https://app.example/r"))).location(t)
		if got := u.Query().Get("error"); got != parameter+"_not_supported" {
			t.Errorf("%s answered %q", parameter, got)
		}
	}
	for _, member := range []string{"claims_parameter_supported", "authorization_response_iss_parameter_supported"} {
		if doc[member] != true {
			t.Errorf("%s = %v", member, doc[member])
		}
	}
}

// RFC 9110 §13.1.2: who has the document is told so.
func TestAPublishedDocumentIsNotSentTwice(t *testing.T) {
	h := open(t)
	for _, path := range []string{wellKnown, "/jwks"} {
		first := h.serve(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set("If-None-Match", first.Header.Get("Etag"))
		if again := h.serve(r); again.StatusCode != http.StatusNotModified || again.body != "" {
			t.Errorf("%s: %d, %d bytes", filepath.Base(path), again.StatusCode, len(again.body))
		}
	}
}
