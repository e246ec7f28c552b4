package cli

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/admin"
)

func (p *program) outboxCommand() *cobra.Command {
	return p.configFlag(group("outbox", "Show the clients that are still to be told of a logout", p.outboxList(), p.outboxRetry()))
}

func (p *program) outboxList() *cobra.Command {
	var givenUp bool
	cmd := &cobra.Command{
		Use: "list [flags]", Short: "List the logout calls that were not delivered yet", DisableFlagsInUseLine: true,
		Long: "List the logout calls that were not delivered yet: those that were given up, and\n" +
			"then those that wait, the next one to be tried first.\n\n" +
			"A call is tried again after a second, then after twice as long each time, up to\n" +
			"ten minutes. After three days of failures it is given up, and kept for a month.",
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withOperator(cmd.Context(), func(o *operator) error {
				calls, err := o.calls(cmd.Context(), givenUp)
				if err != nil {
					return err
				}
				return p.print(map[string]any{"calls": calls}, func(w *page) { callTable(w, calls, givenUp) })
			})
		},
	}
	cmd.Flags().BoolVar(&givenUp, "given-up", false, "only those that are not tried any more")
	return cmd
}

// calls reads every page of the list.
func (o *operator) calls(ctx context.Context, givenUp bool) ([]admin.CallView, error) {
	all := []admin.CallView{}
	query := url.Values{"given_up": {strconv.FormatBool(givenUp)}}
	for {
		var page struct {
			Calls []admin.CallView `json:"calls"`
			Next  string           `json:"next"`
		}
		if err := o.do(ctx, http.MethodGet, "/outbox?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Calls...)
		if page.Next == "" {
			return all, nil
		}
		query.Set("after", page.Next)
	}
}

func callTable(w *page, calls []admin.CallView, givenUp bool) {
	switch {
	case len(calls) == 0 && givenUp:
		w.line("No logout call was given up.")
		return
	case len(calls) == 0:
		w.line("Every client has been told of every logout.")
		return
	}
	w.row("ID", "CLIENT", "SUBJECT", "SESSION", "ATTEMPTS", "STATE", "LAST ERROR")
	for _, c := range calls {
		state := "next try " + moment(c.Next)
		if !c.GivenUp.IsZero() {
			state = "given up " + moment(c.GivenUp)
		}
		session := c.SessionID
		if session == "" {
			session = "all"
		}
		w.row(c.ID, c.ClientID, c.Subject, session, strconv.Itoa(c.Attempts), state, c.Error)
	}
}

func (p *program) outboxRetry() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "retry [ID...] [flags]", Short: "Try logout calls now, and as if they were new", DisableFlagsInUseLine: true,
		Long: "Try logout calls now, and as if they were new: those named, whether they wait or\n" +
			"were given up, or with --all every one that was given up. When no server runs,\n" +
			"they are tried as soon as one does.",
		Example: "  signet outbox retry --all",
	}
	cmd.Flags().BoolVar(&all, "all", false, "every call that was given up")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case all && len(args) > 0:
			return usage("--all and an ID exclude each other", synopsis(cmd))
		case !all && len(args) == 0:
			return usage("ID is missing", "name the calls, or write: signet outbox retry --all")
		}
		in := struct {
			IDs []string `json:"ids,omitempty"`
			All bool     `json:"all,omitempty"`
		}{args, all}
		return p.withOperator(cmd.Context(), func(o *operator) error {
			var out struct {
				Retried int `json:"retried"`
			}
			if err := o.do(cmd.Context(), http.MethodPost, "/outbox/retry", in, &out); err != nil {
				return err
			}
			return p.print(out, func(w *page) {
				switch out.Retried {
				case 0:
					w.line("No logout call was given up.")
				case 1:
					w.line("One call is tried now; see: signet outbox list")
				default:
					w.line("%d calls are tried now; see: signet outbox list", out.Retried)
				}
			})
		})
	}
	return cmd
}
