package cli

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/admin"
)

func (p *program) clientCommand() *cobra.Command {
	return p.configFlag(group("client", "Register and change clients: the applications that people sign in to",
		p.clientAdd(), p.clientList(), p.clientShow(), p.clientSet(), p.clientRotateSecret(),
		p.clientSwitch("disable", "Stop a client and end its access tokens: no sign-in and no token until it is enabled", "is disabled: it gets no sign-in and no token any more, and its access tokens have ended"),
		p.clientSwitch("enable", "Let a disabled client work again", "is enabled"),
		p.clientRemove(),
	))
}

// newClient is the answer to adding one.
type newClient struct {
	admin.ClientView
	Secret string `json:"client_secret,omitempty"`
}

func (p *program) clientAdd() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use: "add NAME [flags]", Short: "Register a client", DisableFlagsInUseLine: true,
		Long: "Register a client under NAME, which becomes its client_id.\n\n" +
			"With a redirect URI it is an application that people sign in to; without one it\n" +
			"is a machine that uses the client credentials grant. Its secret is shown once.",
		Example: "  signet client add shop --redirect-uri https://shop.example.com/callback\n" +
			"  signet client add app --public --redirect-uri http://127.0.0.1/callback\n" +
			"  signet client add robot --scope orders:read --audience https://orders.example.com",
		Args: takes("NAME"),
	}
	flags.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		settings, err := flags.settings(cmd)
		if err != nil {
			return err
		}
		in := struct {
			ID string `json:"client_id"`
			admin.ClientSettings
		}{args[0], settings}
		return p.withOperator(cmd.Context(), func(o *operator) error {
			var made newClient
			if err := o.do(cmd.Context(), http.MethodPost, "/clients", in, &made); err != nil {
				return err
			}
			return p.print(made, made.page)
		})
	}
	return cmd
}

func (c newClient) page(w *page) {
	w.line("Client %q was added: %s.", c.ID, strings.Join(kindOf(c.ClientView), ", "))
	if !c.FirstParty && len(c.RedirectURIs) > 0 {
		w.line("People are asked for their consent; if the client is your own, add --first-party.")
	}
	w.line("")
	w.fact("client_id", c.ID)
	w.fact("client_secret", c.Secret)
	if c.Secret != "" {
		w.line("\nThis secret is not shown again. For a new one: signet client rotate-secret %s", c.ID)
	}
}

func (p *program) clientList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the clients", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withOperator(cmd.Context(), func(o *operator) error {
				var all struct {
					Clients []admin.ClientView `json:"clients"`
				}
				if err := o.do(cmd.Context(), http.MethodGet, "/clients", nil, &all); err != nil {
					return err
				}
				return p.print(all, func(w *page) { clientTable(w, all.Clients) })
			})
		},
	}
}

func clientTable(w *page, clients []admin.ClientView) {
	if len(clients) == 0 {
		w.line("There is no client yet. Add one with: signet client add NAME --redirect-uri URI")
		return
	}
	w.row("CLIENT", "KIND", "GRANTS", "STATE", "TITLE")
	for _, c := range clients {
		w.row(c.ID, strings.Join(kindOf(c), ", "), strings.Join(c.Grants, ", "), state(c.Disabled), c.Title)
	}
}

func (p *program) clientShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show all that is registered of a client, its secrets excepted", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.onClient(cmd.Context(), http.MethodGet, args[0], "", nil, clientFacts)
		},
	}
}

func clientFacts(w *page, c admin.ClientView) {
	w.line("%s", c.ID)
	w.fact("title", c.Title)
	w.fact("kind", strings.Join(kindOf(c), ", "))
	w.fact("state", state(c.Disabled))
	w.fact("authentication", c.AuthMethod)
	keyFacts(w, c)
	w.fact("grants", strings.Join(c.Grants, ", "))
	w.fact("redirect URIs", strings.Join(c.RedirectURIs, "  "))
	w.fact("after signing out", strings.Join(c.PostLogoutRedirectURIs, "  "))
	logoutFacts(w, c)
	w.fact("scopes", c.Scope)
	w.fact("audience", strings.Join(c.Audience, "  "))
	w.fact("networks", cmp.Or(strings.Join(c.Networks, "  "), "any"))
	w.fact("PKCE required", yesNo(c.PKCE))
	w.fact("refresh", string(c.Refresh))
	w.fact("ID tokens", c.IDTokenAlg)
	w.fact("userinfo", cmp.Or(c.UserinfoAlg, "plain JSON"))
	w.fact("introspection", yesNo(c.Introspects))
	w.fact("logo", c.LogoURI)
	w.fact("privacy policy", c.PolicyURI)
	w.fact("terms", c.TermsURI)
	for _, t := range c.SecretsCreated {
		w.fact("secret made", moment(t))
	}
	w.fact("added", moment(c.Created))
	w.fact("changed", moment(c.Updated))
}

