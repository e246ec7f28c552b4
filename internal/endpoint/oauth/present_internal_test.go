package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/refusal"
)

func challengeOf(verifier string) string {
	digest := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(digest[:])
}

// RFC 7636 §4.6, RFC 9700 §2.1.1: the example is RFC 7636 appendix B.
func TestAVerifierProvesWhoAskedForTheCode(t *testing.T) {
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	short, long, odd := strings.Repeat("v", 42), strings.Repeat("v", 129), strings.Repeat("v", 43)+"="
	for name, tt := range map[string]struct {
		challenge, verifier string
		good                bool
	}{
		"the right one":                         {challenge, verifier, true},
		"of the greatest length":                {challengeOf(long[:128]), long[:128], true},
		"neither":                               {"", "", true},
		"another one":                           {challenge, verifier[1:] + "x", false},
		"none, though there was a challenge":    {challenge, "", false},
		"one, though there was no challenge":    {"", verifier, false},
		"the challenge itself":                  {challenge, challenge, false},
		"too short, though it is the right one": {challengeOf(short), short, false},
		"too long, though it is the right one":  {challengeOf(long), long, false},
		"of other characters":                   {challengeOf(odd), odd, false},
	} {
		if err := checkVerifier(tt.challenge, tt.verifier); (err == nil) != tt.good {
			t.Errorf("%s: %v", name, err)
		} else if err != nil {
			wantCode(t, err, "invalid_grant")
		}
	}
}

// RFC 6749 §4.4: the client credentials grant MUST only be used by confidential
// clients. No registration makes such a client; this guards against one that is there.
func TestAPublicClientHasNoTokensOfItsOwn(t *testing.T) {
	u := &unit{grantType: client.GrantCredentials, client: client.Client{ID: "spa", Public: true}}
	err := (&Handler{}).present(t.Context(), u, url.Values{})
	if err == nil || refusalOf(err).reason != refusal.GrantNotRegistered {
		t.Errorf("present = %v, want %s", err, refusal.GrantNotRegistered)
	}
}
