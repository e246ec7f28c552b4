package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/signet-id/signet/internal/app"
	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/secret"
	"github.com/signet-id/signet/internal/store"
	"github.com/signet-id/signet/internal/store/transfer"
)

func (p *program) storeCommand() *cobra.Command {
	return p.configFlag(group("store", "Back up, restore, check and move the store",
		p.storeBackup(), p.storeRestore(), p.storeCheck(), p.storeCopy()))
}

// place is a store that a command opened, and what to call it.
type place struct {
	store.Store
	name  string
	alone bool // nobody else has it open
}

// quiet is where an engine's own complaints go.
func (p *program) quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(p.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// source opens a store to be read: that of the configuration, or that of a URL. A
// file that a server holds is read through the server.
func (p *program) source(ctx context.Context, from, passwordFile string) (*place, error) {
	cfg := config.Config{Store: from}
	if from == "" {
		configured, err := p.config()
		if err != nil {
			return nil, err
		}
		cfg = configured
	} else if _, err := config.ParseEngine(from); err != nil {
		return nil, usage(problemOf(err), "write --from bolt:///var/lib/signet/signet.db, postgres://… or etcd://…")
	}
	e := cfg.Engine().WithPassword(secret.Value{}, passwordFile)
	if e.Shared() {
		s, err := app.OpenEngine(ctx, e, p.quiet())
		if err != nil {
			return nil, err
		}
		return &place{s, e.Name(), false}, nil
	}
	o, err := p.connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if o != nil {
		return &place{newSocketStore(o), e.Name(), false}, nil
	}
	if _, err := os.Stat(e.Path); errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.NotFound, err, "there is no store %s", e.Name())
	}
	s, err := app.OpenEngine(ctx, e, p.quiet())
	if err != nil {
		return nil, withHint(err, "if a server uses it, leave --from out and name that server's configuration with --config")
	}
	return &place{s, e.Name(), true}, nil
}

// target opens a store to be filled: no server may use it.
func (p *program) target(ctx context.Context, e config.Engine) (*place, error) {
	s, err := app.OpenEngine(ctx, e, p.quiet())
	if err != nil {
		return nil, err
	}
	return &place{s, e.Name(), true}, nil
}

func problemOf(err error) string {
	var problems config.Problems
	if errors.As(err, &problems) && len(problems) > 0 {
		return problems[0].Text + "; " + problems[0].Fix
	}
	return err.Error()
}

// telling shows progress to whoever waits, a line a second at most.
func (p *program) telling() transfer.Tell {
	var last time.Time
	stage := ""
	return func(now transfer.Progress) {
		if now.Stage == stage && time.Since(last) < time.Second {
			return
		}
		stage, last = now.Stage, time.Now()
		p.note("%s: %d records so far, %d of them new or different, at %s", now.Stage, now.Records, now.Changed, printable(now.At))
	}
}

