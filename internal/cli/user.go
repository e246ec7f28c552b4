package cli

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/admin"
)

func (p *program) userCommand() *cobra.Command {
	return p.configFlag(group("user", "Add and change users: the people who sign in",
		p.userAdd(), p.userList(), p.userShow(), p.userSet(), p.userSetPassword(), p.userSetRoles(),
		p.userSwitch("disable", "Keep a user from signing in, and end all their sessions now", "is disabled; all their sessions have ended"),
		p.userSwitch("enable", "Let a disabled user sign in again", "may sign in again"),
		p.userRemove(),
	))
}

func (p *program) userAdd() *cobra.Command {
	var flags userFlags
	var password passwordFlags
	cmd := &cobra.Command{
		Use: "add LOGIN [flags]", Short: "Add a user", DisableFlagsInUseLine: true,
		Example: "  signet user add alice --name \"Alice Ahlgren\" --email alice@example.com --role admin\n" +
			"  signet user add bob --password-stdin < bobs-first-password",
		Args: takes("LOGIN"),
	}
	flags.add(cmd)
	password.add(cmd)
	cmd.Flags().BoolVar(&password.none, "no-password", false, "set none: the user can't sign in with a password yet")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		settings := flags.settings(cmd)
		settings.Login = &args[0]
		chosen, err := p.readPassword(cmd.Context(), password, args[0])
		if err != nil {
			return err
		}
		in := struct {
			admin.UserSettings
			Password string `json:"password,omitempty"`
		}{settings, chosen.Reveal()}
		return p.withOperator(cmd.Context(), func(o *operator) error {
			var made admin.UserView
			if err := o.do(cmd.Context(), http.MethodPost, "/users", in, &made); err != nil {
				return err
			}
			return p.print(made, func(w *page) {
				w.line("User %q was added; services know them as %s.", made.Login, made.Subject)
				if !made.HasPassword {
					w.line("They have no password yet. Set one with: signet user set-password %s", made.Login)
				}
			})
		})
	}
	return cmd
}

func (p *program) userList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the users", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withOperator(cmd.Context(), func(o *operator) error {
				all, err := o.users(cmd.Context())
				if err != nil {
					return err
				}
				return p.print(map[string]any{"users": all}, func(w *page) { userTable(w, all) })
			})
		},
	}
}

// users reads every page of the list.
func (o *operator) users(ctx context.Context) ([]admin.UserView, error) {
	all := []admin.UserView{}
	after := ""
	for {
		var page struct {
			Users []admin.UserView `json:"users"`
			Next  string           `json:"next"`
		}
		if err := o.do(ctx, http.MethodGet, "/users?after="+url.QueryEscape(after), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Users...)
		if page.Next == "" {
			// The store's order is that of random subjects, which is none to people.
			slices.SortFunc(all, func(a, b admin.UserView) int { return strings.Compare(a.Login, b.Login) })
			return all, nil
		}
		after = page.Next
	}
}

func userTable(w *page, users []admin.UserView) {
	if len(users) == 0 {
		w.line("There is no user yet. Add one with: signet user add LOGIN")
		return
	}
	w.row("LOGIN", "NAME", "E-MAIL", "ROLES", "STATE", "SUBJECT")
	for _, u := range users {
		w.row(u.Login, u.Name, u.Email, strings.Join(u.Roles, ", "), state(u.Disabled), u.Subject)
	}
}

func (p *program) userShow() *cobra.Command {
	return &cobra.Command{
		Use: "show LOGIN", Short: "Show a user, by login or subject", Args: takes("LOGIN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.onUser(cmd.Context(), http.MethodGet, args[0], "", nil, userFacts)
		},
	}
}

func userFacts(w *page, u admin.UserView) {
	w.line("%s", u.Login)
	w.fact("subject", u.Subject)
	w.fact("name", u.Name)
	w.fact("given name", u.GivenName)
	w.fact("family name", u.FamilyName)
	profileFacts(w, u)
	if u.Email != "" {
		w.fact("e-mail", u.Email)
		w.fact("verified", yesNo(u.EmailVerified))
	}
	w.fact("roles", strings.Join(u.Roles, ", "))
	w.fact("groups", strings.Join(u.Groups, ", "))
	w.fact("state", state(u.Disabled))
	if !u.HasPassword {
		w.fact("password", "none")
	}
	w.fact("password set", moment(u.PasswordChanged))
	w.fact("added", moment(u.Created))
	w.fact("changed", moment(u.Updated))
}

