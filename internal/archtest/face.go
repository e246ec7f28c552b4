package archtest

import (
	"go/ast"
	"go/token"
	"path"
	"strconv"
	"strings"
)

// checkFace demands a package comment everywhere, and of the packages that
// strangers import an API made of types that strangers can name.
func (t *tree) checkFace(r room, rules Rules) {
	shipped := r.shipped()
	if len(shipped) == 0 {
		return
	}
	if !introduced(shipped) {
		first := shipped[0]
		t.report("comment", first, first.file.Package, first.file.Name.Name,
			"package %s has no comment that opens with its name; it says what the package owns, what it never does and how things flow", first.file.Name.Name)
	}
	if !matchAny(rules.Face, r.dir) {
		return
	}
	for _, s := range shipped {
		inner := innerNames(s.file)
		for _, expr := range exported(s.file) {
			ast.Inspect(expr, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && inner[x.Name] != "" {
					t.report("face", s, sel.Pos(), sel.Sel.Name,
						"the API of %s mentions %s.%s of %s: whoever imports it from outside cannot name that type", r.dir, x.Name, sel.Sel.Name, inner[x.Name])
				}
				return true
			})
		}
	}
}

// introduced reports whether one of the files has the package comment. That of
// a command opens with whatever the command is called.
func introduced(files []source) bool {
	for _, s := range files {
		text := s.file.Doc.Text()
		if s.file.Name.Name == "main" && text != "" {
			return true
		}
		if strings.HasPrefix(text, "Package "+s.file.Name.Name+" ") {
			return true
		}
	}
	return false
}

// innerNames maps the names under which a file knows our internal packages to
// their folders.
func innerNames(f *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range f.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		imp := importOf(target)
		if _, inside := match("internal/...", imp.name); !imp.ours || !inside {
			continue
		}
		name := path.Base(imp.name)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = imp.name
	}
	return names
}

// exported returns the expressions that a stranger sees: signatures, and the
// types of exported declarations without their unexported fields.
func exported(f *ast.File) []ast.Node {
	var seen []ast.Node
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && exportedReceiver(d.Recv) {
				seen = append(seen, d.Type)
			}
		case *ast.GenDecl:
			if d.Tok == token.IMPORT {
				continue
			}
			for _, spec := range d.Specs {
				seen = append(seen, exportedSpec(spec)...)
			}
		}
	}
	return seen
}

func exportedReceiver(recv *ast.FieldList) bool {
	if recv == nil {
		return true
	}
	name := ""
	ast.Inspect(recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return true
	})
	return ast.IsExported(name)
}

func exportedSpec(spec ast.Spec) []ast.Node {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() && s.Type != nil {
				return []ast.Node{s.Type}
			}
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return nil
		}
		var fields []*ast.Field
		switch typ := s.Type.(type) {
		case *ast.StructType:
			fields = typ.Fields.List
		case *ast.InterfaceType:
			fields = typ.Methods.List
		default:
			return []ast.Node{s.Type}
		}
		return exportedFields(fields)
	}
	return nil
}

func exportedFields(fields []*ast.Field) []ast.Node {
	var seen []ast.Node
	for _, f := range fields {
		visible := len(f.Names) == 0 // embedded: its methods are part of the API
		for _, name := range f.Names {
			visible = visible || name.IsExported()
		}
		if visible {
			seen = append(seen, f.Type)
		}
	}
	return seen
}
