package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/client"
	"github.com/signet-id/signet/internal/fault"
)

// devFlags is what a developer asks for.
type devFlags struct {
	port                       int
	dir                        string
	personas, clients, publics []string
	scopes, audience           []string
	newSecrets                 bool
}

func (p *program) devCommand() *cobra.Command {
	var flags devFlags
	cmd := &cobra.Command{
		Use: "dev [flags]", Short: "Run an issuer for your own tests, on this machine alone", Args: takes(), DisableFlagsInUseLine: true,
		Long: "Run an issuer for your own tests, on this machine alone: people sign in with one\n" +
			"click, your clients are first-party, and nothing is to be configured.",
		Example: "  signet dev --client myapp=http://localhost:3000/callback\n" +
			"  signet dev --persona carol:admin,auditor --persona dave --scope orders:read\n" +
			"  signet dev --client myapp=http://localhost:3000/callback --dir .signet --json",
		RunE: func(cmd *cobra.Command, _ []string) error { return p.dev(cmd.Context(), flags) },
	}
	portFlag(cmd, &flags.port)
	set := cmd.Flags()
	set.StringVar(&flags.dir, "dir", "", "keep users, clients and keys in this folder (default: a temporary one)")
	set.StringArrayVar(&flags.personas, "persona", []string{"alice:admin", "bob"}, "who can sign in, as LOGIN or LOGIN:ROLE,ROLE; may be repeated")
	set.StringArrayVar(&flags.clients, "client", nil, "an application with a secret, as ID=REDIRECT_URI; may be repeated")
	set.StringArrayVar(&flags.publics, "public-client", nil, "one without a secret, as ID=REDIRECT_URI; may be repeated")
	set.StringArrayVar(&flags.scopes, "scope", nil, "a scope of your APIs that every client may ask for; may be repeated")
	set.StringArrayVar(&flags.audience, "audience", nil, "the URL of an API that tokens may be for, the first by default; may be repeated")
	set.BoolVar(&flags.newSecrets, "new-secrets", false, "give clients that --dir kept new secrets")
	return cmd
}

// devClient is an application as the flags describe it.
type devClient struct {
	id     string
	public bool
	uris   []string
}

// bench is what dev prints: all that a test needs to know.
type bench struct {
	Issuer   string         `json:"issuer"`
	Personas []stagePersona `json:"personas"`
	Clients  []newClient    `json:"clients"`
}

func (p *program) dev(ctx context.Context, f devFlags) (err error) {
	clients, personas, err := f.parse()
	if err != nil {
		return err
	}
	described := map[string]string{}
	for _, s := range f.scopes {
		described[s] = s
	}
	box, err := p.openSandbox(ctx, sandboxOptions{
		name: "Signet dev", port: f.port, dir: f.dir, level: slog.LevelInfo, scopes: described, personas: personas,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	show := bench{Issuer: box.issuer}
	for _, who := range personas {
		show.Personas = append(show.Personas, stagePersona{Login: who.login, Roles: who.roles})
	}
	for _, c := range clients {
		made, err := box.register(ctx, c, f)
		if err != nil {
			return err
		}
		show.Clients = append(show.Clients, made)
	}
	if err := p.printBench(show); err != nil {
		return err
	}
	return box.app.Run(ctx)
}

func (f devFlags) parse() ([]devClient, []persona, error) {
	if err := checkPort(f.port); err != nil {
		return nil, nil, err
	}
	var clients []devClient
	for _, list := range []struct {
		flag   string
		public bool
		texts  []string
	}{{"--client", false, f.clients}, {"--public-client", true, f.publics}} {
		for _, text := range list.texts {
			id, uri, found := strings.Cut(text, "=")
			if !found || id == "" || uri == "" {
				return nil, nil, usage(fmt.Sprintf("%s: %q is not ID=REDIRECT_URI", list.flag, text), "write "+list.flag+" myapp=http://localhost:3000/callback")
			}
			at := slices.IndexFunc(clients, func(c devClient) bool { return c.id == id })
			if at < 0 {
				clients = append(clients, devClient{id: id, public: list.public})
				at = len(clients) - 1
			}
			clients[at].uris = append(clients[at].uris, uri)
		}
	}
	var personas []persona
	for _, text := range f.personas {
		login, roles, _ := strings.Cut(text, ":")
		if login == "" {
			return nil, nil, usage(fmt.Sprintf("--persona: %q names nobody", text), "write --persona alice or --persona alice:admin")
		}
		who := persona{login: login, name: titled(login), email: login + "@example.com", roles: strings.FieldsFunc(roles, isComma)}
		if strings.Contains(login, "@") {
			who.email = login
		}
		personas = append(personas, who)
	}
	return clients, personas, nil
}

func isComma(r rune) bool { return r == ',' }

// register adds a client, or brings one that --dir kept up to date. Its secret
// stays then, so that what was configured with it goes on working.
func (b *sandbox) register(ctx context.Context, c devClient, f devFlags) (newClient, error) {
	first, method, scope := true, client.AuthBasic, strings.Join(f.scopes, " ")
	grants := []string{client.GrantCode, client.GrantRefresh}
	if c.public {
		method = client.AuthNone
	} else {
		grants = append(grants, client.GrantCredentials)
	}
	signedOut := homes(c.uris)
	settings := admin.ClientSettings{
		FirstParty: &first, AuthMethod: &method, Grants: &grants, Scope: &scope, Audience: &f.audience,
		RedirectURIs: &c.uris, PostLogoutRedirectURIs: &signedOut,
	}
	made, err := b.app.Operator.AddClient(ctx, c.id, settings)
	if err == nil {
		return newClient{made.ClientView, made.Secret.Reveal()}, nil
	}
	if fault.KindOf(err) != fault.Conflict {
		return newClient{}, err
	}
	kept, err := b.app.Operator.SetClient(ctx, c.id, settings)
	if err != nil || c.public || len(kept.SecretsCreated) > 0 && !f.newSecrets {
		return newClient{ClientView: kept}, err
	}
	replaced, err := b.app.Operator.RotateSecret(ctx, c.id, false)
	return newClient{kept, replaced.Reveal()}, err
}

// homes are the front pages of the applications: where one wants to be after
// signing out. What has none, such as a native application, is left out.
func homes(uris []string) []string {
	var out []string
	for _, text := range uris {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" {
			continue // the registration says what is wrong with it
		}
		if home := u.Scheme + "://" + u.Host + "/"; !slices.Contains(out, home) {
			out = append(out, home)
		}
	}
	return out
}

// printBench prints JSON on one line, so that a script can read a line and go on
// while the issuer runs.
func (p *program) printBench(show bench) error {
	if p.json {
		if err := json.NewEncoder(p.Stdout).Encode(show); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
		return nil
	}
	return p.print(nil, show.page)
}

func (s bench) page(w *page) {
	w.line("An issuer for this machine alone, until you press Ctrl-C:\n")
	w.row("  issuer", s.Issuer)
	for _, who := range s.Personas {
		w.row("  person", who.Login, strings.Join(who.Roles, ", "))
	}
	for _, c := range s.Clients {
		secret := c.Secret
		switch {
		case c.Public():
			secret = "(public)"
		case secret == "":
			secret = "(keeps its secret; for a new one: --new-secrets)"
		}
		w.row("  client", c.ID, secret)
	}
	if len(s.Clients) == 0 {
		w.line("\nNo client is registered. Add one: signet dev --client myapp=http://localhost:3000/callback")
	}
}
