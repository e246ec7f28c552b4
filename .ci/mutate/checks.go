package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutation takes one check out.
type mutation struct {
	name     string // what is checked
	clause   string // who asks for it
	file     string
	old, new string // old is there exactly once
	in       string // the package …
	test     string // … and its test that must go red
}

// readAll reads every list, in the order of the way inward.
func readAll() ([]mutation, error) {
	var all []mutation
	lists := []string{
		"authorization", "redemption", "clients", "browsers", "tokens", "verifiers", "sealed", "house", "records", "operation",
	}
	// The tests of these start real engines, and skip themselves without.
	if os.Getenv("SIGNET_ENGINES") != "" {
		lists = append(lists, "engines")
	}
	for _, name := range lists {
		text, err := os.ReadFile(filepath.Join(".ci", "mutate", "checks", name+".txt"))
		if err != nil {
			return nil, fmt.Errorf("reading the list: %w", err)
		}
		for block := range strings.SplitSeq(string(text), "\n# ") {
			m, err := parse(strings.TrimPrefix(block, "# "))
			if err != nil {
				return nil, fmt.Errorf("%s.txt: %w:\n%s", name, err, block)
			}
			if slices.ContainsFunc(all, func(other mutation) bool { return other.name == m.name }) {
				return nil, fmt.Errorf("%s.txt: %q is there twice", name, m.name)
			}
			all = append(all, m)
		}
	}
	return all, nil
}

// parse reads one mutation:
//
//	# what is checked (who asks for it)
//	file
//	-text as it is, from wherever in a line …
//	+… and without the check
//	package test
func parse(block string) (m mutation, err error) {
	lines := strings.Split(strings.TrimRight(block, "\n"), "\n")
	if len(lines) < 4 {
		return m, errors.New("want a name, a file, what to change, and a test")
	}
	var ok bool
	name, clause, found := strings.Cut(lines[0], " (")
	if m.clause, ok = strings.CutSuffix(clause, ")"); !ok || !found {
		return m, errors.New("the first line must end in a clause, in brackets")
	}
	m.name, m.file = name, lines[1]
	last := len(lines) - 1
	if m.in, m.test, ok = strings.Cut(lines[last], " "); !ok || m.test == "" {
		return m, errors.New("the last line must be a package and a test")
	}
	var before, after []string
	for _, line := range lines[2:last] {
		switch {
		case strings.HasPrefix(line, "-") && len(after) == 0:
			before = append(before, line[1:])
		case strings.HasPrefix(line, "+"):
			after = append(after, line[1:])
		default:
			return m, fmt.Errorf("neither - nor +: %q", line)
		}
	}
	m.old, m.new = strings.Join(before, "\n"), strings.Join(after, "\n")
	if m.old == "" || m.old == m.new {
		return m, errors.New("nothing is changed")
	}
	return m, nil
}
