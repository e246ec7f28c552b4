package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/signet-id/signet/internal/fault"
	"github.com/signet-id/signet/internal/secret"
)

// scopesKey is the one key whose children the operator names.
const scopesKey = "scopes"

// maxFile is far beyond any real file, and keeps a wrong path (a device, a
// database) from filling the memory.
const maxFile = 1 << 20

// Load reads the file at path and the environment over it; without a path, the
// environment alone. environ is os.Environ's.
func Load(path string, environ []string, opts ...Option) (Config, error) {
	if path == "" {
		return Parse("", nil, environ, opts...)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fault.Wrap(fault.NotFound, err, "there is no configuration file %s; name another with --config", path)
	}
	if err != nil {
		return Config{}, fmt.Errorf("opening the configuration: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	if len(raw) > maxFile {
		return Config{}, fault.New(fault.Invalid, "%s is larger than 1 MiB; that is not a configuration file", path)
	}
	return Parse(path, raw, environ, opts...)
}

// Parse reads raw, which came from the file called name, and the environment
// over it. What is wrong is returned as Problems, all of it at once.
func Parse(name string, raw []byte, environ []string, opts ...Option) (Config, error) {
	if name == "" {
		name = "environment"
	}
	r := &reader{source: name, cfg: Default(), at: map[string]place{}, entries: table()}
	for _, opt := range opts {
		opt(&r.cfg)
	}
	r.file(raw)
	r.environment(environ)
	r.judge()
	if len(r.problems) > 0 {
		sortProblems(r.problems, name)
		return Config{}, Problems(r.problems)
	}
	return r.cfg, nil
}

// place is where a key was set.
type place struct {
	source string
	line   int
}

// reader fills cfg and remembers where each key came from, so that a problem
// found later can name its line.
type reader struct {
	source   string
	cfg      Config
	at       map[string]place
	entries  []entry
	problems []Problem
	garbled  bool // the file could not be read at all
}

func (r *reader) bad(at place, key, text, fix string) {
	r.problems = append(r.problems, Problem{Source: at.source, Line: at.line, Key: key, Text: text, Fix: fix})
}

func (r *reader) line(n *yaml.Node) place { return place{r.source, max(n.Line, 1)} }

func (r *reader) entry(key string) (entry, bool) {
	i := slices.IndexFunc(r.entries, func(e entry) bool { return e.key == key })
	if i < 0 {
		return entry{}, false
	}
	return r.entries[i], true
}

func (r *reader) file(raw []byte) {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return // an empty file says nothing
	} else if err != nil {
		r.syntax(err)
		return
	}
	if err := dec.Decode(&second); err == nil {
		r.bad(r.line(&second), "", "a second document begins here", "keep one document: remove the --- line")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
		return
	}
	root := doc.Content[0]
	switch {
	case isNull(root):
	case root.Kind != yaml.MappingNode:
		r.garbled = true
		r.bad(r.line(root), "", "the file is not a list of keys", "write key: value lines, such as issuer: https://id.example.com")
	default:
		r.mapping("", root)
	}
}

// syntax reports what the YAML parser could not read. Its errors name the line
// in their text only.
func (r *reader) syntax(err error) {
	r.garbled = true
	at, text := place{r.source, 1}, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := regexp.MustCompile(`^line (\d+): (.*)$`).FindStringSubmatch(text); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			at.line, text = max(n, 1), m[2]
		}
	}
	fix := "correct the YAML on this line or the one before"
	if strings.Contains(text, "cannot start any token") {
		fix = "indent with spaces, not with tabs, and put a value that begins with a sign in quotes"
	}
	r.bad(at, "", text, fix)
}

// mapping reads a section; prefix is its path with a final dot, or empty.
func (r *reader) mapping(prefix string, section *yaml.Node) {
	seen := map[string]int{}
	for i := 0; i+1 < len(section.Content); i += 2 {
		name, value := section.Content[i], section.Content[i+1]
		path := prefix + name.Value
		if !r.readable(path, name, value, seen) {
			continue
		}
		e, known := r.entry(path)
		switch {
		case known && !strings.Contains(name.Value, "."):
			r.at[path] = r.line(name)
			r.set(e, value)
		case !isSection(path):
			fix := fixUnknown(path)
			if known {
				fix = "keys are nested: write " + strings.ReplaceAll(name.Value, ".", ":, and indented below it ") + ":"
			}
			r.bad(r.line(name), path, "there is no such key", fix)
		case isNull(value): // a section with every line commented out
		case value.Kind == yaml.MappingNode:
			r.mapping(path+".", value)
		default:
			r.bad(r.line(name), path, "is a section, but has a value", "indent its keys below it")
		}
	}
}

