package cli

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/audit"
)

func (p *program) auditCommand() *cobra.Command {
	return p.configFlag(group("audit", "Read what ended, when and why", p.auditList()))
}

// events is one page of the audit log as the API has it.
type events struct {
	Events []audit.Event `json:"events"`
	Next   string        `json:"next,omitempty"`
}

func (p *program) auditList() *cobra.Command {
	var after string
	var limit int
	cmd := &cobra.Command{
		Use: "list [flags]", Short: "List what ended, the newest first", Args: takes(), DisableFlagsInUseLine: true,
		Long: "List what ended, the newest first.\n\n" +
			"Every session, grant, consent, token, key or client that was ended is an event,\n" +
			"with its cause and the names that it has; what ran out by itself is none. Events\n" +
			"are kept for audit.keep.",
		Example: "  signet audit list --limit 10\n" +
			"  signet audit list --json",
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "how many events, 1000 at most")
	cmd.Flags().StringVar(&after, "after", "", "go on behind this event, which is the last of the page before")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		query := url.Values{"limit": {strconv.Itoa(limit)}, "after": {after}}
		return p.withOperator(cmd.Context(), func(o *operator) error {
			var page events
			if err := o.do(cmd.Context(), http.MethodGet, "/audit?"+query.Encode(), nil, &page); err != nil {
				return err
			}
			return p.print(page, page.table)
		})
	}
	return cmd
}

func (e events) table(w *page) {
	if len(e.Events) == 0 {
		w.line("Nothing has ended that is remembered.")
		return
	}
	w.row("TIME", "WHAT", "CAUSE", "SUBJECT", "CLIENT", "NAME")
	for _, x := range e.Events {
		// The innermost of the names is that of what ended.
		w.row(second(x.Time), x.What, x.Cause, x.Subject, x.ClientID, cmp.Or(x.KeyID, x.GrantID, x.SessionID))
	}
	if e.Next != "" {
		w.line("There may be more: signet audit list --after %s", e.Next)
	}
}

// second is a moment to the second: what ended together stands together.
func second(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
