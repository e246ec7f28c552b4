package verify_test

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signet-id/signet/pkg/verify"
)

func TestAnIssuerThatHangsIsGivenUpAfterTenSeconds(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.delay = time.Hour
		v := i.verifier(t)
		start := time.Now()
		wantRefused(t, v, s.token(nil), verify.KeysUnavailable)
		if waited := time.Since(start); waited != 10*time.Second {
			t.Errorf("waited %v, want 10s", waited)
		}
	})
}

func TestKeysAreRefreshedAheadOfTheirExpiry(t *testing.T) {
	for cacheControl, age := range map[string]time.Duration{
		"":                                    10 * time.Minute,
		"public, max-age=3600":                time.Hour,
		"Max-Age=\"3600\"":                    time.Hour,
		"max-age=5":                           time.Minute,
		"max-age=31536000":                    24 * time.Hour,
		"max-age=3600, no-cache":              time.Minute,
		"no-store":                            time.Minute,
		"max-age=nonsense":                    time.Minute,
		"max-age=99999999999999999999":        time.Minute,
		"max-age=-1":                          time.Minute,
		"s-maxage=5, immutable, max-age=1200": 20 * time.Minute,
	} {
		t.Run(cacheControl, func(t *testing.T) {
			bubble(t, func(t *testing.T, i *issuer, s *signer) {
				i.cacheControl = cacheControl
				v := i.verifier(t)
				wantAccepted(t, v, s.token(nil))
				time.Sleep(age * 69 / 100)
				if got := i.fetches(); got != 1 {
					t.Errorf("%d fetches after 69%% of %v, want 1", got, age)
				}
				time.Sleep(age * 22 / 100)
				if got := i.fetches(); got != 2 {
					t.Errorf("%d fetches after 91%% of %v, want 2", got, age)
				}
			})
		})
	}
}

func TestTimeSpentInACacheCountsAgainstFreshness(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.cacheControl, i.age = "max-age=3600", "3000"
		v := i.verifier(t)
		wantAccepted(t, v, s.token(nil))
		time.Sleep(10 * time.Minute)
		if got := i.fetches(); got != 2 {
			t.Errorf("%d fetches, want 2", got)
		}
	})
}

func TestRefreshesAreSpreadByJitter(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.cacheControl = "max-age=3600"
		for range 20 {
			wantAccepted(t, i.verifier(t), s.token(nil))
		}
		time.Sleep(48 * time.Minute) // the middle of the window
		if got := i.fetches() - 20; got == 0 || got == 20 {
			t.Errorf("%d of 20 verifiers have refreshed by the middle of the window, want some", got)
		}
	})
}

func TestUnchangedKeysCostANotModified(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.etags = true
		v := i.verifier(t)
		wantAccepted(t, v, s.token(nil))
		time.Sleep(time.Hour)
		if got := i.read(&i.notModified); got == 0 || got != i.fetches()-1 {
			t.Errorf("%d of %d answers were 304, want all but the first", got, i.fetches())
		}
		if got := v.Staleness(); got > 10*time.Minute {
			t.Errorf("Staleness = %v: a 304 must confirm the keys", got)
		}
		if got := i.asked("/.well-known/openid-configuration"); got != 1 {
			t.Errorf("%d discoveries, want 1", got)
		}
	})
}

func TestAnAnswerThatIsNoKeySetLeavesTheKeysAlone(t *testing.T) {
	for name, spoil := range map[string]func(*issuer){
		"not JSON":             func(i *issuer) { i.body = []byte("<html>down for maintenance</html>") },
		"JSON without keys":    func(i *issuer) { i.body = []byte("{}") },
		"beyond 1 MiB":         func(i *issuer) { i.body = []byte(`{"keys":[]}` + strings.Repeat(" ", 1<<20)) },
		"a redirect elsewhere": func(i *issuer) { i.redirect = "https://evil.example/jwks" },
		"a redirect to http":   func(i *issuer) { i.redirect = "http://id.example.com/other" },
		"a redirect to itself": func(i *issuer) { i.redirect = issuerURL + jwksPath },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, i *issuer, s *signer) {
				v := i.verifier(t)
				wantAccepted(t, v, s.token(nil))
				i.with(spoil)
				time.Sleep(time.Hour)
				wantAccepted(t, v, s.token(nil))
				if got := v.Staleness(); got < 50*time.Minute {
					t.Errorf("Staleness = %v: the answer confirmed the keys", got)
				}
				i.with(func(i *issuer) { i.body, i.redirect = nil, "" })
				time.Sleep(30 * time.Second)
				if got := v.Staleness(); got > 30*time.Second {
					t.Errorf("Staleness = %v after the issuer recovered", got)
				}
			})
		})
	}
}

func TestARedirectWithinTheHostIsFollowed(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		i.redirect = issuerURL + "/moved.json"
		wantAccepted(t, i.verifier(t), s.token(nil))
	})
}

func TestTheClientsOwnRedirectPolicyStaysItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		client := &http.Client{Transport: i}
		wantAccepted(t, i.verifier(t, verify.WithHTTPClient(client)), s.token(nil))
		if client.CheckRedirect != nil {
			t.Error("the caller's client was changed")
		}
	})
}

func TestDiscoveryMustNameThisVeryIssuer(t *testing.T) {
	for name, changes := range map[string]object{
		"another issuer":              {"issuer": "https://evil.example"},
		"a slash more":                {"issuer": issuerURL + "/"},
		"no issuer":                   {"issuer": nil},
		"no jwks_uri":                 {"jwks_uri": nil},
		"a jwks_uri without TLS":      {"jwks_uri": "http://id.example.com/jwks.json"},
		"a jwks_uri on this machine":  {"jwks_uri": "http://127.0.0.1/jwks.json"},
		"a jwks_uri that is relative": {"jwks_uri": jwksPath},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, i *issuer, s *signer) {
				i.metadata = change(i.metadata, changes)
				wantRefused(t, i.verifier(t), s.token(nil), verify.KeysUnavailable)
				if i.fetches() != 0 {
					t.Error("the keys were fetched all the same")
				}
			})
		})
	}
}

func TestKeysThatMoveAreFoundAgainThroughDiscovery(t *testing.T) {
	bubble(t, func(t *testing.T, i *issuer, s *signer) {
		v := i.verifier(t)
		wantAccepted(t, v, s.token(nil))
		i.with(func(i *issuer) {
			i.redirect = "https://elsewhere.example/"
			i.metadata["jwks_uri"] = issuerURL + "/new.json"
		})
		time.Sleep(15 * time.Minute)
		if i.asked("/new.json") == 0 || v.Staleness() > 10*time.Minute {
			t.Errorf("Staleness = %v: the new place was not found", v.Staleness())
		}
	})
}

func TestALoopbackIssuerCannotPointToPlainHTTPElsewhere(t *testing.T) {
	const local = "http://localhost:8080"
	for uri, want := range map[string]error{
		"http://localhost:8080/jwks.json": nil,
		"https://cdn.example/jwks.json":   nil,
		"http://cdn.example/jwks.json":    verify.KeysUnavailable,
	} {
		s := newSigner(t, verify.EdDSA, "k1")
		i := newIssuer(s)
		i.metadata = object{"issuer": local, "jwks_uri": uri}
		v, err := verify.New(local, audience, verify.WithHTTPClient(&http.Client{Transport: i}), verify.WithLogger(slog.New(slog.DiscardHandler)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		if _, err := v.Verify(t.Context(), s.token(object{"iss": local})); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", uri, err, want)
		}
	}
}
