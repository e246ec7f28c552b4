package docstest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// named is a test as the pages name it: `package/path.TestName/subtest`.
var named = regexp.MustCompile("`([a-z][a-z0-9/]*)\\.((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)(?:/([^`]+))?`")

// word is anything in a text that looks like the name of a test.
var word = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z][A-Za-z0-9]+\b`)

// source is the tests of one package: each function's name, and the texts in it.
type source map[string]map[string]bool

// read parses the test files of a folder.
func read(dir string) (source, error) {
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	out := source{}
	for _, path := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				out[f.Name.Name] = texts(f)
			}
		}
	}
	return out, nil
}

// texts are the string literals of a function: a subtest's name is one of them.
func texts(f *ast.FuncDecl) map[string]bool {
	out := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				out[s] = true
			}
		}
		return true
	})
	return out
}

func page(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// wrongNames says which of the tests that a text names are not there.
func wrongNames(text string) []string {
	var wrong []string
	known := map[string]source{}
	for _, m := range named.FindAllStringSubmatch(text, -1) {
		dir, name, sub := m[1], m[2], m[3]
		if known[dir] == nil {
			s, err := read(dir)
			if err != nil {
				return append(wrong, dir+": "+err.Error())
			}
			known[dir] = s
		}
		literals, ok := known[dir][name]
		switch {
		case !ok:
			wrong = append(wrong, dir+" has no test "+name)
		case sub != "" && !literals[sub]:
			wrong = append(wrong, dir+"."+name+" has no case "+strconv.Quote(sub))
		}
	}
	return wrong
}

// rowsWithoutTest returns the rows of the tables in text whose last cell neither
// names a test nor says that there is none yet.
func rowsWithoutTest(text string) (rows int, wrong []string) {
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasSuffix(strings.TrimSpace(line), "| test |") {
			continue
		}
		rows++
		last := cells[len(cells)-1]
		if !named.MatchString(last) && strings.TrimSpace(last) != "none yet" {
			wrong = append(wrong, strings.TrimSpace(line))
		}
		if strings.TrimSpace(last) == "none yet" && !strings.Contains(line, "**not defended") && !strings.Contains(line, "**Not defended") {
			wrong = append(wrong, "claims a defence without a test: "+strings.TrimSpace(line))
		}
	}
	return rows, wrong
}

func TestEveryTestThatTheMapsNameExists(t *testing.T) {
	for path, least := range map[string]int{"docs/protocol.md": 60, "docs/threats.md": 30} {
		text := page(t, path)
		for _, wrong := range wrongNames(text) {
			t.Errorf("%s: %s", path, wrong)
		}
		rows, without := rowsWithoutTest(text)
		for _, row := range without {
			t.Errorf("%s: this row names no test: %s", path, row)
		}
		if rows < least {
			t.Errorf("%s has %d rows, want %d at least", path, rows, least)
		}
		inForm := named.FindAllString(text, -1)
		if all := word.FindAllString(text, -1); len(all) != len(inForm) {
			t.Errorf("%s names %d tests, %d of them with their package", path, len(all), len(inForm))
		}
	}
}

// Any other page may name a test by its name alone.
func TestEveryTestThatAPageMentionsExistsSomewhere(t *testing.T) {
	everywhere := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		relative, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		tests, err := read(relative)
		for name := range tests {
			everywhere[name] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(root, "docs", "adr", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(append(pages, more...), filepath.Join(root, "SECURITY.md")) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range word.FindAllString(string(text), -1) {
			if !everywhere[name] {
				t.Errorf("%s mentions %s, which does not exist", filepath.Base(path), name)
			}
		}
	}
}

// The check itself: what is planted is found.
func TestANameOrACaseThatIsNotThereIsFound(t *testing.T) {
	for text, want := range map[string]int{
		"`internal/docstest.TestANameOrACaseThatIsNotThereIsFound/planted`": 0,
		"`internal/docstest.TestANameThatWasRenamed`":                       1,
		"`internal/gone.TestANameOrACaseThatIsNotThereIsFound`":             1,
		"`internal/docstest.TestEveryTestThatTheMapsNameExists/no case`":    1,
	} {
		if got := wrongNames(text); len(got) != want {
			t.Errorf("%s: %q, want %d findings", text, got, want)
		}
	}
	_ = "planted"
	for row, want := range map[string]int{
		"| a | b | `internal/docstest.TestX` |\n": 0, "| a | **not defended yet** | none yet |\n": 0,
		"| a | b | none yet |\n": 1, "| a | b | c |\n": 1, "| a | b | test |\n": 0, "text\n": 0,
	} {
		if _, got := rowsWithoutTest(row); len(got) != want {
			t.Errorf("%q: %q, want %d findings", row, got, want)
		}
	}
}
