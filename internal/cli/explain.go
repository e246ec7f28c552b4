package cli

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/refusal"
)

func (p *program) explainCommand() *cobra.Command {
	return p.configFlag(&cobra.Command{
		Use: "explain ID", Short: "Explain why a request was refused",
		Long: "Explain why a request was refused: what was sent, against what is registered.\n\n" +
			"The ID stands at the end of the error's description and on error pages. The\n" +
			"running server remembers the latest refusals until it stops.",
		Args: takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withServer(cmd.Context(), "only a running server remembers what it refused", func(o *operator) error {
				var e refusal.Entry
				if err := o.do(cmd.Context(), http.MethodGet, "/refusals/"+url.PathEscape(args[0]), nil, &e); err != nil {
					return err
				}
				return p.print(e, func(w *page) { explain(w, e) })
			})
		},
	})
}

func explain(w *page, e refusal.Entry) {
	w.line("%s at %s, from %s: %s", e.Route, moment(e.Time), e.Address, e.Code)
	w.line("%s", e.Description)
	if e.Cause != "" {
		w.line("Cause: %s", e.Cause)
	}
	w.line("")
	w.row("PARAMETER", "SENT", "REGISTERED")
	names := slices.Sorted(maps.Keys(e.Sent))
	for name := range e.Registered {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		w.row(name, strings.Join(e.Sent[name], " "), strings.Join(e.Registered[name], " "))
	}
	w.line("")
	w.line("What to do: %s", e.Reason.Page())
}
