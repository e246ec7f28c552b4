package token_test

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/signet-id/signet/internal/slot"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/keys"
)

// replaced is what JSON makes of text: it has no way to write what is not UTF-8.
func replaced(text string) string { return string([]rune(text)) }

// wantOneObject checks that raw is one JSON object that names nothing twice:
// with a name twice, two readers could read two tokens (RFC 8725 §2.4).
func wantOneObject(t *testing.T, raw string) {
	t.Helper()
	if !json.Valid([]byte(raw)) || !utf8.ValidString(raw) { // RFC 8259 §8.1; Valid asks for no UTF-8
		t.Fatalf("no JSON: %q", raw)
	}
	d := json.NewDecoder(strings.NewReader(raw))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		t.Fatalf("no object: %s", raw)
	}
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		key, ok := name.(string)
		if !ok || seen[key] {
			t.Fatalf("the name %v stands twice: %s", name, raw)
		}
		seen[key] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("more than one value: %s", raw)
	}
}

// Whatever an access token is made of, its claims are one JSON object that reads
// back as the same token: no name or role can add a claim.
func FuzzAccessClaimsReadBack(f *testing.F) {
	f.Add("alice", "https://orders.example.com", "orders", "openid email", "admin", "1", int64(1772366400), uint64(30824296448057))
	f.Add(`","admin":true,"x":"`, `\`, "\x00\x1f\x7f", " \t ", `"],"roles":["root`, `\u0022`, int64(-1), uint64(1<<20))
	f.Add("ü\u2028<script>&", "\xff\xfe", "", "", "", "", int64(0), uint64(1<<64-1))
	f.Add("\ud7ff\U0010ffff", "'", "/", "a  b", "\\\"", "\n", int64(1)<<40, uint64(1<<20-1))
	f.Fuzz(func(t *testing.T, sub, aud, clientID, scope, role, acr string, authTime int64, at uint64) {
		m := mintOf(plain{})
		in := token.Access{
			Subject: sub, Audience: []string{aud, clientID}, ClientID: clientID, Scopes: strings.Fields(scope), ID: acr + sub,
			ACR: acr, AMR: []string{role, acr}, SessionID: aud, Roles: []string{role}, Groups: []string{role, sub},
			AuthTime: time.Unix(authTime, 0), Slot: slot.Slot(at),
		}
		if in.Slot.List() == 0 {
			return // no slot, or one that is never given: TestATokenWithoutASlotIsNotSigned
		}
		compact, err := m.Access(t.Context(), in, now())
		if err != nil {
			t.Fatal(err)
		}
		_, claims, _ := strings.Cut(compact, ".")
		wantOneObject(t, claims)
		out, err := m.ParseAccess(compact, now())
		if err != nil {
			t.Fatalf("%v: %s", err, claims)
		}
		for name, pair := range map[string][2][]string{
			"sub": {{in.Subject}, {out.Subject}}, "aud": {in.Audience, out.Audience}, "client_id": {{in.ClientID}, {out.ClientID}},
			"scope": {in.Scopes, out.Scopes}, "jti": {{in.ID}, {out.ID}}, "acr": {{in.ACR}, {out.ACR}}, "amr": {in.AMR, out.AMR},
			"sid": {{in.SessionID}, {out.SessionID}}, "roles": {in.Roles, out.Roles}, "groups": {in.Groups, out.Groups},
		} {
			want := slices.Clone(pair[0])
			for i := range want {
				want[i] = replaced(want[i])
			}
			if !slices.Equal(want, pair[1]) {
				t.Errorf("%s: wrote %q, read %q", name, want, pair[1])
			}
		}
		if out.Slot != in.Slot {
			t.Errorf("slot: wrote %d, read %d", in.Slot, out.Slot)
		}
		if authTime != 0 && out.AuthTime.Unix() != authTime {
			t.Errorf("auth_time: wrote %d, read %d", authTime, out.AuthTime.Unix())
		}
	})
}

// The same of an ID token, whose nonce is the client's to choose, byte for byte.
func FuzzIDClaimsReadBack(f *testing.F) {
	f.Add("alice", "orders", "n-0S6_WzA2Mj", "s1")
	f.Add(`"`, `\`, `","sub":"root`, "\x00")
	f.Add("ü", "\xff", strings.Repeat("n", 384), "\u2029")
	f.Fuzz(func(t *testing.T, sub, clientID, nonce, sid string) {
		m := mintOf(plain{})
		compact, err := m.ID(t.Context(), keys.ES256, token.ID{Subject: sub, ClientID: clientID, Nonce: nonce, SessionID: sid, AccessToken: nonce}, now())
		if err != nil {
			t.Fatal(err)
		}
		_, claims, _ := strings.Cut(compact, ".")
		wantOneObject(t, claims)
		var out struct{ Sub, Aud, Nonce, Sid, Iss string }
		if err := json.Unmarshal([]byte(claims), &out); err != nil {
			t.Fatal(err)
		}
		for name, pair := range map[string][2]string{
			"sub": {sub, out.Sub}, "aud": {clientID, out.Aud}, "nonce": {nonce, out.Nonce}, "sid": {sid, out.Sid}, "iss": {issuer, out.Iss},
		} {
			if replaced(pair[0]) != pair[1] {
				t.Errorf("%s: wrote %q, read %q", name, pair[0], pair[1])
			}
		}
	})
}
