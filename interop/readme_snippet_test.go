package interop

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/signet-id/signet/pkg/signettest"
	"github.com/signet-id/signet/pkg/verify"
)

// orders stands for the reader's service in the README's test, which is below.
func orders(v *verify.Verifier) http.Handler {
	return v.Require("orders:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, _ := verify.FromContext(r.Context())
		_, _ = fmt.Fprintf(w, "orders of %s", tok.Subject())
	}))
}

func TestOrders(t *testing.T) {
	iss := signettest.Start(t)
	api := orders(iss.Verifier(t)) // your service, and the verifier that it is given

	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+iss.Token(t, "alice", signettest.Scope("orders:read")))
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("alice was answered %d: %s", w.Code, w.Body)
	}
}

func TestTheReadmesTestIsTheOneAbove(t *testing.T) {
	here, err := os.ReadFile("readme_snippet_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(here), find(t, "func TestOrders")) {
		t.Error("the README's test and the one in this file differ")
	}
}
