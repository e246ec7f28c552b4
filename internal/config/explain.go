package config

import (
	"fmt"
	"strings"

	"github.com/signet-id/signet/internal/fault"
)

// Explanation is what a person may want to know of one key.
type Explanation struct {
	Key     string
	Doc     string
	Type    string
	Allowed string // bounds or choices; empty when the type says it all
	Default string
	Env     string // empty when the file alone can set it
	InFile  bool   // false for secrets
	Example string
}

// Keys returns every key, in the order of the manual.
func Keys() []string {
	var keys []string
	for _, e := range table() {
		keys = append(keys, e.key)
	}
	return keys
}

// Explain returns what is known of key.
func Explain(key string) (Explanation, error) {
	for _, e := range table() {
		if e.key == key {
			return e.explain(), nil
		}
	}
	if isSection(key) {
		var inside []string
		for _, k := range Keys() {
			if strings.HasPrefix(k, key+".") {
				inside = append(inside, k)
			}
		}
		return Explanation{}, fault.New(fault.NotFound, "%s is a section; its keys are %s", key, strings.Join(inside, ", ")).On("key")
	}
	return Explanation{}, fault.New(fault.NotFound, "there is no key %q; %s", key, fixUnknown(key)).On("key")
}

func (e entry) explain() Explanation {
	defaults := Default()
	typeName, _ := shape(e.field(&defaults))
	x := Explanation{
		Key: e.key, Doc: e.doc, Type: typeName, Example: e.example,
		Env: e.env(), InFile: !e.envOnly, Allowed: e.allowed(), Default: e.unset,
	}
	if x.Default == "" {
		x.Default = strings.Join(texts(e.field(&defaults)), ", ")
	}
	return x
}

// allowed says bounds or choices in words.
func (e entry) allowed() string {
	switch {
	case len(e.oneOf) > 0:
		return strings.Join(e.oneOf, ", ")
	case e.min != "":
		return e.min + " to " + e.max
	}
	return ""
}

// String is the explanation as a terminal shows it.
func (x Explanation) String() string {
	var b strings.Builder
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-13s%s\n", label, text)
		}
	}
	fmt.Fprintf(&b, "%s\n\n  %s\n\n", x.Key, x.Doc)
	line("type", x.Type)
	line("allowed", x.Allowed)
	line("default", x.Default)
	line("environment", x.Env)
	if !x.InFile {
		line("file", "refused: a secret does not belong in a file of settings")
		line("example", x.Example)
		return b.String()
	}
	b.WriteString("\n" + indent(x.Snippet(), "  "))
	return b.String()
}

// Snippet is the example as it stands in a file, its sections around it.
func (x Explanation) Snippet() string {
	path := strings.Split(x.Key, ".")
	var b strings.Builder
	for depth, name := range path {
		b.WriteString(strings.Repeat("  ", depth) + name + ":")
		if depth == len(path)-1 {
			b.WriteString(" " + x.Example)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+by) + "\n"
}
