package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/signet-id/signet/internal/fault"
)

// Problem is one thing wrong with a configuration, and what to do about it.
type Problem struct {
	Source string // the file, or the environment variable; empty when made by hand
	Line   int    // in the file; 0 when the problem is something that is not there
	Key    string // such as http.address; empty when the line cannot be read at all
	Text   string // what is wrong
	Fix    string // what to do
}

// String is the problem on one line, its fix indented on the next.
func (p Problem) String() string {
	var b strings.Builder
	if p.Source != "" {
		b.WriteString(p.Source)
		if p.Line > 0 {
			b.WriteString(":" + strconv.Itoa(p.Line))
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(printable(p.Key) + ": ")
	}
	b.WriteString(p.Text)
	if p.Fix != "" {
		b.WriteString("\n    " + p.Fix)
	}
	return b.String()
}

// printable keeps a key with line breaks or escape sequences from forging lines.
func printable(key string) string {
	if strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.QuoteToASCII(key)
	}
	return key
}

// Problems is everything wrong with a configuration, in the order of its lines.
type Problems []Problem

// Error is the printed list.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap classifies the whole list: somebody wrote something that cannot be used.
func (p Problems) Unwrap() error { return fault.New(fault.Invalid, "%s", p.Error()) }

// asError keeps an empty list from becoming a non-nil error.
func asError(list []Problem) error {
	if len(list) == 0 {
		return nil
	}
	return Problems(list)
}

// sortProblems puts the file first, by line, then what is missing, then the
// environment; within one place the order of discovery stays.
func sortProblems(list []Problem, file string) {
	rank := func(p Problem) int {
		switch {
		case p.Source == file && p.Line > 0:
			return 0
		case p.Source == file:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Line, b.Line))
	})
}
