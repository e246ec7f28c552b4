package archtest

import (
	"errors"
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
)

// checkState demands that a package variable is a constant in all but name:
//
//   - it has a value where it is declared, made of literals or by a function
//     that is known to return something immutable (errors.New, Must…);
//   - nothing in its package, tests included, writes to it, takes its address
//     or calls a method that could change it;
//   - it is exported only when it is an error or an embedded file.
//
// So nothing changes behind a caller's back, and no test has a hook in what is
// shipped.
func (t *tree) checkState(r room) {
	vars := map[types.Object]source{}
	info := t.resolve(r)
	for _, s := range r.shipped() {
		if s.generated {
			continue
		}
		for _, decl := range s.file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				t.checkVariable(s, gen, spec.(*ast.ValueSpec))
				for _, name := range spec.(*ast.ValueSpec).Names {
					if obj := info.Defs[name]; obj != nil {
						vars[obj] = s
					}
				}
			}
		}
	}
	for _, s := range r.files {
		w := writes{tree: t, source: s, vars: vars, info: info}
		ast.Inspect(s.file, w.visit)
	}
}

// resolve says which name means which declaration within the package. Imports
// are left blank and their errors ignored: only the package's own names matter.
func (t *tree) resolve(r room) *types.Info {
	info := &types.Info{
		Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	byName := map[string][]*ast.File{}
	for _, s := range r.files {
		byName[s.file.Name.Name] = append(byName[s.file.Name.Name], s.file)
	}
	for name, files := range byName {
		conf := types.Config{Importer: blank{}, Error: func(error) {}, DisableUnusedImportCheck: true}
		// The error says that the blank imports lack what is asked of them.
		_, _ = conf.Check(r.dir+"."+name, t.fset, files, info)
	}
	return info
}

// blank imports every package as an empty one.
type blank struct{}

func (blank) Import(target string) (*types.Package, error) {
	if target == "C" || target == "unsafe" {
		return nil, errors.New("not looked into")
	}
	name := path.Base(target)
	if len(name) > 1 && name[0] == 'v' && strings.Trim(name[1:], "0123456789") == "" {
		name = path.Base(path.Dir(target)) // a major version is not the name
	}
	pkg := types.NewPackage(target, name)
	pkg.MarkComplete()
	return pkg, nil
}

func (t *tree) checkVariable(s source, gen *ast.GenDecl, spec *ast.ValueSpec) {
	embedded := isEmbedded(gen.Doc) || isEmbedded(spec.Doc)
	for i, name := range spec.Names {
		if name.Name == "_" || embedded {
			continue
		}
		why := ""
		switch {
		case len(spec.Values) == 0:
			why = "has no value, so it exists to be assigned"
		case len(spec.Values) != len(spec.Names):
			why = "comes out of a call that returns several values"
		default:
			why = mutable(spec.Values[i])
		}
		if why == "" && name.IsExported() && !isError(spec.Values[i]) {
			why = "is exported, so that anybody may assign it; make it a function or a constant"
		}
		if why != "" {
			t.report("state", s, name.Pos(), name.Name, "package variable %s %s; what a type needs is its fields", name.Name, why)
		}
	}
}

func isEmbedded(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
}

// mutable returns what is wrong with an initial value, or nothing.
func mutable(value ast.Expr) string {
	switch v := value.(type) {
	case *ast.BasicLit:
		return ""
	case *ast.ParenExpr:
		return mutable(v.X)
	case *ast.BinaryExpr:
		return mutable(v.X) + mutable(v.Y)
	case *ast.UnaryExpr:
		if v.Op == token.AND {
			return "is a pointer, whose target anybody in the package may change"
		}
		return mutable(v.X)
	case *ast.CompositeLit:
		if sel, ok := v.Type.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") {
				return "is a " + x.Name + "." + sel.Sel.Name + ", which exists to be changed"
			}
		}
		return ""
	case *ast.CallExpr:
		return mutableCall(v)
	case *ast.FuncLit:
		return "holds a function; declare the function"
	}
	return "is another name for a thing that has one; use that"
}

