package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/client"
)

// clientFlags is a registration as flags; add and set share them.
type clientFlags struct {
	title, authMethod, idTokenAlg, pkce, refresh   string
	userinfoAlg                                    string
	jwks, jwksURI, authSigningAlg                  string
	logo, policy, terms                            string
	firstParty, thirdParty, public, introspects    bool
	redirects, signedOut, grants, scopes, audience []string
	networks                                       []string
	logout                                         logoutFlags
}

func (f *clientFlags) add(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVar(&f.title, "title", "", "what people read as its name")
	set.StringArrayVar(&f.redirects, "redirect-uri", nil, "where people return to from signing in, exactly; may be repeated")
	set.StringArrayVar(&f.signedOut, "post-logout-redirect-uri", nil, "where people may return to from signing out; may be repeated")
	f.logout.add(set)
	set.BoolVar(&f.firstParty, "first-party", false, "it is your own: people are never asked for consent")
	set.BoolVar(&f.thirdParty, "third-party", false, "it is somebody else's: people are asked for consent (the default)")
	set.BoolVar(&f.public, "public", false, "it can't keep a secret: a single-page, mobile or command-line application")
	set.StringArrayVar(&f.grants, "grant", nil, "authorization_code, refresh_token or client_credentials; may be repeated")
	set.StringArrayVar(&f.scopes, "scope", nil, "what it may ask for beyond OpenID Connect's own scopes; may be repeated")
	set.StringArrayVar(&f.audience, "audience", nil, "a service that its access tokens may be for, the first by default; may be repeated")
	set.StringArrayVar(&f.networks, "network", nil, "a CIDR that its token requests must come from; may be repeated")
	set.StringVar(&f.authMethod, "auth-method", "", "client_secret_basic, client_secret_post, private_key_jwt, client_secret_jwt or none")
	f.addKeys(set)
	set.StringVar(&f.idTokenAlg, "id-token-alg", "", "ES256 (the default), EdDSA, RS256 or PS256")
	set.StringVar(&f.userinfoAlg, "userinfo-alg", "", "sign userinfo answers: ES256, EdDSA, RS256, PS256, or none for plain JSON (the default)")
	set.BoolVar(&f.introspects, "introspect", false, "it may ask about tokens: its own, and those for one of its audiences")
	set.StringVar(&f.pkce, "pkce", "", "required (the default) or optional")
	set.StringVar(&f.refresh, "refresh", "", "refresh tokens end with the session (session, the default), survive it (offline), or are not given (none)")
	set.StringVar(&f.logo, "logo-uri", "", "an image for the sign-in page")
	set.StringVar(&f.policy, "policy-uri", "", "its privacy policy, linked from the sign-in page")
	set.StringVar(&f.terms, "tos-uri", "", "its terms of service, linked from the sign-in page")
}

// settings are what was said on the command line, and nothing else.
func (f *clientFlags) settings(cmd *cobra.Command) (admin.ClientSettings, error) {
	s := admin.ClientSettings{
		Title:                  said(cmd, "title", f.title),
		RedirectURIs:           saidList(cmd, "redirect-uri", f.redirects),
		PostLogoutRedirectURIs: saidList(cmd, "post-logout-redirect-uri", f.signedOut),
		FirstParty:             said(cmd, "first-party", f.firstParty),
		AuthMethod:             said(cmd, "auth-method", f.authMethod),
		Grants:                 saidList(cmd, "grant", f.grants),
		Scope:                  said(cmd, "scope", strings.Join(f.scopes, " ")),
		Audience:               saidList(cmd, "audience", f.audience),
		Networks:               saidList(cmd, "network", f.networks),
		IDTokenAlg:             said(cmd, "id-token-alg", f.idTokenAlg),
		UserinfoAlg:            said(cmd, "userinfo-alg", f.userinfoAlg),
		Introspects:            said(cmd, "introspect", f.introspects),
		Refresh:                said(cmd, "refresh", client.Refresh(f.refresh)),
		PKCE:                   said(cmd, "pkce", f.pkce == "required"),
		LogoURI:                said(cmd, "logo-uri", f.logo),
		PolicyURI:              said(cmd, "policy-uri", f.policy),
		TermsURI:               said(cmd, "tos-uri", f.terms),
	}
	f.logout.settings(cmd, &s)
	if err := f.keySettings(cmd, &s); err != nil {
		return s, err
	}
	if cmd.Flags().Changed("pkce") && f.pkce != "required" && f.pkce != "optional" {
		return s, usage("--pkce: write required or optional", "")
	}
	if cmd.Flags().Changed("third-party") {
		if s.FirstParty != nil {
			return s, usage("--first-party and --third-party exclude each other", "")
		}
		first := !f.thirdParty
		s.FirstParty = &first
	}
	if f.public {
		if s.AuthMethod != nil && *s.AuthMethod != client.AuthNone {
			return s, usage("--public excludes --auth-method "+*s.AuthMethod+": a public client has no secret to authenticate with", "")
		}
		none := client.AuthNone
		s.AuthMethod = &none
	}
	return s, nil
}

// said is a flag's value if the flag was given, and else nil.
func said[T any](cmd *cobra.Command, flag string, value T) *T {
	if !cmd.Flags().Changed(flag) {
		return nil
	}
	return &value
}

// saidList is said for a list, which a single empty value makes empty.
func saidList(cmd *cobra.Command, flag string, values []string) *[]string {
	if len(values) == 1 && values[0] == "" {
		values = []string{}
	}
	return said(cmd, flag, values)
}
