// Package cli owns the commands: what they are called, what they take, what they
// print and how they end.
//
//	serve, demo, dev ───────────────▶ app: composes an issuer and runs it
//	client, user, session,
//	keys, audit, outbox ─────HTTP──▶ the running server's socket
//	                      └────────▶ app's own handler, when no server runs
//	store ──────────────────────────▶ the engine, or the server that holds it
//	config, version ────────────────▶ nothing is opened
//
// The operator's commands have one code path: they speak to the admin API, and
// only the transport differs. Output for people is short sentences and aligned
// tables on stdout; --json is for programs. Errors are one "error:" line on
// stderr with what to do about it; the program ends with 0, 1 (it did not work)
// or 2 (it was called wrongly).
//
// It never holds a rule about clients, users or keys, and shows a secret only in
// the answer to the command that made it.
package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"time"

	"github.com/spf13/cobra"
)

// Program is one run of signet, with all that it may touch of the process.
type Program struct {
	Args    []string // without the program's name
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Environ []string
	Version string

	// Service runs one service of the demo until ctx ends. It is called once per
	// service, each time in a goroutine of its own. Without it the demo is an
	// issuer alone.
	Service func(ctx context.Context, s Service) error
}

// Service is what the demo tells one of its services about itself and the other.
// The client is first-party and must use PKCE; URL/callback and URL/ are where
// people return to from signing in and out. Its API is /api/<Name>, asks for the
// scope <Name>:read, and URL is the audience of its tokens.
type Service struct {
	Name     string // orders or invoices
	Listener net.Listener
	// URL is where the listener is reached, without a final slash.
	URL, ClientID, ClientSecret, Issuer, PeerName, PeerURL string

	// Terminal is where the service tells people what it has seen; nil: nowhere.
	Terminal io.Writer
	// Ended says when the issuer ended a session, by its own log.
	Ended func(ctx context.Context, sid string) (time.Time, error)
}

// The exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// Run carries out one command until it is done or ctx ends, and returns the
// program's exit code.
func Run(ctx context.Context, p Program) int {
	cli := &program{Program: p}
	root := cli.root()
	root.SetArgs(p.Args)
	cmd, err := root.ExecuteContextC(ctx)
	return cli.report(cmd, err)
}

// program is a Program with the flags that every command has.
type program struct {
	Program
	json       bool
	configFile string
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "signet",
		Short: "An OpenID Connect issuer: issue once, verify anywhere, end everywhere",
		Long: "Signet is an OpenID Connect issuer.\n\n" +
			"To look around:        signet demo\n" +
			"For your own tests:    signet dev --client myapp=http://localhost:3000/callback\n" +
			"In production:         signet serve --config signet.yaml",
		Args:                       cobra.ArbitraryArgs,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: suggestionDistance,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().BoolVar(&p.json, "json", false, "print JSON, for programs")
	root.AddCommand(
		p.serveCommand(), p.demoCommand(), p.devCommand(),
		p.clientCommand(), p.userCommand(), p.sessionCommand(), p.keysCommand(), p.auditCommand(), p.outboxCommand(), p.storeCommand(),
		p.explainCommand(), p.configCommand(),
		p.versionCommand(),
	)
	return root
}

// group is a command that is nothing without one of its children.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{
		Use: use, Short: short,
		Args:                       cobra.ArbitraryArgs,
		SuggestionsMinimumDistance: suggestionDistance,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return missingCommand(cmd)
			}
			return unknownCommand(cmd, args[0])
		},
	}
	g.AddCommand(children...)
	return g
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which release this is", Args: takes(),
		RunE: func(*cobra.Command, []string) error {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			view := struct {
				Version  string `json:"version"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{p.Version, runtime.Version(), platform}
			return p.print(view, func(w *page) {
				w.line("signet %s (%s, %s)", p.Version, runtime.Version(), platform)
			})
		},
	}
}

// takes demands exactly the arguments named.
func takes(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage(fmt.Sprintf("%s is missing", names[len(args)]), synopsis(cmd))
		case len(args) > len(names):
			return usage(fmt.Sprintf("%q is one argument too many", args[len(names)]), synopsis(cmd))
		}
		return nil
	}
}

// takesAtLeast is takes, with any number of arguments behind those named.
func takesAtLeast(names ...string) cobra.PositionalArgs {
	exactly := takes(names...)
	return func(cmd *cobra.Command, args []string) error {
		return exactly(cmd, args[:min(len(args), len(names))])
	}
}

func synopsis(cmd *cobra.Command) string { return "write: " + cmd.UseLine() }
