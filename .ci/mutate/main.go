// Command mutate owns the proof that the tests guard the security checks: it takes
// one check after the other out of a copy of the tree and demands that a test,
// named beforehand, goes red.
//
//	checks/*.txt ──▶ the list
//	working tree ──copy──▶ baseline: every named test is there, and green
//	                  └──▶ each mutation: edit ──compile──▶ test ──red──▶ undo
//
// It fails when the text that it would change is not found exactly once, when the
// change does not compile, and when the test stays green: so neither the list nor
// the tests can rot. It never touches the tree that it was started in, but for
// docs/mutations.md, which a complete run writes anew.
//
//	go run ./.ci/mutate                 everything
//	go run ./.ci/mutate -only seal      what has a name, file or test that matches
//	go run ./.ci/mutate -check          no test: whether the list fits the tree
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"time"
)

// report is where a complete run writes.
const report = "docs/mutations.md"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	only := flags.String("only", "", "only mutations whose name, file or test matches this regular expression")
	check := flags.Bool("check", false, "see whether every text to be changed is there, and stop")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("reading -only: %w", err)
	}
	if _, err := os.Stat("go.mod"); err != nil {
		return errors.New("start it in the module's own folder")
	}
	all, err := readAll()
	if err != nil {
		return err
	}
	var chosen []mutation
	for _, m := range all {
		if wanted.MatchString(m.name) || wanted.MatchString(m.file) || wanted.MatchString(m.test) {
			chosen = append(chosen, m)
		}
	}
	if *check {
		return bench{"."}.check(chosen)
	}
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a stray copy harms nobody
	if err := copyTree(".", dir); err != nil {
		return fmt.Errorf("copying the tree: %w", err)
	}
	b := bench{dir}
	if err := b.check(chosen); err != nil {
		return err
	}
	fmt.Printf("%d mutations; the tests that guard them are green without\n", len(chosen))
	if err := b.baseline(ctx, chosen); err != nil {
		return err
	}
	if err := b.tryAll(ctx, chosen); err != nil {
		return err
	}
	if len(chosen) < len(all) {
		return nil
	}
	return os.WriteFile(filepath.FromSlash(report), markdown(chosen), 0o644) //nolint:gosec // for everybody to read
}

// tryAll goes on after a failure, so that one run tells everything.
func (b bench) tryAll(ctx context.Context, chosen []mutation) error {
	var errs []error
	for _, m := range chosen {
		began := time.Now()
		err := b.try(ctx, m)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		outcome := "red"
		if err != nil {
			outcome = "FAILED"
			errs = append(errs, fmt.Errorf("%s (%s): %w", m.name, m.file, err))
		}
		fmt.Printf("%-6s %4.0f s  %-58s %s\n", outcome, time.Since(began).Seconds(), m.name, m.test)
	}
	return errors.Join(errs...)
}
