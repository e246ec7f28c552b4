package archtest

import (
	"go/ast"
	"slices"
	"strings"
	"unicode"
)

// vague words name nothing: whatever carries one has not been understood yet.
func vague() []string {
	return []string{"manager", "helper", "util", "common", "base", "impl", "info", "data"}
}

func (t *tree) checkNames(r room, rules Rules) {
	for _, s := range r.shipped() {
		if word := vaguePackage(s.file.Name.Name); word != "" {
			t.report("name", s, s.file.Name.Pos(), s.file.Name.Name,
				"package %s: %q names nothing; say what it owns", s.file.Name.Name, word)
		}
		_, loosened := match("pkg/signettest/...", r.dir)
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				t.checkName(s, n.Name, rules)
			case *ast.FuncDecl:
				if n.Name.IsExported() {
					t.checkName(s, n.Name, rules)
				}
			case *ast.SelectorExpr:
				return !harmless(n)
			case *ast.Ident:
				if !loosened {
					t.checkLoose(s, n)
				}
			}
			return true
		})
	}
}

func (t *tree) checkName(s source, name *ast.Ident, rules Rules) {
	text := name.Name
	for term := range rules.Terms {
		text = strings.ReplaceAll(text, term, "")
	}
	for _, word := range words(text) {
		if singular := strings.TrimSuffix(word, "s"); slices.Contains(vague(), singular) || slices.Contains(vague(), word) {
			t.report("name", s, name.Pos(), name.Name, "%s: %q names nothing; use the word of the glossary or the RFC", name.Name, word)
		}
	}
}

// vaguePackage knows the words as whole names and at the end of one: package
// names run together (tokenutil), and "userinfo" is OpenID Connect's own.
func vaguePackage(name string) string {
	name = strings.TrimSuffix(strings.TrimSuffix(name, "_test"), "s")
	for _, word := range vague() {
		if name == word {
			return word
		}
	}
	for _, word := range []string{"manager", "helper", "util", "impl"} {
		if strings.HasSuffix(name, word) {
			return word
		}
	}
	return ""
}

// checkLoose finds the switches that turn a check off, ours and others'. What
// only begins with "skip" is a parser's or a loop's business and no switch.
func (t *tree) checkLoose(s source, id *ast.Ident) {
	for _, word := range words(id.Name) {
		if word == "insecure" || (word == "skip" && strings.Contains(id.Name, "Skip")) {
			t.report("loose", s, id.Pos(), id.Name,
				"%s: no name in the house may loosen a check; what tests need belongs to pkg/signettest", id.Name)
			return
		}
	}
}

// harmless knows the foreign uses of the word that turn no check off: the
// answers to a directory walk, and a mode of the Go parser.
func harmless(sel *ast.SelectorExpr) bool {
	for _, pkg := range []string{"fs", "filepath"} {
		if isSelector(sel, pkg, "SkipDir") || isSelector(sel, pkg, "SkipAll") {
			return true
		}
	}
	return isSelector(sel, "parser", "SkipObjectResolution")
}

// words splits a Go name where a reader does, in lower case: "JWTInfo" is jwt
// and info, "Base64" is one word, and so is "Database".
func words(name string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = nil
		}
	}
	letters := []rune(name)
	for i, c := range letters {
		if c == '_' {
			flush()
			continue
		}
		afterLower := i > 0 && unicode.IsUpper(c) && !unicode.IsUpper(letters[i-1])
		endOfAcronym := i > 0 && unicode.IsUpper(c) && i+1 < len(letters) && unicode.IsLower(letters[i+1])
		if afterLower || endOfAcronym {
			flush()
		}
		word = append(word, c)
	}
	flush()
	return out
}
