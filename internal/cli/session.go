package cli

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/internal/pages"
)

func (p *program) sessionCommand() *cobra.Command {
	return p.configFlag(group("session", "Show where a user is signed in, and end it", p.sessionList(), p.sessionEnd()))
}

// signedIn is the list of a user's sessions as the API has it.
type signedIn struct {
	Sessions []admin.SessionView `json:"sessions"`
}

func (p *program) sessionList() *cobra.Command {
	return &cobra.Command{
		Use: "list LOGIN", Short: "List the browsers in which a user is signed in, the one seen last first", Args: takes("LOGIN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withOperator(cmd.Context(), func(o *operator) error {
				var list signedIn
				if err := o.do(cmd.Context(), http.MethodGet, sessionsPath(args[0]), nil, &list); err != nil {
					return err
				}
				// The store's order is that of random names, which is none to people.
				slices.SortStableFunc(list.Sessions, func(a, b admin.SessionView) int { return b.Seen.Compare(a.Seen) })
				return p.print(list, func(w *page) { sessionTable(w, args[0], list.Sessions) })
			})
		},
	}
}

func sessionTable(w *page, login string, sessions []admin.SessionView) {
	if len(sessions) == 0 {
		w.line("User %q is not signed in anywhere.", login)
		return
	}
	w.row("SID", "SINCE", "LAST SEEN", "ADDRESS", "DEVICE", "CLIENTS")
	for _, s := range sessions {
		w.row(s.ID, moment(s.Since), moment(s.Seen), s.Address, pages.Device(s.Agent), strings.Join(s.Clients, ", "))
	}
}

func (p *program) sessionEnd() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "end LOGIN {SID | --all}", Short: "End one session of a user, or all that they have begun", DisableFlagsInUseLine: true,
		Long: "End one session of a user, or all that they have begun.\n\n" +
			"With SID that browser is signed out: the refresh and access tokens which clients\n" +
			"got in it end, but for those that a client holds offline. --all ends every\n" +
			"session and every grant of the user, offline ones included. They may sign in\n" +
			"again; to keep them out: signet user disable LOGIN",
		Example: "  signet session list alice\n" +
			"  signet session end alice hQz0aT9mRr6m3u4o0Zk1Xw\n" +
			"  signet session end alice --all",
	}
	cmd.Flags().BoolVar(&all, "all", false, "every session and every grant, those that clients hold offline included")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case all && len(args) > 1:
			return usage("--all ends every session, so none is named", synopsis(cmd))
		case all:
			return takes("LOGIN")(cmd, args)
		case len(args) == 1 || len(args) == 2 && args[1] == "":
			return usage("SID is missing", "see: signet session list "+args[0]+"; or end all of them with --all")
		}
		return takes("LOGIN", "SID")(cmd, args)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ended, path := "all", sessionsPath(args[0])
		if !all {
			ended, path = args[1], path+"/"+url.PathEscape(args[1])
		}
		return p.withOperator(cmd.Context(), func(o *operator) error {
			if err := o.do(cmd.Context(), http.MethodDelete, path, nil, nil); err != nil {
				return err
			}
			return p.print(map[string]string{"user": args[0], "ended": ended}, func(w *page) {
				if all {
					w.line("All sessions and grants of user %q have ended, offline ones included. They may sign in again.", args[0])
				} else {
					w.line("Session %s of user %q has ended, with the grants that began in it.", ended, args[0])
				}
			})
		})
	}
	return cmd
}

func sessionsPath(ref string) string { return userPath(ref) + "/sessions" }
