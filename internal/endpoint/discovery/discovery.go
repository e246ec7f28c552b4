// Package discovery publishes what the issuer is and which keys it signs with:
// OpenID Connect Discovery 1.0, RFC 8414 and the JWKS.
//
// The documents are written once, with the headers that go with them; a request
// copies ready bytes and reads nothing. They list what works and nothing else: a
// feature appears here in the change that brings it.
package discovery

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/signet-id/signet/keys"
)

// Publisher is all that this package needs of the key ring.
type Publisher interface{ JWKS() keys.Document }

// Handler answers the well-known documents. Make it with New.
type Handler struct {
	metadata  *document
	issuerTo  string // the issuer's path, for RFC 8414's place of the document
	published Publisher
	keySet    atomic.Pointer[document] // of the newest JWKS that somebody asked for
}

// Options are what the documents say.
type Options struct {
	Issuer    string
	Base      string // the issuer's path, "" for none
	Scopes    []string
	Claims    []string
	ACRValues []string
	Keys      Publisher
	MaxAge    time.Duration
}

// metadata is the document (Discovery §3, RFC 8414 §2, RFC 9207 §3, Session
// Management §3.3, Front- and Back-Channel Logout §3 and §2.1, Token Status List
// §9.3). Every member is true of this release.
type metadata struct {
	Issuer              string   `json:"issuer"`
	Authorization       string   `json:"authorization_endpoint"`
	Token               string   `json:"token_endpoint"`
	Userinfo            string   `json:"userinfo_endpoint"`
	JWKS                string   `json:"jwks_uri"`
	EndSession          string   `json:"end_session_endpoint"`
	Scopes              []string `json:"scopes_supported"`
	ResponseTypes       []string `json:"response_types_supported"`
	ResponseModes       []string `json:"response_modes_supported"`
	GrantTypes          []string `json:"grant_types_supported"`
	Subjects            []string `json:"subject_types_supported"`
	IDTokenAlgs         []string `json:"id_token_signing_alg_values_supported"`
	UserinfoAlgs        []string `json:"userinfo_signing_alg_values_supported"`
	Revocation          string   `json:"revocation_endpoint"`
	Introspection       string   `json:"introspection_endpoint"`
	RevocationAuth      []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionAuth   []string `json:"introspection_endpoint_auth_methods_supported"`
	AuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	AuthAlgs            []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAlgs      []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAlgs   []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	ChallengeMethods    []string `json:"code_challenge_methods_supported"`
	Claims              []string `json:"claims_supported"`
	ClaimTypes          []string `json:"claim_types_supported"`
	ACRValues           []string `json:"acr_values_supported"`
	Displays            []string `json:"display_values_supported"`
	Prompts             []string `json:"prompt_values_supported"`
	UILocales           []string `json:"ui_locales_supported"`
	ClaimsParameter     bool     `json:"claims_parameter_supported"`
	RequestParameter    bool     `json:"request_parameter_supported"`
	RequestURIParameter bool     `json:"request_uri_parameter_supported"` // its default is true
	ResponseIss         bool     `json:"authorization_response_iss_parameter_supported"`
	CheckSession        string   `json:"check_session_iframe"`
	Backchannel         bool     `json:"backchannel_logout_supported"`
	BackchannelSession  bool     `json:"backchannel_logout_session_supported"`
	Frontchannel        bool     `json:"frontchannel_logout_supported"`
	FrontchannelSession bool     `json:"frontchannel_logout_session_supported"`
	StatusLists         string   `json:"status_list_aggregation_endpoint"`
	StatusStream        string   `json:"status_stream_endpoint"` // our own: endings as they happen
}

// New writes the documents.
func New(o Options) (*Handler, error) {
	algs := []string{string(keys.RS256), string(keys.ES256), string(keys.EdDSA), string(keys.PS256)}
	methods := []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_jwt", "none"}
	assertionAlgs := append([]string{"HS256"}, algs...)
	raw, err := json.Marshal(metadata{
		Issuer: o.Issuer, Authorization: o.Issuer + "/authorize", Token: o.Issuer + "/token",
		Userinfo: o.Issuer + "/userinfo", JWKS: o.Issuer + "/jwks", EndSession: o.Issuer + "/logout",
		Scopes: o.Scopes, ResponseTypes: []string{"code"}, ResponseModes: []string{"query", "fragment", "form_post"},
		GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"},
		Subjects:   []string{"public"}, IDTokenAlgs: algs, UserinfoAlgs: algs,
		Revocation: o.Issuer + "/revoke", Introspection: o.Issuer + "/introspect",
		AuthAlgs: assertionAlgs, RevocationAlgs: assertionAlgs, IntrospectionAlgs: assertionAlgs,
		RevocationAuth: methods, IntrospectionAuth: methods[:len(methods)-1], // not none: an anonymous client may not ask
		AuthMethods:      methods,
		ChallengeMethods: []string{"S256"}, Claims: o.Claims, ClaimTypes: []string{"normal"},
		ACRValues: o.ACRValues, Displays: []string{"page"},
		Prompts: []string{"none", "login", "consent", "select_account"}, UILocales: []string{"en"},
		ClaimsParameter: true, ResponseIss: true,
		CheckSession: o.Issuer + "/session/check", Backchannel: true, BackchannelSession: true, Frontchannel: true, FrontchannelSession: true,
		StatusLists: o.Issuer + "/status", StatusStream: o.Issuer + "/status/stream",
	})
	if err != nil {
		return nil, fmt.Errorf("writing the metadata: %w", err)
	}
	digest := sha256.Sum256(raw)
	h := &Handler{issuerTo: o.Base, published: o.Keys}
	h.metadata = newDocument(raw, `"`+base64.RawURLEncoding.EncodeToString(digest[:12])+`"`, "application/json", o.MaxAge)
	h.keySet.Store(newKeySet(o.Keys.JWKS()))
	return h, nil
}

// Mount adds the documents. root is the host's own path and g the issuer's:
// RFC 8414 §3 puts an issuer's path behind the well-known name, Discovery §4
// before it.
func (h *Handler) Mount(root, g *echo.Group) {
	methods := []string{http.MethodGet, http.MethodOptions}
	describe, keys := anyone(h.describe), anyone(h.keys)
	g.Match(methods, "/.well-known/openid-configuration", describe)
	g.Match(methods, "/jwks", keys)
	root.Match(methods, "/.well-known/oauth-authorization-server"+h.issuerTo, describe)
}

func (h *Handler) describe(c echo.Context) error { return h.metadata.answer(c) }

// keys serves the ring's public half. max-age is a promise the ring keeps: no
// key signs before it was published for longer than that.
func (h *Handler) keys(c echo.Context) error {
	published, ready := h.published.JWKS(), h.keySet.Load()
	if ready.etag != published.ETag {
		// Keys came or went. Whoever is first prepares the answer; that two might
		// is harmless.
		ready = newKeySet(published)
		h.keySet.Store(ready)
	}
	return ready.answer(c)
}

func newKeySet(d keys.Document) *document {
	return newDocument(d.Body, d.ETag, "application/jwk-set+json", d.MaxAge)
}
