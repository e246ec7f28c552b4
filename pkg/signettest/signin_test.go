package signettest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"golang.org/x/oauth2/clientcredentials"

	"golang.org/x/oauth2"

	"github.com/signet-id/signet/pkg/signettest"
)

func TestSignInYieldsTheTokensOfAWholeSignIn(t *testing.T) {
	everywhere(t, func(t *testing.T, iss *signettest.Issuer) {
		alice := iss.User(t, "alice", signettest.Email("alice@example.com"), signettest.Name("Alice"), signettest.Roles("clerk"))
		web := iss.Client(t, "web", callback, signettest.Scope("orders:read"))
		got := iss.SignIn(t, alice, web, "orders:read", "email", "roles")
		tok := wantReason(t, iss.Verifier(t), got.AccessToken, "")
		if tok.Subject() != alice.Subject || tok.ClientID() != "web" || !tok.HasScope("orders:read") || !tok.HasRole("clerk") {
			t.Errorf("access token of %q through %q for %q as %q", tok.Subject(), tok.ClientID(), tok.Scopes(), tok.Roles())
		}
		id := part(t, got.IDToken, 1)
		if id["sub"] != alice.Subject || id["aud"] != "web" || id["sid"] != tok.SessionID() {
			t.Errorf("ID token: %v", id)
		}
		if got.RefreshToken == "" || got.ExpiresIn != 10*time.Minute || !slices.Equal(got.Scopes, []string{"openid", "orders:read", "email", "roles"}) {
			t.Errorf("tokens: %+v", got)
		}
		status, body := get(t, iss, "/userinfo", got.AccessToken)
		var who map[string]any
		if err := json.Unmarshal([]byte(body), &who); err != nil || who["email"] != "alice@example.com" {
			t.Errorf("userinfo %d: %s", status, body)
		}
	})
}

func TestEverySignInIsASessionOfItsOwn(t *testing.T) {
	iss := signettest.Start(t, signettest.InProcess())
	alice, web := iss.User(t, "alice"), iss.Client(t, "web", callback)
	first, second := part(t, iss.SignIn(t, alice, web).IDToken, 1), part(t, iss.SignIn(t, alice, web).IDToken, 1)
	if first["sid"] == second["sid"] || first["sub"] != second["sub"] {
		t.Errorf("sid %v and %v, sub %v and %v", first["sid"], second["sid"], first["sub"], second["sub"])
	}
}

func TestEveryKindOfClientSignsPeopleIn(t *testing.T) {
	iss := signettest.Start(t, signettest.InProcess())
	alice := iss.User(t, "alice", signettest.Password("hunter2"))
	if alice.Password != "hunter2" {
		t.Errorf("password %q", alice.Password)
	}
	for id, options := range map[string][]signettest.ClientOption{
		"public":  {signettest.Public()},
		"third":   {signettest.ThirdParty()},
		"offline": {signettest.OfflineAccess(), signettest.ThirdParty()},
		"many":    {signettest.RedirectURIs("https://app.example/other"), signettest.PostLogoutRedirectURIs("https://app.example/bye")},
	} {
		t.Run(id, func(t *testing.T) {
			c := iss.Client(t, id, callback, options...)
			if public := c.Secret == ""; public != (id == "public") {
				t.Errorf("public: %v", public)
			}
			var scopes []string
			if id == "offline" {
				scopes = []string{"offline_access"}
			}
			if got := iss.SignIn(t, alice, c, scopes...); got.AccessToken == "" || got.IDToken == "" || got.RefreshToken == "" {
				t.Errorf("tokens: %+v", got)
			}
		})
	}
}

// A client's own code makes the request and redeems the answer, here
// golang.org/x/oauth2, which is not ours.
func TestAuthorizeCarriesAForeignClientThroughItsOwnFlow(t *testing.T) {
	everywhere(t, func(t *testing.T, iss *signettest.Issuer) {
		web := iss.Client(t, "web", callback)
		app := oauth2.Config{
			ClientID: web.ID, ClientSecret: web.Secret, RedirectURL: callback, Scopes: []string{"openid"},
			Endpoint: oauth2.Endpoint{AuthURL: iss.URL + "/authorize", TokenURL: iss.URL + "/token"},
		}
		proof := oauth2.GenerateVerifier()
		back := iss.Authorize(t, iss.User(t, "alice"), app.AuthCodeURL("af0ifjsldkj", oauth2.S256ChallengeOption(proof)))
		if back.Host != "app.example" || back.Query().Get("state") != "af0ifjsldkj" || back.Query().Get("iss") != iss.URL {
			t.Fatalf("sent back to %s", back)
		}
		ctx := oauth2HTTP(t.Context(), iss)
		tokens, err := app.Exchange(ctx, back.Query().Get("code"), oauth2.VerifierOption(proof))
		if err != nil {
			t.Fatal(err)
		}
		wantReason(t, iss.Verifier(t), tokens.AccessToken, "")
		tokens.Expiry = time.Now().Add(-time.Minute)
		fresh, err := app.TokenSource(ctx, tokens).Token()
		if err != nil || fresh.AccessToken == tokens.AccessToken {
			t.Errorf("refreshed: %v", err)
		}
	})
}

func TestAnErrorForTheClientIsReturnedToIt(t *testing.T) {
	iss := signettest.Start(t, signettest.InProcess())
	iss.Client(t, "web", callback)
	back := iss.Authorize(t, signettest.User{}, iss.URL+"/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {"web"}, "redirect_uri": {callback}, "scope": {"openid"}, "prompt": {"none"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}, "state": {"af0ifjsldkj"},
	}.Encode())
	if got := back.Query().Get("error"); got != "login_required" {
		t.Errorf("error %q in %s", got, back)
	}
}

func TestAClientWithoutARedirectURIIsAMachine(t *testing.T) {
	everywhere(t, func(t *testing.T, iss *signettest.Issuer) {
		robot := iss.Client(t, "robot", "", signettest.Scope("orders:read"), signettest.Audience("https://service.example", "https://other.example"))
		own := clientcredentials.Config{ClientID: robot.ID, ClientSecret: robot.Secret, TokenURL: iss.URL + "/token"}
		got, err := own.Token(oauth2HTTP(t.Context(), iss))
		if err != nil {
			t.Fatal(err)
		}
		tok := wantReason(t, iss.Verifier(t), got.AccessToken, "")
		if tok.Subject() != "robot" || !tok.HasScope("orders:read") {
			t.Errorf("token of %q for %q", tok.Subject(), tok.Scopes())
		}
	})
}

// The issuer asks for the grant behind a token, and a minted one has none.
func TestUserinfoRefusesAMintedToken(t *testing.T) {
	iss := signettest.Start(t, signettest.InProcess())
	alice := iss.User(t, "alice")
	if status, _ := get(t, iss, "/userinfo", iss.Token(t, alice.Subject, signettest.Scope("openid"))); status != http.StatusUnauthorized {
		t.Errorf("userinfo answered %d", status)
	}
}
