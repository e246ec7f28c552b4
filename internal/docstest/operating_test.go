package docstest_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/signet-id/signet/internal/config"
)

var update = flag.Bool("update", false, "write the generated part of docs/operating.md")

const (
	manual = "docs/operating.md"
	begin  = "<!-- generated from internal/config: go test ./internal/docstest -update -->\n"
	end    = "<!-- end of the generated part -->\n"
)

// TestTheManualExplainsEveryKey holds the manual against the table of the
// configuration, which is also what signet config explain prints.
func TestTheManualExplainsEveryKey(t *testing.T) {
	text := page(t, manual)
	before, rest, ok := strings.Cut(text, begin)
	generated, after, ended := strings.Cut(rest, end)
	if !ok || !ended {
		t.Fatalf("%s lacks the lines between which the keys stand", manual)
	}
	want := keys(t)
	if generated == want {
		return
	}
	if !*update {
		t.Fatalf("the keys in %s are not those of internal/config: go test ./internal/docstest -update", manual)
	}
	if err := os.WriteFile(filepath.Join(root, manual), []byte(before+begin+want+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// keys is every key as the manual has it, section by section.
func keys(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	section := ""
	for _, key := range config.Keys() {
		x, err := config.Explain(key)
		if err != nil {
			t.Fatal(err)
		}
		first, _, below := strings.Cut(key, ".")
		if below && first != section {
			fmt.Fprintf(&b, "\n### `%s.…`\n", first)
		}
		section = first
		if !below { // a key that is no section's stands as one
			fmt.Fprintf(&b, "\n### `%s`\n\n%s\n%s", key, wrap(x.Doc, ""), wrap(settings(x), ""))
			continue
		}
		b.WriteString("\n" + wrap("- **`"+key+"`**: "+x.Doc, "  ") + wrap("  "+settings(x), "  "))
	}
	return b.String() + "\n"
}

// settings says in one line what may be written, what holds otherwise, and where
// it may be written.
func settings(x config.Explanation) string {
	text := "A " + x.Type
	switch {
	case strings.Contains(x.Allowed, ", "):
		text = "One of " + x.Allowed
	case x.Allowed != "":
		text += ", " + x.Allowed
	}
	value := x.Default
	if !strings.Contains(value, " ") {
		value = "`" + value + "`"
	}
	text += ". Default: " + value + ". Example: `" + x.Example + "`."
	switch {
	case x.Env == "":
		return text + " In the file alone."
	case !x.InFile:
		return text + " In the environment alone: `" + x.Env + "`."
	}
	return text + " Environment: `" + x.Env + "`."
}

// unbroken stands for a space at which no line ends.
const unbroken = "\x00"

// wrap breaks text into lines of 118 characters.
func wrap(text, indent string) string {
	var b strings.Builder
	line := ""
	code := regexp.MustCompile("`[^`]*`") // stays on one line
	text = code.ReplaceAllStringFunc(text, func(s string) string { return strings.ReplaceAll(s, " ", unbroken) })
	for i, word := range strings.Split(text, " ") {
		word = strings.ReplaceAll(word, unbroken, " ")
		switch {
		case i == 0:
			line = word
		case len([]rune(line))+1+len([]rune(word)) > 118:
			b.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	return b.String() + line + "\n"
}

// TestTheManualNamesEveryMetricAndCheck reads the metrics out of the source: one
// that is added without a word in the manual is one that nobody watches.
func TestTheManualNamesEveryMetricAndCheck(t *testing.T) {
	text := page(t, manual)
	found := 0
	metric := regexp.MustCompile(`^signet_[a-z_]+$`)
	for _, dir := range []string{"internal/telemetry", "internal/app", "internal/store/boltstore"} {
		for _, call := range calls(t, dir) {
			for i, arg := range call.Args {
				lit, ok := arg.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					continue
				}
				value, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				check := i == 0 && selector(call) == "Add" && strings.Contains(fmt.Sprint(call.Fun), "Health")
				if !metric.MatchString(value) && !check {
					continue
				}
				found++
				if !strings.Contains(text, "`"+value+"`") {
					t.Errorf("%s does not name %s", manual, value)
				}
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d metrics and checks were found in the source: is it still read rightly?", found)
	}
}

func selector(call *ast.CallExpr) string {
	if s, ok := call.Fun.(*ast.SelectorExpr); ok {
		return s.Sel.Name
	}
	return ""
}

// calls lists the calls in the code of a folder, its tests left out.
func calls(t *testing.T, dir string) []*ast.CallExpr {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []*ast.CallExpr
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				out = append(out, call)
			}
			return true
		})
	}
	return out
}

// TestTheManualsConfigurationIsValid reads each YAML of the manual as a server
// would.
func TestTheManualsConfigurationIsValid(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(page(t, manual), -1)
	if len(blocks) == 0 {
		t.Fatalf("%s shows no configuration", manual)
	}
	for _, block := range blocks {
		cfg, err := config.Parse("signet.yaml", []byte(block[1]), nil)
		if err != nil {
			t.Errorf("%v in\n%s", err, block[1])
		}
		for _, note := range cfg.Advice() {
			t.Errorf("what the manual shows gets advice: %s", note)
		}
	}
}