func (p *program) userSet() *cobra.Command {
	var flags userFlags
	cmd := &cobra.Command{
		Use: "set LOGIN [flags]", Short: "Change a user; what is not named stays as it is", DisableFlagsInUseLine: true,
		Example: "  signet user set alice --email alice@example.org --email-verified\n" +
			"  signet user set alice --login alice.ahlgren\n" +
			"  signet user set alice --group \"\"",
		Args: takes("LOGIN"),
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&flags.login, "login", "", "another login; services see no difference")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		settings := flags.settings(cmd)
		if settings == (admin.UserSettings{}) {
			return usage("nothing to change was named", "see: signet user set --help")
		}
		return p.changeUser(cmd.Context(), http.MethodPatch, args[0], "", settings, "was changed")
	}
	return cmd
}

func (p *program) userSetPassword() *cobra.Command {
	var password passwordFlags
	cmd := &cobra.Command{
		Use: "set-password LOGIN", Short: "Set another password, and end all sessions of the user", Args: takes("LOGIN"),
	}
	password.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		chosen, err := p.readPassword(cmd.Context(), password, args[0])
		if err != nil {
			return err
		}
		in := map[string]string{"password": chosen.Reveal()}
		return p.changeUser(cmd.Context(), http.MethodPost, args[0], "/password", in, "has another password; all their sessions have ended")
	}
	return cmd
}

func (p *program) userSetRoles() *cobra.Command {
	return &cobra.Command{
		Use: "set-roles LOGIN [ROLE...]", Short: "Replace all roles of a user; with none, take them away",
		Long: "Replace all roles of a user; with none, take them away.\n\n" +
			"When a role is taken away, the access tokens that speak of roles or groups end at\n" +
			"once. Sessions go on, and the next tokens say what is true.",
		Args: takesAtLeast("LOGIN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			roles := args[1:]
			outcome := "has the roles " + strings.Join(roles, ", ")
			if len(roles) == 0 {
				outcome = "has no role any more"
			}
			return p.changeUser(cmd.Context(), http.MethodPatch, args[0], "", admin.UserSettings{Roles: &roles},
				outcome+"; access tokens that speak of one that was taken away have ended")
		},
	}
}

func (p *program) userSwitch(verb, short, outcome string) *cobra.Command {
	return &cobra.Command{
		Use: verb + " LOGIN", Short: short, Args: takes("LOGIN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.changeUser(cmd.Context(), http.MethodPost, args[0], "/"+verb, nil, outcome)
		},
	}
}

func (p *program) userRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove LOGIN", Short: "Remove a user for good, and end all their sessions now", Args: takes("LOGIN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withOperator(cmd.Context(), func(o *operator) error {
				if err := o.do(cmd.Context(), http.MethodDelete, userPath(args[0]), nil, nil); err != nil {
					return err
				}
				return p.print(map[string]string{"removed": args[0]}, func(w *page) {
					w.line("User %q was removed; all their sessions have ended.", args[0])
				})
			})
		},
	}
}

func (p *program) changeUser(ctx context.Context, method, ref, below string, in any, outcome string) error {
	return p.onUser(ctx, method, ref, below, in, func(w *page, u admin.UserView) {
		w.line("User %q %s.", u.Login, outcome)
	})
}

// onUser does one thing to one user and shows how they are then.
func (p *program) onUser(ctx context.Context, method, ref, below string, in any, show func(*page, admin.UserView)) error {
	return p.withOperator(ctx, func(o *operator) error {
		var u admin.UserView
		if err := o.do(ctx, method, userPath(ref)+below, in, &u); err != nil {
			return err
		}
		return p.print(u, func(w *page) { show(w, u) })
	})
}

func userPath(ref string) string { return "/users/" + url.PathEscape(ref) }
