package archtest

import (
	"go/ast"
	"path"
	"strings"
)

// The measure of the house. Tests are exempt: a table of cases is as long as
// there are cases.
const (
	maxFile     = 400
	maxMain     = 40
	maxFunction = 60
)

func (t *tree) checkMeasure(r room) {
	for _, s := range r.files {
		t.checkComments(s)
		for _, decl := range s.file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok {
				t.checkFunction(s, fn)
			}
		}
		limit := maxFile
		if _, ok := match("cmd/*/main.go", s.path); ok {
			limit = maxMain
		}
		if s.lines > limit && !s.test && !s.generated {
			t.report("file length", s, s.file.Package, path.Base(s.path),
				"%d lines, at most %d: a file is one idea, read in one sitting", s.lines, limit)
		}
	}
}

func (t *tree) checkFunction(s source, fn *ast.FuncDecl) {
	if fn.Recv == nil && fn.Name.Name == "init" {
		t.report("init", s, fn.Pos(), "init", "func init runs behind the reader's back; one place wires, in plain calls")
	}
	// Counted as funlen counts: the lines between the braces.
	lines := t.fset.Position(fn.End()).Line - t.fset.Position(fn.Pos()).Line - 1
	if lines > maxFunction && !s.test && !s.generated {
		t.report("function length", s, fn.Pos(), fn.Name.Name,
			"%s has %d lines, at most %d: a function reads as steps", fn.Name.Name, lines, maxFunction)
	}
}

// checkComments finds the promises that nobody keeps. The words are put
// together here so that this file does not break its own rule.
func (t *tree) checkComments(s source) {
	for _, group := range s.file.Comments {
		for _, c := range group.List {
			for _, word := range []string{"TO" + "DO", "FIX" + "ME"} {
				if strings.Contains(c.Text, word) {
					t.report("promise", s, c.Pos(), word, "%s in a comment: do it now, or open an issue that somebody owns", word)
				}
			}
		}
	}
}
