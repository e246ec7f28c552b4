package signettest_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signet-id/signet/keys"
	"github.com/signet-id/signet/pkg/signettest"
	"github.com/signet-id/signet/pkg/verify"
)

const callback = "https://app.example/cb"

// everywhere runs f with an issuer on a loopback port and with one in process.
func everywhere(t *testing.T, f func(t *testing.T, iss *signettest.Issuer)) {
	t.Run("on a port", func(t *testing.T) { f(t, signettest.Start(t)) })
	t.Run("in process", func(t *testing.T) { f(t, signettest.Start(t, signettest.InProcess())) })
}

// wantReason reports err when it is not a refusal for that reason; an empty
// reason means that nothing may be refused.
func wantReason(t *testing.T, v *verify.Verifier, token string, want verify.Reason) verify.Token {
	t.Helper()
	tok, err := v.Verify(t.Context(), token)
	if want == "" && err != nil {
		t.Errorf("refused: %v", err)
	}
	if want != "" && !errors.Is(err, want) {
		t.Errorf("got %v, want %s", err, want)
	}
	return tok
}

// part reads one part of a JWT without judging it: 0 is the header, 1 the payload.
func part(t *testing.T, compact string, n int) map[string]any {
	t.Helper()
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", compact)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[n])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// get asks the issuer and returns status and body.
func get(t *testing.T, iss *signettest.Issuer, path, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, iss.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := iss.HTTPClient().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestAVerifierAcceptsAMintedToken(t *testing.T) {
	everywhere(t, func(t *testing.T, iss *signettest.Issuer) {
		tok := wantReason(t, iss.Verifier(t), iss.Token(t, "alice",
			signettest.Scope("orders:read orders:write"), signettest.Roles("admin"), signettest.Groups("sales", "north"),
			signettest.ClientID("web"), signettest.SessionID("s1"), signettest.SignedInBy("2", "pwd", "otp"),
			signettest.SignedInAt(time.Now().Add(-time.Hour))), "")
		if tok.Subject() != "alice" || tok.Issuer() != iss.URL || tok.ClientID() != "web" || tok.SessionID() != "s1" || tok.ID() == "" {
			t.Errorf("names: %q %q %q %q %q", tok.Subject(), tok.Issuer(), tok.ClientID(), tok.SessionID(), tok.ID())
		}
		if !tok.HasScope("orders:read") || !tok.HasScope("orders:write") || tok.HasScope("openid") {
			t.Errorf("scopes: %q", tok.Scopes())
		}
		if !tok.HasRole("admin") || !tok.HasGroup("sales") || !tok.HasGroup("north") {
			t.Errorf("roles %q, groups %q", tok.Roles(), tok.Groups())
		}
		if tok.ACR() != "2" || len(tok.AMR()) != 2 || tok.SignedInWithin(59*time.Minute) == nil || tok.SignedInWithin(61*time.Minute) != nil {
			t.Errorf("acr %q, amr %q, auth_time %s", tok.ACR(), tok.AMR(), tok.AuthTime())
		}
	})
}

func TestAMintedTokenReadsByDefaultAsOneOfAFreshSignIn(t *testing.T) {
	iss := signettest.Start(t, signettest.InProcess())
	tok := wantReason(t, iss.Verifier(t), iss.Token(t, "alice"), "")
	if got := tok.Audience(); len(got) != 1 || got[0] != signettest.DefaultAudience || iss.Audience != got[0] {
		t.Errorf("audience %q, default %q", got, iss.Audience)
	}
	if tok.ClientID() != signettest.DefaultClientID || tok.SessionID() == "" || tok.ACR() != "1" || tok.SignedInWithin(time.Minute) != nil {
		t.Errorf("client %q, session %q, acr %q, auth_time %s", tok.ClientID(), tok.SessionID(), tok.ACR(), tok.AuthTime())
	}
	if life := tok.ExpiresAt().Sub(tok.IssuedAt()); life != 10*time.Minute {
		t.Errorf("lives %s", life)
	}
	if len(tok.Scopes())+len(tok.Roles())+len(tok.Groups()) != 0 {
		t.Errorf("permits %q %q %q", tok.Scopes(), tok.Roles(), tok.Groups())
	}
}

func TestATokenWhoseSubjectIsItsClientHasNoSignInBehindIt(t *testing.T) {
	iss := signettest.Start(t, signettest.InProcess())
	tok := wantReason(t, iss.Verifier(t), iss.Token(t, "robot", signettest.ClientID("robot")), "")
	if tok.SessionID() != "" || !tok.AuthTime().IsZero() || tok.ACR() != "" || len(tok.AMR()) != 0 {
		t.Errorf("a machine signed in: %q %s %q %q", tok.SessionID(), tok.AuthTime(), tok.ACR(), tok.AMR())
	}
}

func TestAVerifierRefusesWhatTheTestAsksItToRefuse(t *testing.T) {
	everywhere(t, func(t *testing.T, iss *signettest.Issuer) {
		v, other := iss.Verifier(t), signettest.Start(t, signettest.InProcess())
		wantReason(t, v, iss.Token(t, "alice", signettest.Expired()), verify.Expired)
		wantReason(t, v, iss.Token(t, "alice", signettest.ExpiresIn(-time.Minute)), verify.Expired)
		wantReason(t, v, iss.Token(t, "alice", signettest.Audience("https://elsewhere.example")), verify.WrongAudience)
		wantReason(t, v, other.Token(t, "alice"), verify.UnknownKey)
		wantReason(t, v, iss.Token(t, "alice", signettest.ExpiresIn(time.Second)), "")
	})
}

func TestAnExpiredTokenWasIssuedWhileItCouldLive(t *testing.T) {
	iss := signettest.Start(t, signettest.InProcess())
	claims := part(t, iss.Token(t, "alice", signettest.Expired()), 1)
	iat, exp, auth := claims["iat"].(float64), claims["exp"].(float64), claims["auth_time"].(float64)
	if exp-iat != 600 || auth != iat || time.Since(time.Unix(int64(exp), 0)).Round(time.Minute) != time.Hour {
		t.Errorf("iat %v, exp %v, auth_time %v", iat, exp, auth)
	}
}

func TestTheOptionsOfStartReachItsTokens(t *testing.T) {
	iss := signettest.Start(t, signettest.InProcess(), signettest.Audience("https://orders.example", "https://invoices.example"),
		signettest.AccessLifetime(5*time.Second), signettest.Algorithm(keys.EdDSA))
	raw := iss.Token(t, "alice")
	tok := wantReason(t, iss.Verifier(t), raw, "")
	if got := tok.Audience(); iss.Audience != "https://orders.example" || len(got) != 2 || got[1] != "https://invoices.example" {
		t.Errorf("audience %q, default %q", got, iss.Audience)
	}
	if life := tok.ExpiresAt().Sub(tok.IssuedAt()); life != 5*time.Second {
		t.Errorf("lives %s", life)
	}
	if alg := part(t, raw, 0)["alg"]; alg != "EdDSA" {
		t.Errorf("signed with %v", alg)
	}
}

func TestIssuersOfOneProcessDoNotDisturbEachOther(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 8 {
		var options []signettest.Option
		if i%2 == 0 {
			options = append(options, signettest.InProcess())
		}
		iss := signettest.Start(t, options...)
		alice, web, v := iss.User(t, "alice"), iss.Client(t, "web", callback), iss.Verifier(t)
		wg.Go(func() {
			for range 5 {
				got := iss.SignIn(t, alice, web)
				if tok := wantReason(t, v, got.AccessToken, ""); tok.Subject() != alice.Subject || tok.Issuer() != iss.URL {
					t.Errorf("token of %s for %s, want %s for %s", tok.Issuer(), tok.Subject(), iss.URL, alice.Subject)
				}
			}
		})
	}
	wg.Wait()
}

func TestAnIssuerServesTheCleanupFunctionsOfItsTest(t *testing.T) {
	everywhere(t, func(t *testing.T, iss *signettest.Issuer) {
		t.Cleanup(func() {
			if t.Context().Err() == nil {
				t.Error("the test's context has not ended; this test proves nothing")
			}
			if got := iss.SignIn(t, iss.User(t, "alice"), iss.Client(t, "web", callback)); got.AccessToken == "" {
				t.Error("no token")
			}
		})
	})
}

func TestAnIssuerIsGoneWhenItsTestHasEnded(t *testing.T) {
	for name, options := range map[string][]signettest.Option{"on a port": nil, "in process": {signettest.InProcess()}} {
		var iss *signettest.Issuer
		t.Run(name, func(t *testing.T) {
			iss = signettest.Start(t, options...)
			if status, _ := get(t, iss, "/.well-known/openid-configuration", ""); status != http.StatusOK {
				t.Errorf("discovery: %d", status)
			}
		})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, iss.URL+"/.well-known/openid-configuration", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := iss.HTTPClient().Do(r); err == nil {
			resp.Body.Close()
			t.Errorf("%s: it still answers: %d", name, resp.StatusCode)
		}
	}
}

func TestTheClientReachesOtherHostsToo(t *testing.T) {
	near, far := signettest.Start(t, signettest.InProcess()), signettest.Start(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, far.URL+"/.well-known/openid-configuration", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := near.HTTPClient().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var metadata struct{ Issuer string }
	if err := json.NewDecoder(resp.Body).Decode(&metadata); err != nil || metadata.Issuer != far.URL {
		t.Errorf("reached %q (%v), want %q", metadata.Issuer, err, far.URL)
	}
}

// The connection in memory leads to the issuer whatever host is asked for.
func TestAnIssuerInProcessNeverAnswersForAnotherHost(t *testing.T) {
	iss := signettest.Start(t, signettest.InProcess())
	const nobody = "https://127.0.0.1:1/.well-known/openid-configuration"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, nobody, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := iss.HTTPClient().Do(r); err == nil {
		resp.Body.Close()
		t.Errorf("%s answered %d", nobody, resp.StatusCode)
	}
}