// constructors return what nobody can change afterwards.
func constructors() []string {
	return []string{
		"errors.New", "fmt.Errorf", "fault.New", "strings.NewReplacer", "strings.Repeat",
		"sync.OnceValue", "sync.OnceValues", "language.NewMatcher", "reflect.TypeFor",
		"big.NewInt", "time.Date", "time.Unix", "netip.AddrFrom4", "netip.AddrFrom16", "netip.PrefixFrom",
		"precis.NewIdentifier", "precis.NewFreeform", "len", "string",
	}
}

func mutableCall(call *ast.CallExpr) string {
	const unknown = "comes out of a call that may return something changeable; make it a field, or a function"
	switch fn := call.Fun.(type) {
	case *ast.ArrayType: // a conversion: []byte("…")
		return ""
	case *ast.Ident:
		if slices.Contains(constructors(), fn.Name) || strings.HasPrefix(fn.Name, "must") || types.Universe.Lookup(fn.Name) != nil && fn.Name != "new" && fn.Name != "make" {
			return ""
		}
	case *ast.SelectorExpr:
		name := fn.Sel.Name
		if x, ok := fn.X.(*ast.Ident); ok && slices.Contains(constructors(), x.Name+"."+name) {
			return ""
		}
		if strings.HasPrefix(name, "Must") {
			return ""
		}
		// base64.RawURLEncoding.Strict() and its kin return a changed copy.
		if _, chained := fn.X.(*ast.SelectorExpr); chained && (name == "Strict" || name == "WithPadding") {
			return ""
		}
	}
	return unknown
}

// isError knows a sentinel by the call that makes it.
func isError(value ast.Expr) bool {
	call, ok := value.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (isSelector(sel, "errors", "New") || isSelector(sel, "fmt", "Errorf") || isSelector(sel, "fault", "New"))
}

// writes looks for whatever changes one of vars.
type writes struct {
	tree   *tree
	source source
	vars   map[types.Object]source
	info   *types.Info
}

func (w writes) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			for _, left := range n.Lhs {
				w.written(left, "is assigned")
			}
		}
	case *ast.IncDecStmt:
		w.written(n.X, "is counted up or down")
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			w.written(n.Key, "is assigned")
			w.written(n.Value, "is assigned")
		}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			w.written(n.X, "has its address taken")
		}
	case *ast.CallExpr:
		w.called(n)
	}
	return true
}

// called knows the built-in functions that change their argument, and methods
// that take the variable's address without a sign of it.
func (w writes) called(call *ast.CallExpr) {
	switch fn := call.Fun.(type) {
	case *ast.Ident:
		if (fn.Name == "delete" || fn.Name == "clear" || fn.Name == "copy") && len(call.Args) > 0 {
			w.written(call.Args[0], "is changed by "+fn.Name)
		}
	case *ast.SelectorExpr:
		chosen := w.info.Selections[fn]
		if chosen == nil || chosen.Kind() != types.MethodVal {
			return
		}
		signature, ok := chosen.Obj().Type().(*types.Signature)
		if !ok || signature.Recv() == nil {
			return
		}
		if _, pointer := signature.Recv().Type().(*types.Pointer); pointer {
			w.written(fn.X, "is changed by its method "+fn.Sel.Name)
		}
	}
}

// written follows x[i].f to the variable that it is a part of.
func (w writes) written(expr ast.Expr, how string) {
	for expr != nil {
		switch x := expr.(type) {
		case *ast.ParenExpr:
			expr = x.X
		case *ast.IndexExpr:
			expr = x.X
		case *ast.SliceExpr:
			expr = x.X
		case *ast.SelectorExpr:
			expr = x.X
		case *ast.StarExpr:
			expr = x.X
		case *ast.Ident:
			if _, watched := w.vars[w.info.Uses[x]]; watched {
				w.tree.report("state", w.source, x.Pos(), x.Name,
					"package variable %s %s; what a type needs is its fields", x.Name, how)
			}
			return
		default:
			return
		}
	}
}
