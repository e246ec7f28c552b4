package archtest_test

import (
	"strings"
	"testing"
)

func TestAPackageVariableThatCanChangeIsFound(t *testing.T) {
	for name, c := range map[string]struct{ body, why string }{
		"without a value":         {"var current string", "exists to be assigned"},
		"a mutex":                 {"import \"sync\"\nvar mu sync.Mutex", "exists to be assigned"},
		"a pool":                  {"import \"sync\"\nvar pool = sync.Pool{}", "exists to be changed"},
		"a pointer":               {"type T struct{}\nvar shared = &T{}", "is a pointer"},
		"new":                     {"type T struct{}\nvar shared = new(T)", "may return something changeable"},
		"a made map":              {"var seen = make(map[string]bool)", "may return something changeable"},
		"an unknown constructor":  {"import \"log/slog\"\nvar logger = slog.Default()", "may return something changeable"},
		"a function":              {"var hook = func() {}", "declare the function"},
		"an alias of a function":  {"import \"os\"\nvar exit = os.Exit", "another name"},
		"several values":          {"var a, b = pair()\nfunc pair() (int, int) { return 1, 2 }", "several values"},
		"an exported number":      {"var Limit = 3", "anybody may assign it"},
		"an exported table":       {"var Names = []string{\"a\"}", "anybody may assign it"},
		"assigned":                {"var n = 0\nfunc f() { n = 1 }", "n is assigned"},
		"assigned by its index":   {"var names = []string{\"\"}\nfunc f() { names[0] = \"b\" }", "names is assigned"},
		"assigned by its field":   {"type T struct{ n int }\nvar one = T{}\nfunc f() { one.n = 1 }", "one is assigned"},
		"counted":                 {"var n = 0\nfunc f() { n++ }", "counted up or down"},
		"its address taken":       {"var n = 0\nfunc f() *int { return &n }", "address taken"},
		"deleted from":            {"var m = map[string]int{}\nfunc f() { delete(m, \"a\") }", "changed by delete"},
		"cleared":                 {"var m = map[string]int{}\nfunc f() { clear(m) }", "changed by clear"},
		"copied into":             {"var b = []byte(\"abc\")\nfunc f() { copy(b[1:], \"x\") }", "changed by copy"},
		"a method that may write": {"type T struct{ n int }\nfunc (t *T) add() { t.n++ }\nvar one = T{}\nfunc f() { one.add() }", "changed by its method add"},
		"assigned in a range":     {"var n = 0\nfunc f() { for n = range 3 {\n} }", "n is assigned"},
	} {
		t.Run(name, func(t *testing.T) {
			found := check(t, session(c.body))
			if len(found) == 0 {
				t.Fatal("found nothing")
			}
			var all []string
			for _, v := range found {
				if v.Rule != "state" {
					t.Errorf("unexpected violation: %s", v)
				}
				all = append(all, v.String())
			}
			if text := strings.Join(all, "\n"); !strings.Contains(text, c.why) {
				t.Errorf("found %s, want it to say %q", text, c.why)
			}
		})
	}
}

func TestAPackageVariableThatATestAssignsIsFound(t *testing.T) {
	p := session("var tries = 3\n")
	p["internal/session/hook_test.go"] = "package session\n\nfunc hook() { tries = 1 }\n"
	wantOne(t, check(t, p), "state", "hook_test.go", "tries is assigned")
}

func TestAWriteInAnotherFileOfThePackageIsFound(t *testing.T) {
	p := session("var tries = 3\n")
	p["internal/session/other.go"] = "package session\n\nfunc f() { tries += 1 }\n"
	wantOne(t, check(t, p), "state", "other.go", "tries is assigned")
}

func TestConstantsInAllButNameAreAllowed(t *testing.T) {
	wantNone(t, check(t, session(`
import (
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/netip"
	"regexp"
	"sync"

	"github.com/signet-id/signet/internal/fault"
)

// ErrGone is a sentinel, and so are the others.
var (
	ErrGone  = errors.New("gone")
	ErrOther = fmt.Errorf("other: %w", ErrGone)
	errKnown = fault.New(fault.Denied, "no")
)

//go:embed *.html
var Files embed.FS

var (
	shape    = regexp.MustCompile("^a$")
	private  = netip.MustParsePrefix("10.0.0.0/8")
	page     = template.Must(template.New("").Parse(""))
	names    = [...]string{"a", "b"}
	steps    = map[string]func(){"walk": func() {}, "run": run}
	prefix   = []byte("grant/")
	strict   = base64.RawURLEncoding.Strict()
	computed = sync.OnceValue(func() int { return 1 })
	offset   = -1 + 2*3
)

type reader interface{ Read() }
type thing struct{}

func (thing) Read() {}
func (t *thing) Write() {}

var _ reader = thing{}

var still = thing{}

func run() {
	names := names // a copy with the same name is nobody's business
	names[0] = "c"
	still.Read()
	for range steps {
	}
	var offset int
	offset++
}
`)))
}
