package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/ory/fosite"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/refusal"
)

func TestEveryErrorBecomesOneOfTheRFCs(t *testing.T) {
	disk := errors.New("disk on fire at /var/lib with hunter2")
	for name, tt := range map[string]struct {
		err    error
		code   string
		status int
	}{
		"nobody classified it":     {disk, "server_error", 500},
		"ours":                     {fmt.Errorf("narrowing: %w", refuse(refusal.AudienceForeign, "no")), "invalid_target", 400},
		"internal":                 {fault.Wrap(fault.Internal, disk, "opening"), "server_error", 500},
		"invalid":                  {fault.New(fault.Invalid, "no"), "invalid_request", 400},
		"invalid scope":            {fault.New(fault.Invalid, "no").On("scope"), "invalid_scope", 400},
		"invalid resource":         {fault.New(fault.Invalid, "no").On("resource"), "invalid_target", 400},
		"not found":                {fault.New(fault.NotFound, "no"), "invalid_grant", 400},
		"consumed":                 {fault.New(fault.Consumed, "no"), "invalid_grant", 400},
		"unauthenticated":          {fault.New(fault.Unauthenticated, "no"), "invalid_client", 401},
		"denied":                   {fault.New(fault.Denied, "no"), "access_denied", 400},
		"too many":                 {fault.New(fault.TooMany, "no"), "temporarily_unavailable", 503},
		"unavailable":              {fault.Wrap(fault.Unavailable, disk, "no"), "temporarily_unavailable", 503},
		"conflict":                 {fault.New(fault.Conflict, "no"), "temporarily_unavailable", 503},
		"fosite, a code of an RFC": {fosite.ErrInvalidScope, "invalid_scope", 400},
		"fosite, state":            {fosite.ErrInvalidState, "invalid_request", 400},
		"fosite, a word of its own": {
			fosite.ErrMisconfiguration.WithHint("hunter2"), "server_error", 500,
		},
		"a refusal under fosite's": {fosite.ErrInvalidRequest.WithWrap(refuse(refusal.AudienceForeign, "no")), "invalid_target", 400},
		// access_denied is no answer of the token endpoint (RFC 6749 §5.2).
		"a disabled user's code": {
			invalidGrant("the user can no longer sign in").because(fault.New(fault.Denied, "disabled")), "invalid_grant", 400,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := refusalOf(tt.err)
			if r.code() != tt.code || r.status() != tt.status {
				t.Errorf("refusal = %s, %d, want %s, %d", r.code(), r.status(), tt.code, tt.status)
			}
			if text := r.describe(); strings.Contains(text, "hunter2") || text == "" {
				t.Errorf("a stranger reads %q", text)
			}
			if !errors.Is(r, tt.err) && !errors.Is(tt.err, r) {
				t.Error("the log has lost the cause")
			}
		})
	}
}

func TestADeveloperReadsWhatFositeHasToSay(t *testing.T) {
	for want, err := range map[string]error{
		"a hint":                                fosite.ErrInvalidScope.WithHint("a hint").WithWrap(errors.New("bare")),
		fosite.ErrInvalidScope.DescriptionField: fosite.ErrInvalidScope.WithWrap(errors.New("bare")),
	} {
		if got := refusalOf(err).description; got != want {
			t.Errorf("description = %q, want %q", got, want)
		}
	}
}

func TestTheTokenEndpointsErrorsAreAsRFC6749WritesThem(t *testing.T) {
	h, _ := known(t)
	h.Issuer, h.Log, h.Refusals = "https://id.example.com", slog.New(slog.DiscardHandler), refusal.NewLog(8)
	for _, tt := range []struct {
		err                     error
		status                  int
		challenge, retry, error string
	}{
		{refuse(refusal.GrantInvalid, "the \"code\"\nis\\old ü"), 400, "", "", "invalid_grant"},
		{refuse(refusal.ClientAuthentication, "no"), 401, `Basic realm="https://id.example.com", charset="UTF-8"`, "", "invalid_client"},
		{fault.New(fault.Unavailable, "away"), 503, "", "1", "temporarily_unavailable"},
		{errors.New("hunter2"), 500, "", "", "server_error"},
	} {
		rec := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", nil)
		if err := h.answer(echo.New().NewContext(r, rec), tt.err); err != nil {
			t.Fatal(err)
		}
		var body map[string]string
		if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
			t.Fatalf("%v: %s", err, rec.Body)
		}
		if rec.Code != tt.status || body["error"] != tt.error || len(body) != 3 || !strings.HasPrefix(body["error_uri"], refusal.Manual+"#") {
			t.Errorf("%d %v, want %d %s", rec.Code, body, tt.status, tt.error)
		}
		if got := rec.Header().Get("WWW-Authenticate"); got != tt.challenge {
			t.Errorf("%s: WWW-Authenticate = %q, want %q", tt.error, got, tt.challenge)
		}
		if got := rec.Header().Get("Retry-After"); got != tt.retry {
			t.Errorf("%s: Retry-After = %q, want %q", tt.error, got, tt.retry)
		}
		if strings.Contains(rec.Body.String(), "hunter2") {
			t.Errorf("a stranger reads %s", rec.Body)
		}
	}
}
