package app_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/audit"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/ended"
	"github.com/signet-id/signet/internal/outbox"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/store"
)

// gate adds a client that may ask about every access token of the others.
func (h *house) gate() {
	h.t.Helper()
	h.client(client.Client{
		ID: "gate", Grants: []string{client.GrantCredentials}, Introspects: true, Audience: []string{"https://orders.example", issuer},
	})
}

// active asks the issuer whether a token is good.
func (h *house) active(access string) bool {
	h.t.Helper()
	got, told := h.about("/introspect", "gate", access)
	if got.StatusCode != http.StatusOK {
		h.t.Fatalf("introspection answered %d %s", got.StatusCode, got.body)
	}
	active, _ := told["active"].(bool)
	return active
}

// wantActive checks what the issuer says of tokens.
func (h *house) wantActive(want bool, what string, access ...string) {
	h.t.Helper()
	for i, a := range access {
		if got := h.active(a); got != want {
			h.t.Errorf("%s, number %d: active %t, want %t", what, i, got, want)
		}
	}
}

// slotOf reads where a token's bit is.
func slotOf(t testing.TB, access string) slot.Slot {
	t.Helper()
	status, _ := claims(t, access)["status"].(map[string]any)
	list, _ := status["status_list"].(map[string]any)
	index, _ := list["idx"].(float64)
	uri, _ := list["uri"].(string)
	s, ok := slot.Parse(issuer, uri, uint64(index))
	if !ok {
		t.Fatalf("the token has no slot: %v", status)
	}
	return s
}

// machine gets the robot a token for itself.
func (h *house) machine() tokens {
	h.t.Helper()
	return h.token("robot", url.Values{"grant_type": {"client_credentials"}})
}

// lists are the published status lists, as a verifier reads them.
type lists struct {
	h    *house
	bits map[uint64][]byte
}

func (h *house) lists() *lists { return &lists{h, map[uint64][]byte{}} }

// set reports whether the bit of s is set in the list that is published.
func (l *lists) set(s slot.Slot) bool {
	l.h.t.Helper()
	bits, ok := l.bits[s.List()]
	if !ok {
		bits = l.h.statusList(s)
		l.bits[s.List()] = bits
	}
	at := s.Index() / 8
	return int(at) < len(bits) && bits[at]&(1<<(s.Index()%8)) != 0
}

func (h *house) statusList(s slot.Slot) []byte {
	h.t.Helper()
	path := strings.TrimPrefix(s.URI(issuer), issuer)
	got := h.serve(httptest.NewRequestWithContext(h.t.Context(), http.MethodGet, path, nil))
	if got.StatusCode != http.StatusOK {
		h.t.Fatalf("%s answered %d %s", path, got.StatusCode, got.body)
	}
	list, _ := claims(h.t, got.body)["status_list"].(map[string]any)
	text, _ := list["lst"].(string)
	packed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		h.t.Fatal(err)
	}
	bits, err := io.ReadAll(r)
	if err != nil {
		h.t.Fatal(err)
	}
	return bits
}

// journal is every ending so far, in order.
func (h *house) journal() []ended.Ending {
	h.t.Helper()
	var all []ended.Ending
	tail, err := ended.Follow(h.t.Context(), h.Store(), func(e []ended.Ending) { all = append(all, e...) }, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	tail.Close()
	return all
}

// story is the audit log, the newest first.
func (h *house) story() []audit.Event {
	h.t.Helper()
	events, err := audit.List(h.t.Context(), h.Store(), "", store.MaxList)
	if err != nil {
		h.t.Fatal(err)
	}
	return events
}

// calls are what waits in the outbox, one by one.
func (h *house) calls() []outbox.Call {
	h.t.Helper()
	recs, err := h.Store().List(h.t.Context(), "outbox/", "", store.MaxList)
	if err != nil {
		h.t.Fatal(err)
	}
	var all []outbox.Call
	for _, r := range recs {
		var row struct{ Calls []outbox.Call }
		if err := json.Unmarshal(r.Value, &row); err != nil {
			h.t.Fatal(err)
		}
		all = append(all, row.Calls...)
	}
	return all
}

// must is what an operator did that must not fail.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (h *house) setRoles(login string, roles ...string) {
	h.t.Helper()
	must[admin.UserView](h.t)(h.Operator.SetUser(h.t.Context(), login, admin.UserSettings{Roles: &roles}))
}

func (h *house) setClient(id string, works bool) {
	h.t.Helper()
	change := map[bool]func(context.Context, string) (admin.ClientView, error){true: h.Operator.EnableClient, false: h.Operator.DisableClient}
	must[admin.ClientView](h.t)(change[works](h.t.Context(), id))
}