func (p *program) clientSet() *cobra.Command {
	var flags clientFlags
	cmd := &cobra.Command{
		Use: "set NAME [flags]", Short: "Change a client; what is not named stays as it is", DisableFlagsInUseLine: true,
		Long: "Change a client; what is not named stays as it is.\n\n" +
			"A list is replaced as a whole by the values given; an empty one empties it.",
		Example: "  signet client set shop --first-party --title \"The shop\"\n" +
			"  signet client set robot --network 10.0.0.0/8 --network fd00::/8\n" +
			"  signet client set robot --network \"\"",
		Args: takes("NAME"),
	}
	flags.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		settings, err := flags.settings(cmd)
		if err != nil {
			return err
		}
		if settings == (admin.ClientSettings{}) {
			return usage("nothing to change was named", "see: signet client set --help")
		}
		return p.onClient(cmd.Context(), http.MethodPatch, args[0], "", settings, func(w *page, c admin.ClientView) {
			w.line("Client %q was changed.", c.ID)
			if c.HasSecrets() && len(c.SecretsCreated) == 0 {
				w.line("It has no secret yet. Make one with: signet client rotate-secret %s", c.ID)
			}
		})
	}
	return cmd
}

func (p *program) clientRotateSecret() *cobra.Command {
	var in struct {
		RevokeOld bool `json:"revoke_old"`
	}
	cmd := &cobra.Command{
		Use: "rotate-secret NAME", Short: "Make a new secret; the one before stays valid until the next rotation", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withOperator(cmd.Context(), func(o *operator) error {
				var made struct {
					ID     string `json:"client_id"`
					Secret string `json:"client_secret"`
				}
				if err := o.do(cmd.Context(), http.MethodPost, clientPath(args[0])+"/secret", in, &made); err != nil {
					return err
				}
				return p.print(made, func(w *page) {
					w.fact("client_id", made.ID)
					w.fact("client_secret", made.Secret)
					before := "The one before stays valid until the next rotation; if it leaked, rotate with --revoke-old."
					if in.RevokeOld {
						before = "Every other secret of the client is dead."
					}
					w.line("\nThis secret is not shown again. %s", before)
				})
			})
		},
	}
	cmd.Flags().BoolVar(&in.RevokeOld, "revoke-old", false, "let no other secret be valid, because one may have leaked")
	return cmd
}

func (p *program) clientSwitch(verb, short, outcome string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " NAME", Short: short, Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.onClient(cmd.Context(), http.MethodPost, args[0], "/"+verb, nil, func(w *page, c admin.ClientView) {
				w.line("Client %q %s.", c.ID, outcome)
			})
		},
	}
}

func (p *program) clientRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a client for good", Args: takes("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withOperator(cmd.Context(), func(o *operator) error {
				if err := o.do(cmd.Context(), http.MethodDelete, clientPath(args[0]), nil, nil); err != nil {
					return err
				}
				return p.print(map[string]string{"removed": args[0]}, func(w *page) { w.line("Client %q was removed.", args[0]) })
			})
		},
	}
}

// onClient does one thing to one client and shows how it is then.
func (p *program) onClient(ctx context.Context, method, id, below string, in any, show func(*page, admin.ClientView)) error {
	return p.withOperator(ctx, func(o *operator) error {
		var c admin.ClientView
		if err := o.do(ctx, method, clientPath(id)+below, in, &c); err != nil {
			return err
		}
		return p.print(c, func(w *page) { show(w, c) })
	})
}

func clientPath(id string) string { return "/clients/" + url.PathEscape(id) }

func kindOf(c admin.ClientView) []string {
	kind := []string{"third-party", "confidential"}
	if c.FirstParty {
		kind[0] = "first-party"
	}
	if c.Public() {
		kind[1] = "public"
	}
	return kind
}

func state(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}
