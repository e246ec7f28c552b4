package app_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestSignInsAndTokenRequestsAreCounted(t *testing.T) {
	h := open(t)
	h.token("orders", redeem(h.browser().code("alice", "orders")))
	h.token("orders", refresh("sgr_stolen"))
	h.token("robot", url.Values{"grant_type": {"urn:made:up"}})
	w := httptest.NewRecorder()
	h.Telemetry.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`signet_sign_ins_total{outcome="ok"} 1`,
		`signet_token_requests_total{grant="authorization_code",outcome="ok"} 1`,
		`signet_token_requests_total{grant="refresh_token",outcome="invalid_grant"} 1`,
		`signet_token_requests_total{grant="other",outcome="unsupported_grant_type"} 1`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
