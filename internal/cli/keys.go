package cli

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/admin"
	"github.com/signet-id/signet/keys"
)

// keyRing is the list of keys as the API has it.
type keyRing struct {
	Keys []admin.KeyView `json:"keys"`
}

func (p *program) keysCommand() *cobra.Command {
	return p.configFlag(group("keys", "Show, rotate and remove the signing keys",
		p.keysList(), p.keysRotate(), p.keysCompromise()))
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

func (p *program) keysCompromise() *cobra.Command {
	return &cobra.Command{
		Use: "compromise KID", Short: "Remove a key that somebody else may have, and end all that it signed", Args: takes("KID"),
		Long: "Remove a key that somebody else may have, and end all that it signed.\n\n" +
			"The key leaves the published list now, and a successor signs if it was active.\n" +
			"Services that follow endings refuse its tokens within a second; others when they\n" +
			"fetch the keys again, after keys.jwks_max_age at the latest. People stay signed\n" +
			"in, and their clients get new tokens by refreshing. To replace a key that nobody\n" +
			"else has: signet keys rotate",
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withOperator(cmd.Context(), func(o *operator) error {
				var left struct {
					Compromised admin.KeyView `json:"compromised"`
					keyRing
				}
				if err := o.do(cmd.Context(), http.MethodPost, "/keys/"+url.PathEscape(args[0])+"/compromise", nil, &left); err != nil {
					return err
				}
				return p.print(left, func(w *page) { afterCompromise(w, left.Compromised, left.Keys) })
			})
		},
	}
}

func afterCompromise(w *page, gone admin.KeyView, left []admin.KeyView) {
	w.line("Key %s is removed, and every token that it signed has ended. It was %s.", gone.ID, gone.State)
	for _, k := range left {
		if k.Algorithm == gone.Algorithm && k.State == keys.Active {
			w.line("%s: key %s signs now.", k.Algorithm, k.ID)
		}
	}
	w.line("Services that do not follow endings refuse its tokens when they fetch the keys again.")
}
