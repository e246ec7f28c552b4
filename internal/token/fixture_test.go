package token_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/internal/seal"
	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/keys"
)

const issuer = "https://id.example.com"

// now is when the tokens of these tests are made.
func now() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// memory is the smallest keys.Storage.
type memory struct {
	mu      sync.Mutex
	doc     []byte
	version uint64
}

func (m *memory) Load(context.Context) ([]byte, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.doc, m.version, nil
}

func (m *memory) Save(_ context.Context, doc []byte, version uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if version != m.version {
		return 0, keys.ErrConflict
	}
	m.doc, m.version = bytes.Clone(doc), version+1
	return m.version, nil
}

func (m *memory) Changes(context.Context) (<-chan struct{}, error) { return nil, nil }

func newRing(t testing.TB) *keys.Ring {
	t.Helper()
	box, err := seal.NewBox(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(t.Context(), &memory{}, box, keys.DefaultPolicy(), nil, keys.ES256, keys.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func newMint(t testing.TB) *token.Mint {
	t.Helper()
	return mintOf(newRing(t))
}

func mintOf(s token.Signer) *token.Mint {
	return &token.Mint{
		Issuer: issuer, Keys: s, AccessAlg: keys.ES256,
		AccessLifetime: 10 * time.Minute, IDLifetime: time.Hour, Memory: token.NewMemory(8),
	}
}

// alice is an access token with every field.
func alice() token.Access {
	return token.Access{
		Subject: "qUcWNYOqjdYAnZ5rIyMOLQ", Audience: []string{"https://orders.example.com"}, ClientID: "orders",
		Scopes: []string{"openid", "orders:read"}, ID: "9eZ8mVvLKHnEBRkPZXcbcTNQbMvWOvQd",
		AuthTime: now().Add(-time.Hour), ACR: "1", AMR: []string{"pwd"}, SessionID: "wTQfTSlWWj2LDmmc3GcL2g",
		Roles: []string{"admin"}, Groups: []string{"staff", "berlin"}, Slot: slot.At(29396000, 12345),
	}
}

func access(t testing.TB, m *token.Mint, a token.Access) string {
	t.Helper()
	compact, err := m.Access(t.Context(), a, now())
	if err != nil {
		t.Fatalf("Access: %v", err)
	}
	return compact
}

func idToken(t testing.TB, m *token.Mint, alg keys.Algorithm, id token.ID) string {
	t.Helper()
	compact, err := m.ID(t.Context(), alg, id, now())
	if err != nil {
		t.Fatalf("ID: %v", err)
	}
	return compact
}

// signed makes a token of any type and claims with the ring's key.
func signed(t testing.TB, ring *keys.Ring, typ, claims string) string {
	t.Helper()
	compact, err := ring.Sign(t.Context(), keys.ES256, typ, []byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// part decodes one part of a compact JWS: 0 the header, 1 the claims.
func part(t testing.TB, compact string, i int) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(compact, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func claimsOf(t testing.TB, compact string) map[string]any {
	t.Helper()
	var claims map[string]any
	if err := json.Unmarshal([]byte(part(t, compact, 1)), &claims); err != nil {
		t.Fatalf("the claims are no JSON: %v", err)
	}
	return claims
}

// plain signs nothing: the token is its type and its claims, so that what is
// said can be tested apart from how it is signed.
type plain struct{}

func (plain) Sign(_ context.Context, _ keys.Algorithm, typ string, claims []byte) (string, error) {
	return typ + "." + string(claims), nil
}

func (plain) Verify(compact string) (keys.Header, []byte, error) {
	typ, claims, _ := strings.Cut(compact, ".")
	return keys.Header{Typ: typ}, []byte(claims), nil
}

func (plain) Holds(string) bool { return true }

func (plain) Refresh(context.Context, time.Duration) error { return nil }
