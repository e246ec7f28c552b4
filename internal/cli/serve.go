package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/app"
)

func (p *program) serveCommand() *cobra.Command {
	return p.configFlag(&cobra.Command{
		Use: "serve", Short: "Run the issuer", Args: takes(),
		Long: "Run the issuer until it is told to stop (SIGINT or SIGTERM); requests under way\n" +
			"are finished. The log goes to standard error, as lines of JSON.",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx := cmd.Context()
			cfg, err := p.config()
			if err != nil {
				return err
			}
			if err := cfg.Check(); err != nil {
				return err
			}
			issuer, err := app.New(ctx, cfg, app.Options{Version: p.Version, Log: p.Stderr, AwaitEngine: true})
			if errors.Is(err, context.Canceled) {
				return nil // it was told to stop while it waited for its store
			}
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, issuer.Close()) }()
			address, err := issuer.Listen(ctx)
			if err != nil {
				return err
			}
			defer Reserve(p.Environ)()
			p.note("%s is served on %s; this server's commands come through %s", cfg.Issuer, address, cfg.SocketPath())
			return issuer.Run(ctx)
		},
	})
}
