package cli

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/keys"
)

// keyRing is the list of keys as the API has it.
type keyRing struct {
	Keys []admin.KeyView `json:"keys"`
}

func (p *program) keysCommand() *cobra.Command {
	return p.configFlag(group("keys", "Show and rotate the signing keys", p.keysList(), p.keysRotate()))
}

func (p *program) keysList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the signing keys and where each is in its life", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withOperator(cmd.Context(), func(o *operator) error {
				var ring keyRing
				if err := o.do(cmd.Context(), http.MethodGet, "/keys", nil, &ring); err != nil {
					return err
				}
				return p.print(ring, func(w *page) {
					w.row("KEY", "ALGORITHM", "STATE", "SINCE")
					for _, k := range ring.Keys {
						w.row(k.ID, string(k.Algorithm), string(k.State), since(k))
					}
				})
			})
		},
	}
}

func since(k admin.KeyView) string {
	switch k.State {
	case keys.Next:
		return moment(k.Created) + ", signs from " + moment(k.Activates)
	case keys.Active:
		return moment(k.Activated)
	case keys.Retiring:
		return moment(k.Retired)
	}
	return ""
}

func (p *program) keysRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate [ALGORITHM...]", Short: "Let a new key take over, of each algorithm named or of all in use",
		Long: "Let a new key take over, of each algorithm named or of all in use.\n\n" +
			"The new key is published now and signs when no verifier can still have a list\n" +
			"without it. Until then the present key signs, and rotating again changes nothing.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withOperator(cmd.Context(), func(o *operator) error {
				var ring keyRing
				in := map[string][]string{"algs": args}
				if err := o.do(cmd.Context(), http.MethodPost, "/keys/rotate", in, &ring); err != nil {
					return err
				}
				return p.print(ring, func(w *page) {
					for _, k := range ring.Keys {
						w.line("%s: key %s signs from %s.", k.Algorithm, k.ID, moment(k.Activates))
					}
				})
			})
		},
	}
}
