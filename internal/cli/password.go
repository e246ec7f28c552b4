package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/signet-id/signet/internal/secret"
)

// maxPassword is more than any password has, and less than a wrong file.
const maxPassword = 4 << 10

// passwordFlags say where a password comes from. It is never an argument: those
// are in the shell's history and in everybody's process list.
type passwordFlags struct{ stdin, none bool }

func (f *passwordFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.stdin, "password-stdin", false, "read the password from standard input instead of asking for it")
}

// readPassword returns the password that the flags point at; login is whose it
// is.
func (p *program) readPassword(ctx context.Context, f passwordFlags, login string) (secret.Value, error) {
	switch {
	case f.none && f.stdin:
		return secret.Value{}, usage("--password-stdin and --no-password exclude each other", "")
	case f.none:
		return secret.Value{}, nil
	case f.stdin:
		return p.passwordFromInput()
	}
	terminal, ok := p.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return secret.Value{}, usage("a password is needed, and there is no terminal to ask for it", "pipe it in with --password-stdin")
	}
	first, err := p.askHidden(ctx, terminal, "Password for "+login+": ")
	if err != nil {
		return secret.Value{}, err
	}
	second, err := p.askHidden(ctx, terminal, "Once more: ")
	if err != nil {
		return secret.Value{}, err
	}
	if !first.Equal(second) {
		return secret.Value{}, usage("the two passwords differ, or are empty", "")
	}
	return first, nil
}

// passwordFromInput reads the input to its end. A final line break is the
// editor's and not the password's.
func (p *program) passwordFromInput() (secret.Value, error) {
	raw, err := io.ReadAll(io.LimitReader(p.Stdin, maxPassword+1))
	if err != nil {
		return secret.Value{}, fmt.Errorf("reading the password: %w", err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
	switch {
	case text == "":
		return secret.Value{}, usage("standard input holds no password", "")
	case len(raw) > maxPassword || strings.ContainsAny(text, "\r\n"):
		return secret.Value{}, usage("standard input holds more than one line", "write the password alone")
	}
	return secret.New(text), nil
}

// askHidden asks on the terminal without an echo. A read of a terminal cannot be
// interrupted, so when ctx ends the echo is restored and the goroutine left to
// end with the process, which is about to.
func (p *program) askHidden(ctx context.Context, terminal *os.File, question string) (secret.Value, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return secret.Value{}, fmt.Errorf("asking for the password: %w", err)
	}
	_, _ = fmt.Fprint(p.Stderr, question) // a question that nobody sees is still answered
	type reply struct {
		text []byte
		err  error
	}
	typed := make(chan reply, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		typed <- reply{text, err}
	}()
	select {
	case <-ctx.Done():
		return secret.Value{}, errors.Join(errors.New("interrupted"), term.Restore(fd, before))
	case r := <-typed:
		_, _ = fmt.Fprintln(p.Stderr) // the one that was typed is not echoed
		if r.err != nil {
			return secret.Value{}, fmt.Errorf("reading the password: %w", r.err)
		}
		return secret.New(string(r.text)), nil
	}
}