func (p *program) storeCopy() *cobra.Command {
	var from, to, fromPassword, toPassword string
	var o transfer.CopyOptions
	cmd := &cobra.Command{
		Use: "copy --to URL [flags]", Short: "Copy the store to another engine, while it is used", DisableFlagsInUseLine: true,
		Long: "Copy the store to another engine, while it is used, and compare every record.\n\n" +
			"At the end the source takes no changes for the time of --freeze, and keeps being\n" +
			"read: people who sign in then are asked to try again. When the command is done,\n" +
			"point the servers at the target and restart them before the freeze ends; what\n" +
			"the source takes afterwards is not in the target. With --freeze 0 nothing is\n" +
			"frozen: a rehearsal, which the next copy brings up to date.\n\n" +
			"It can be repeated at any time until a server was started on the target, and\n" +
			"writes only what differs. The key-encryption key is not in the store: the\n" +
			"servers need the same one there.",
		Example: "  signet store copy --to postgres://signet@db.example.com/signet --to-password-file pw --freeze 0\n" +
			"  signet store copy --to postgres://signet@db.example.com/signet --to-password-file pw",
		Args: takes(),
	}
	flags := cmd.Flags()
	flags.StringVar(&from, "from", "", "the store to copy (default: that of the configuration)")
	flags.StringVar(&to, "to", "", "the store to fill: bolt:///path, postgres://… or etcd://…")
	flags.StringVar(&fromPassword, "from-password-file", "", "the file with the password of the user in --from")
	flags.StringVar(&toPassword, "to-password-file", "", "the file with the password of the user in --to")
	flags.DurationVar(&o.Freeze, "freeze", 2*time.Minute, "for how long the source takes no changes at the end")
	flags.BoolVar(&o.Force, "force", false, "replace everything that the target holds")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		switch {
		case to == "":
			return usage("--to is missing", synopsis(cmd))
		case o.Freeze < 0 || o.Freeze > transfer.MaxFreeze:
			return usage(fmt.Sprintf("--freeze is from 0 to %s", transfer.MaxFreeze), synopsis(cmd))
		}
		e, err := config.ParseEngine(to)
		if err != nil {
			return usage("--to "+problemOf(err), synopsis(cmd))
		}
		source, err := p.source(cmd.Context(), from, fromPassword)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, source.Close()) }()
		target, err := p.target(cmd.Context(), e.WithPassword(secret.Value{}, toPassword))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, target.Close()) }()
		o.Alone, o.Journals, o.Tell = source.alone, app.Journals(), p.telling()
		done, err := transfer.Copy(cmd.Context(), source, target, o)
		if err != nil {
			return err
		}
		return p.printCopied(source, target, done)
	}
	return cmd
}

func (p *program) printCopied(source, target *place, done transfer.Copied) error {
	view := struct {
		From    string    `json:"from"`
		To      string    `json:"to"`
		Records int       `json:"records"`
		Changes int       `json:"changes"`
		Held    float64   `json:"frozen_seconds"`
		Frozen  time.Time `json:"frozen_until,omitzero"`
	}{source.name, target.name, done.Records, done.Changes, done.Held.Seconds(), done.Frozen}
	return p.print(view, func(w *page) {
		w.line("Copied %s to %s: %d records, each compared with its copy.", source.name, target.name, done.Records)
		switch {
		case !done.Frozen.IsZero():
			w.line("%s takes no changes until %s. Point the servers at the copy and restart them by then;", source.name, done.Frozen.UTC().Format("15:04:05 MST"))
			w.line("what it takes afterwards is not in the copy. To go on using it, do nothing.")
		case !source.alone:
			w.line("Nothing was frozen: what is written from now on is not in the copy. Copy again to bring it up to date.")
		}
		w.line("The servers need the same key-encryption key there: it is not in the store.")
	})
}

func (p *program) storeCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Read every record of the store, and say what is wrong", Args: takes(),
		Long: "Read every record of the store, and say what is wrong. Nothing is changed, and a\n" +
			"server may use the store meanwhile. A bolt store that no server holds is also\n" +
			"read page by page.",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			source, err := p.source(cmd.Context(), "", "")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, source.Close()) }()
			report, err := transfer.Check(cmd.Context(), source, app.Decoders(), p.telling())
			if err != nil {
				return err
			}
			return p.printCheck(source, report)
		},
	}
}

func (p *program) printCheck(source *place, report transfer.Report) error {
	total := 0
	for _, n := range report.Records {
		total += n
	}
	findings := report.Findings
	if findings == nil {
		findings = []transfer.Finding{}
	}
	view := map[string]any{"store": source.name, "records": report.Records, "findings": findings, "more": report.More}
	err := p.print(view, func(w *page) {
		for _, f := range findings {
			w.line("%s: %s", f.Key, f.Wrong)
		}
		if report.More > 0 {
			w.line("… and %d more.", report.More)
		}
		if len(findings) == 0 {
			w.line("%s is sound: %d records were read.", source.name, total)
		}
	})
	if wrong := len(findings) + report.More; err == nil && wrong > 0 {
		err = fmt.Errorf("%d of %d records can't be read", wrong, total)
	}
	return err
}
