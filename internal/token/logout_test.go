package token_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/token"
	"github.com/signet-id/signet/keys"
)

func logoutToken(t testing.TB, m *token.Mint, alg keys.Algorithm, l token.Logout) string {
	t.Helper()
	compact, err := m.Logout(t.Context(), alg, l, now())
	if err != nil {
		t.Fatalf("Logout: %v", err)
	}
	return compact
}

// OpenID Connect Back-Channel Logout 1.0 §2.4: these claims, no nonce, nothing else.
func TestALogoutTokenSaysWhatBackChannelLogoutAsksAndNothingElse(t *testing.T) {
	const events = `"events":{"http://schemas.openid.net/event/backchannel-logout":{}}`
	const times = `"exp":1772366520,"iat":1772366400,"jti":"j1",`
	m := newMint(t)
	for name, c := range map[string]struct {
		logout token.Logout
		want   string
	}{
		"one session": {
			token.Logout{ClientID: "orders", ID: "j1", Subject: "alice", SessionID: "s1"},
			`{"iss":"https://id.example.com","sub":"alice","aud":"orders",` + times + events + `,"sid":"s1"}`,
		},
		"every session of a user": {
			token.Logout{ClientID: "orders", ID: "j1", Subject: "alice"},
			`{"iss":"https://id.example.com","sub":"alice","aud":"orders",` + times + events + `}`,
		},
		"a session whose user is not told": {
			token.Logout{ClientID: "orders", ID: "j1", SessionID: "s1"},
			`{"iss":"https://id.example.com","aud":"orders",` + times + events + `,"sid":"s1"}`,
		},
	} {
		for _, alg := range []keys.Algorithm{keys.ES256, keys.EdDSA} {
			compact := logoutToken(t, m, alg, c.logout)
			if diff := cmp.Diff(c.want, part(t, compact, 1)); diff != "" {
				t.Errorf("%s: claims (-want +got):\n%s", name, diff)
			}
			var header map[string]any
			if err := json.Unmarshal([]byte(part(t, compact, 0)), &header); err != nil {
				t.Fatal(err)
			}
			if header["typ"] != "logout+jwt" || header["alg"] != string(alg) || header["kid"] == nil || len(header) != 3 {
				t.Errorf("%s: header = %v, want typ logout+jwt, alg %s and kid", name, header, alg)
			}
		}
	}
}

// A client that is told of nobody could only sign everybody out.
func TestALogoutTokenThatNamesNobodyIsNotSigned(t *testing.T) {
	if compact, err := newMint(t).Logout(t.Context(), keys.ES256, token.Logout{ClientID: "orders", ID: "j1"}, now()); err == nil {
		t.Errorf("Logout = %s, want an error", compact)
	}
}

// Every client that was told holds one, and it names the user and the session.
func TestALogoutTokenPassesForNoOtherToken(t *testing.T) {
	m := newMint(t)
	compact := logoutToken(t, m, keys.ES256, token.Logout{ClientID: "orders", ID: "j1", Subject: "alice", SessionID: "s1"})
	if hint, err := m.ParseHint(compact); fault.KindOf(err) != fault.Invalid || hint != (token.Hint{}) {
		t.Errorf("as id_token_hint: got %+v, %v, want fault.Invalid", hint, err)
	}
	if a, err := m.ParseAccess(compact, now()); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("as access token: got %+v, %v, want fault.Unauthenticated", a, err)
	}
}
