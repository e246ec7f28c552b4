package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/signet-id/signet/internal/config"
	"github.com/signet-id/signet/internal/fault"
)

// suggestionDistance is how many slips of the hand a suggestion forgives.
const suggestionDistance = 2

// usageError means that the command was called wrongly: nothing was attempted.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// hinted is an error with what to do about it.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

func usage(text, hint string) error { return hinted{usageError{text}, hint} }

func withHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return hinted{err, fmt.Sprintf(format, args...)}
}

// report prints what went wrong, if anything did, and returns the exit code.
func (p *program) report(cmd *cobra.Command, err error) int {
	if err == nil {
		return exitOK
	}
	var b strings.Builder
	b.WriteString("error: " + describe(cmd, err) + "\n")
	var with hinted
	if errors.As(err, &with) && with.hint != "" {
		b.WriteString("hint: " + with.hint + "\n")
	}
	_, _ = p.Stderr.Write([]byte(b.String())) // when this fails there is nobody to tell
	var wrong usageError
	if errors.As(err, &wrong) {
		return exitUsage
	}
	return exitError
}

// describe puts an error into words for the person at the terminal, who is the
// operator: nothing is kept from them, but causes that a message already covers
// are left out.
func describe(cmd *cobra.Command, err error) string {
	var problems config.Problems
	if errors.As(err, &problems) {
		return describeProblems(problems)
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == fault.Internal {
		return err.Error()
	}
	text := f.Message
	if name := argumentName(cmd, f.Field); name != "" {
		text = name + ": " + text
	}
	if f.Kind == fault.Unavailable && f.Cause != nil {
		text += " (" + f.Cause.Error() + ")"
	}
	return text
}

func describeProblems(list config.Problems) string {
	title := "the configuration has a problem"
	if len(list) > 1 {
		title = fmt.Sprintf("the configuration has %d problems", len(list))
	}
	return title + "\n  " + strings.ReplaceAll(list.Error(), "\n", "\n  ")
}

// argumentName calls a field what the person typed: the flag, where the command
// has one for it.
func argumentName(cmd *cobra.Command, field string) string {
	if field == "" {
		return ""
	}
	flag := strings.NewReplacer("_", "-", ".", "-").Replace(field)
	switch field {
	case "client_name":
		flag = "title"
	case "roles", "groups":
		flag = strings.TrimSuffix(field, "s")
	case "phone_number", "phone_number_verified":
		flag = strings.Replace(flag, "-number", "", 1)
	case "address.street_address":
		flag = "address-street"
	case "client_id", "login", "user", "subject", "password", "key", "alg", "id", "kid", "sid":
		return ""
	}
	if cmd != nil && cmd.Flags().Lookup(flag) != nil {
		return "--" + flag
	}
	return field
}

func missingCommand(cmd *cobra.Command) error {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return usage(cmd.CommandPath()+" needs a command: "+strings.Join(names, ", "), "see: "+cmd.CommandPath()+" --help")
}

func unknownCommand(cmd *cobra.Command, name string) error {
	return usage(fmt.Sprintf("%s has no command %q", cmd.CommandPath(), name),
		didYouMean(cmd, cmd.CommandPath()+" ", cmd.SuggestionsFor(name)))
}

// flagError explains what the flag parser refused. A command that does not exist
// is the likelier mistake when its flags do not either.
func flagError(cmd *cobra.Command, err error) error {
	if rest := cmd.Flags().Args(); cmd.HasSubCommands() && len(rest) > 0 {
		return unknownCommand(cmd, rest[0])
	}
	var absent *pflag.NotExistError
	if !errors.As(err, &absent) {
		return usage(err.Error(), "see: "+cmd.CommandPath()+" --help")
	}
	name := absent.GetSpecifiedName()
	if letters := absent.GetSpecifiedShortnames(); letters != "" {
		return usage(fmt.Sprintf("%s has no flags like -%s", cmd.CommandPath(), letters), nameAfterDashes("-"+letters))
	}
	like, text := likeFlags(cmd, name), fmt.Sprintf("%s has no flag --%s", cmd.CommandPath(), name)
	if len(like) == 0 && len(name) >= longWord {
		return usage(text, nameAfterDashes("--"+name))
	}
	return usage(text, didYouMean(cmd, "--", like))
}

// longWord is the length from which on what looks like a flag is rather a session,
// a user or a key: their names are random, and begin with a dash now and then.
const longWord = 20

func nameAfterDashes(name string) string {
	return fmt.Sprintf("if %s is a name, write it last, after two dashes: -- %s", name, name)
}

// likeFlags finds the flags that look like name by the rule that commands are
// found by.
func likeFlags(cmd *cobra.Command, name string) []string {
	all := &cobra.Command{SuggestionsMinimumDistance: suggestionDistance}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		all.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	return all.SuggestionsFor(name)
}

func didYouMean(cmd *cobra.Command, before string, names []string) string {
	if len(names) == 0 {
		return "see: " + cmd.CommandPath() + " --help"
	}
	slices.Sort(names)
	for i := range names {
		names[i] = before + names[i]
	}
	return "did you mean " + strings.Join(names, " or ") + "?"
}