// readable refuses what YAML allows and a configuration does not need.
func (r *reader) readable(path string, name, value *yaml.Node, seen map[string]int) bool {
	if name.Kind != yaml.ScalarNode || value.Kind == yaml.AliasNode || value.Anchor != "" || name.Anchor != "" {
		r.bad(r.line(name), path, "uses an anchor, an alias or a key that is not a word", "write the value out")
		return false
	}
	if first, twice := seen[name.Value]; twice {
		r.bad(r.line(name), path, fmt.Sprintf("is set twice, first on line %d", first), "remove one of the two")
		return false
	}
	seen[name.Value] = r.line(name).line
	return true
}

func (r *reader) set(e entry, value *yaml.Node) {
	field := e.field(&r.cfg)
	at := r.at[e.key]
	typeName, hint := shape(field)
	scopes, isMap := field.(*map[string]string)
	switch {
	case e.envOnly:
		r.bad(at, e.key, "a secret does not belong in this file", "set "+e.env()+", or keep the key in a file of its own and name that in "+e.key+"_file")
	case isNull(value):
		r.bad(at, e.key, "has no value", "write one after the colon, or remove the line")
	case isMap && value.Kind == yaml.MappingNode:
		if *scopes = r.descriptions(e.key, value); len(*scopes) == 0 {
			*scopes = nil
		}
	case isList(field) && value.Kind == yaml.SequenceNode:
		if items, ok := scalars(value); !ok {
			r.bad(at, e.key, "has an item that is not one value", hint)
		} else if err := setList(field, items); err != nil {
			r.bad(at, e.key, err.Error(), hint)
		}
	case !isMap && !isList(field) && value.Kind == yaml.ScalarNode:
		if err := setScalar(field, value.Value); err != nil {
			r.bad(at, e.key, err.Error(), hint)
		}
	default:
		r.bad(at, e.key, "must be a "+typeName, hint+"; for example "+e.example)
	}
}

// descriptions reads the names and descriptions of the operator's own scopes.
func (r *reader) descriptions(key string, value *yaml.Node) map[string]string {
	out, seen := map[string]string{}, map[string]int{}
	for i := 0; i+1 < len(value.Content); i += 2 {
		name, text := value.Content[i], value.Content[i+1]
		path := key + "." + name.Value
		if !r.readable(path, name, text, seen) {
			continue
		}
		r.at[path] = r.line(name)
		if text.Kind != yaml.ScalarNode {
			r.bad(r.line(name), path, "must be one description", "write one line of text after the name")
			continue
		}
		out[name.Value] = text.Value
		if isNull(text) {
			out[name.Value] = "" // judged with the other empty ones
		}
	}
	return out
}

// judge adds what Validate finds to what could not be read, and gives it lines.
// A key at fault already is left out: its value is not what was written.
func (r *reader) judge() {
	found := map[string]bool{}
	for _, p := range r.problems {
		found[p.Key] = true
	}
	for _, p := range r.cfg.problems() {
		if found[p.Key] {
			continue
		}
		at, written := r.at[p.Key]
		if !written && r.garbled {
			continue // it may well be there
		}
		if !written {
			at = place{source: r.source}
		}
		p.Source, p.Line = at.source, at.line
		r.problems = append(r.problems, p)
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func scalars(list *yaml.Node) ([]string, bool) {
	items := make([]string, 0, len(list.Content))
	for _, n := range list.Content {
		if n.Kind != yaml.ScalarNode || isNull(n) {
			return nil, false
		}
		items = append(items, n.Value)
	}
	return items, true
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// setText is what the environment shares with the file: one text for one key.
func setText(field any, text string) error {
	if s, ok := field.(*secret.Value); ok {
		*s = secret.New(strings.TrimSpace(text)) // a variable made of a file ends in a newline
		return nil
	}
	if !isList(field) {
		return setScalar(field, text)
	}
	items := strings.Split(text, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return setList(field, items)
}
