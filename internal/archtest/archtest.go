// Package archtest keeps the drawing of the house true: it reads the source
// files themselves, holds them against the tables in rules.go and says, for
// each place that differs, what is wrong and why the rule exists.
//
//	*.go ──go/parser──▶ tree ──checks (imports, face, measure, names, state)──▶ []Violation
//	                                     ▲
//	                        House(): floors, rooms, nevers
//
// It never asks the go command, whose answer the test cache serves stale, and
// never follows an import: one package after the other is judged by its own
// text. So it works on a tree that does not compile yet, and on planted ones.
package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Violation is one place that breaks one rule.
type Violation struct {
	Rule string // its name in rules.go, which an Excuse refers to
	Path string // of the file or folder, relative to the module
	Line int    // 0 when the whole file or folder is meant
	Name string // what is at fault: an import path, an identifier
	Why  string // what is wrong, and the reason of the rule
}

// String is a line that an editor can jump to.
func (v Violation) String() string {
	where := v.Path
	if v.Line > 0 {
		where = fmt.Sprintf("%s:%d", v.Path, v.Line)
	}
	return fmt.Sprintf("%s: %s [%s]", where, v.Why, v.Rule)
}

// source is one parsed file.
type source struct {
	path      string
	file      *ast.File
	lines     int
	test      bool
	generated bool
}

// room is the files of one folder.
type room struct {
	dir   string
	files []source
}

// shipped are the files that end in a binary.
func (r room) shipped() []source {
	return slices.DeleteFunc(slices.Clone(r.files), func(s source) bool { return s.test })
}

// tree is the whole module, parsed.
type tree struct {
	fset  *token.FileSet
	rooms []room
	found []Violation
}

func (t *tree) report(rule string, s source, pos token.Pos, name, format string, args ...any) {
	t.found = append(t.found, Violation{
		Rule: rule, Path: s.path, Line: t.fset.Position(pos).Line, Name: name,
		Why: fmt.Sprintf(format, args...),
	})
}

// Check reads every Go file under root, which is the folder of go.mod, and
// returns what breaks the rules, in the order of the files. Folders that hold
// no code of this module (testdata, hidden ones, other modules) are left out.
func Check(root fs.FS, rules Rules) ([]Violation, error) {
	t, err := read(root)
	if err != nil {
		return nil, err
	}
	for _, r := range t.rooms {
		t.checkImports(r, rules)
		t.checkFace(r, rules)
		t.checkMeasure(r)
		t.checkNames(r, rules)
		t.checkClock(r)
		t.checkState(r)
	}
	return excuse(t.found, rules.Excuses), nil
}

func read(root fs.FS) (*tree, error) {
	t := &tree{fset: token.NewFileSet()}
	byDir := map[string][]source{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if elsewhere(root, name) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" || strings.HasPrefix(d.Name(), "_") || strings.HasPrefix(d.Name(), ".") {
			return nil
		}
		raw, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		if s, ok := t.parse(name, raw); ok {
			byDir[path.Dir(name)] = append(byDir[path.Dir(name)], s)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the source tree: %w", err)
	}
	for dir, files := range byDir {
		t.rooms = append(t.rooms, room{dir, files})
	}
	slices.SortFunc(t.rooms, func(a, b room) int { return strings.Compare(a.dir, b.dir) })
	return t, nil
}

// elsewhere reports whether a folder is none of this module's code.
func elsewhere(root fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	base := path.Base(dir)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	if base == "testdata" || base == "node_modules" || base == "vendor" {
		return true
	}
	_, err := fs.Stat(root, path.Join(dir, "go.mod"))
	return err == nil
}

// parse reports a file that it cannot read as a violation, so that the rest of
// the house is judged all the same.
func (t *tree) parse(name string, raw []byte) (source, bool) {
	file, err := parser.ParseFile(t.fset, name, raw, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.found = append(t.found, Violation{Rule: "parse", Path: name, Why: "does not parse: " + err.Error()})
		return source{}, false
	}
	return source{
		path:      name,
		file:      file,
		lines:     bytes.Count(raw, []byte("\n")),
		test:      strings.HasSuffix(name, "_test.go"),
		generated: ast.IsGenerated(file),
	}, true
}

// excuse takes out what an Excuse covers, and reports every Excuse that covers
// nothing: an exception that nobody needs hides the next violation.
func excuse(found []Violation, excuses []Excuse) []Violation {
	used := make([]bool, len(excuses))
	kept := slices.DeleteFunc(found, func(v Violation) bool {
		for i, e := range excuses {
			if e.Rule == v.Rule && e.Path == v.Path && e.Name == v.Name {
				used[i] = true
				return true
			}
		}
		return false
	})
	for i, e := range excuses {
		if !used[i] {
			kept = append(kept, Violation{
				Rule: "excuse", Path: e.Path, Name: e.Name,
				Why: fmt.Sprintf("the excuse of %q from rule %q covers nothing any more; take it out of rules.go", e.Name, e.Rule),
			})
		}
	}
	return kept
}
