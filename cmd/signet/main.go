// Command signet is an OpenID Connect issuer: `signet serve` runs it, `signet
// demo` shows it, and `signet --help` says what else there is.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/signet-id/signet/cmd/signet/demo"
	"github.com/signet-id/signet/internal/cli"
)

// version is set by the release: -ldflags "-X main.version=v1.2.3".
var version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends a stop that takes too long
	os.Exit(cli.Run(ctx, cli.Program{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Environ: os.Environ(), Version: release(),
		Service: func(ctx context.Context, s cli.Service) error { return demo.Serve(ctx, demo.Service(s)) },
	}))
}

// release is the version that was set, or the module's.
func release() string {
	if built, ok := debug.ReadBuildInfo(); ok && version == "" && built.Main.Version != "" {
		return built.Main.Version
	}
	if version == "" {
		return "(devel)"
	}
	return version
}
