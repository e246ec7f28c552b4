package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/signet-id/signet/internal/admin"
)

func (f *clientFlags) addKeys(set *pflag.FlagSet) {
	set.StringVar(&f.jwks, "jwks", "", "the file of its public keys, a JWK Set, for private_key_jwt")
	set.StringVar(&f.jwksURI, "jwks-uri", "", "where it publishes its public keys, instead of --jwks")
	set.StringVar(&f.authSigningAlg, "auth-signing-alg", "", "the one algorithm that it authenticates with: ES256, EdDSA, PS256 or RS256 for private_key_jwt, HS256 for client_secret_jwt")
}

// keySettings reads the keys from their file. Only whether it is JSON is looked at
// here; what is wrong with a key, the server says.
func (f *clientFlags) keySettings(cmd *cobra.Command, s *admin.ClientSettings) error {
	s.JWKSURI = said(cmd, "jwks-uri", f.jwksURI)
	s.AuthSigningAlg = said(cmd, "auth-signing-alg", f.authSigningAlg)
	if !cmd.Flags().Changed("jwks") {
		return nil
	}
	if s.JWKSURI != nil {
		return usage("--jwks and --jwks-uri exclude each other", "")
	}
	text, err := os.ReadFile(f.jwks)
	if err != nil {
		return fmt.Errorf("reading --jwks: %w", err)
	}
	if !json.Valid(text) {
		return usage(fmt.Sprintf("--jwks: %s is not JSON: write the public keys as a JWK Set (RFC 7517 §5)", f.jwks), "")
	}
	s.JWKS = new(json.RawMessage(text))
	return nil
}

// keyFacts says what a client authenticates with beyond a secret.
func keyFacts(w *page, c admin.ClientView) {
	w.fact("algorithm", c.AuthSigningAlg)
	w.fact("keys at", c.JWKSURI)
	var set struct {
		Keys []struct {
			ID   string `json:"kid"`
			Type string `json:"kty"`
		} `json:"keys"`
	}
	if json.Unmarshal(c.JWKS, &set) != nil {
		return
	}
	var names []string
	for _, k := range set.Keys {
		names = append(names, fmt.Sprintf("%q (%q)", k.ID, k.Type)) // a stranger's text: quoted
	}
	w.fact("keys", strings.Join(names, ", "))
}
