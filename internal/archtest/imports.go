package archtest

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// checkImports holds every import of a room against the floors, the nevers and
// the rooms. Test files answer only for the nevers that say so: a test may
// reach for a real engine or a real verifier.
func (t *tree) checkImports(r room, rules Rules) {
	from, onFloor := floorOf(r.dir, rules.Floors)
	if shipped := r.shipped(); !onFloor && len(shipped) > 0 {
		t.report("floor", shipped[0], shipped[0].file.Package, r.dir,
			"%s stands on no floor; give it one in internal/archtest/rules.go and in docs/architecture.md", r.dir)
	}
	for _, s := range r.files {
		for _, spec := range s.file.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue // the parser has let through only valid literals
			}
			imp := importOf(target)
			for _, why := range forbidden(r.dir, s.test, imp, rules) {
				t.report("import", s, spec.Pos(), target, "%s imports %s: %s", r.dir, imp.name, why)
			}
			if to, ok := floorOf(imp.name, rules.Floors); imp.ours && onFloor && ok && !s.test && to < from {
				t.report("upward", s, spec.Pos(), target, "%s (%s) imports %s (%s): imports run downward, an arrow never runs up",
					r.dir, rules.Floors[from].Name, imp.name, rules.Floors[to].Name)
			}
		}
	}
}

// imported is an import path as the tables write it: ours relative to the module.
type imported struct {
	name string
	ours bool
}

func importOf(target string) imported {
	if target == Module {
		return imported{".", true}
	}
	if rest, ok := strings.CutPrefix(target, Module+"/"); ok {
		return imported{rest, true}
	}
	return imported{target, false}
}

// in reports whether the import belongs to the pattern, or to one of the two
// words that stand for a set, and what its "*" matched.
func (i imported) in(pattern string) (star string, ok bool) {
	switch pattern {
	case ours:
		return "", i.ours
	case foreign:
		first, _, _ := strings.Cut(i.name, "/")
		return "", !i.ours && strings.Contains(first, ".")
	}
	return match(pattern, i.name)
}

// forbidden returns the reasons why dir must not import imp.
func forbidden(dir string, test bool, imp imported, rules Rules) []string {
	var why []string
	for _, n := range rules.Never {
		if test && !n.Tests {
			continue
		}
		here, who := match(n.Who, dir)
		there, what := imp.in(n.Imports)
		if !who || !what || (here != "" && here == there) {
			continue
		}
		if _, but := imp.in(n.But); but {
			continue
		}
		why = append(why, n.Why)
	}
	if test {
		return why
	}
	for _, room := range rules.Rooms {
		if imp.inAny(room.What) && !matchAny(room.Only, dir) {
			why = append(why, fmt.Sprintf("%s (allowed: %s)", room.Why, allowed(room.Only)))
		}
	}
	return why
}

func allowed(only []string) string {
	if len(only) == 0 {
		return "tests only"
	}
	return strings.Join(only, ", ")
}

func (i imported) inAny(patterns []string) bool { return matchAny(patterns, i.name) }

func matchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if _, ok := match(p, name); ok {
			return true
		}
	}
	return false
}

// match holds a path against a pattern and returns what "*" stood for.
func match(pattern, name string) (star string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path.Clean(name), "/")
	for i, w := range want {
		if w == "..." && i == len(want)-1 {
			return star, true
		}
		if i >= len(have) {
			return "", false
		}
		if w == "*" {
			star = have[i]
			continue
		}
		if w != have[i] {
			return "", false
		}
	}
	return star, len(want) == len(have)
}

// floorOf counts from the top. The floors' patterns do not overlap.
func floorOf(dir string, floors []Floor) (int, bool) {
	for i, f := range floors {
		if matchAny(f.Rooms, dir) {
			return i, true
		}
	}
	return 0, false
}
