package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// bench is the copy in which mutations are tried.
type bench struct{ dir string }

// copyTree copies what a build needs, and the files that tests read.
func copyTree(from, to string) error {
	skip := []string{".git", "node_modules", "bin", "dist"}
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case e.IsDir() && slices.Contains(skip, e.Name()):
			return filepath.SkipDir
		case e.IsDir():
			return os.MkdirAll(target, 0o755) //nolint:gosec // a copy of what everybody may read
		case !e.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, info.Mode().Perm())
	})
}

// check finds every text that is to be changed before anything takes time.
func (b bench) check(list []mutation) error {
	var errs []error
	for _, m := range list {
		content, err := os.ReadFile(filepath.Join(b.dir, filepath.FromSlash(m.file)))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.name, err))
			continue
		}
		if n := strings.Count(string(content), m.old); n != 1 {
			errs = append(errs, fmt.Errorf("%s: the text to change is found %d times in %s, want once:\n\t%s", m.name, n, m.file, m.old))
		}
	}
	return errors.Join(errs...)
}

// baseline wants every named test to exist and to be green without a mutation:
// what is red anyway proves nothing.
func (b bench) baseline(ctx context.Context, list []mutation) error {
	named := map[string][]string{}
	for _, m := range list {
		if !slices.Contains(named[m.in], m.test) {
			named[m.in] = append(named[m.in], m.test)
		}
	}
	var errs []error
	for in, tests := range named {
		out, err := b.goTest(ctx, in, tests...)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s is not green without a mutation: %w\n%s", in, err, out))
			continue
		}
		for _, test := range tests {
			if !strings.Contains(out, "--- PASS: "+test+" ") {
				errs = append(errs, fmt.Errorf("%s has no test %s, or it was skipped", in, test))
			}
		}
	}
	return errors.Join(errs...)
}

// try applies one mutation, wants its test red, and undoes it.
func (b bench) try(ctx context.Context, m mutation) (err error) {
	path := filepath.Join(b.dir, filepath.FromSlash(m.file))
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	changed := strings.Replace(string(content), m.old, m.new, 1)
	if err := os.WriteFile(path, []byte(changed), info.Mode().Perm()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.WriteFile(path, content, info.Mode().Perm())) }()
	if out, err := b.run(ctx, "go", "test", "-vet=off", "-c", "-o", os.DevNull, m.in); err != nil {
		return fmt.Errorf("it does not compile, which proves nothing: %w\n%s", err, out)
	}
	out, err := b.goTest(ctx, m.in, m.test)
	switch {
	case err == nil:
		return fmt.Errorf("it survives: %s stays green", m.test)
	case !failed(m.test).MatchString(out):
		return fmt.Errorf("%s is not what failed: %w\n%s", m.test, err, out)
	}
	return nil
}

func failed(test string) *regexp.Regexp {
	return regexp.MustCompile(`(?m)^--- FAIL: ` + regexp.QuoteMeta(test) + ` `)
}

func (b bench) goTest(ctx context.Context, in string, tests ...string) (string, error) {
	return b.run(ctx, "go", "test", "-vet=off", "-count=1", "-v", "-timeout=2m", "-run", "^("+strings.Join(tests, "|")+")$", in)
}

func (b bench) run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = b.dir
	// What others listen in on, such as a browser, is left out.
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "SIGNET_CHROMIUM=")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// markdown is the report: which test guards which check.
func markdown(list []mutation) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, `# The checks, and the tests that guard them

Each line was proved by `+"`task mutate`"+`, which wrote this page: the check was taken out of the code, the code still
compiled, and the test went red. %d checks, no survivors. The list is in [.ci/mutate](../.ci/mutate); it fails when the
code that a line names has changed.

| check | clause | file | red test |
|---|---|---|---|
`, len(list))
	for _, m := range list {
		fmt.Fprintf(&out, "| %s | %s | `%s` | `%s` |\n", m.name, m.clause, m.file, m.test)
	}
	return out.Bytes()
}
