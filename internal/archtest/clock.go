package archtest

import "go/ast"

// checkClock keeps time where it is: code calls time.Now() itself and tests
// own the clock (testing/synctest), so nothing needs a clock handed in.
func (t *tree) checkClock(r room) {
	const why = "call time.Now() where the time is needed; testing/synctest owns the clock in tests"
	for _, s := range r.shipped() {
		called := map[ast.Expr]bool{}
		declared := map[*ast.FuncType]bool{} // a function that tells a time, such as (Key).Expires
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				called[n.Fun] = true
			case *ast.FuncDecl:
				declared[n.Type] = true
			case *ast.FuncLit:
				declared[n.Type] = true
			case *ast.InterfaceType:
				for _, m := range n.Methods.List {
					fn, ok := m.Type.(*ast.FuncType)
					if ok && len(m.Names) == 1 && m.Names[0].Name != "Now" {
						declared[fn] = true
					}
				}
			case *ast.SelectorExpr:
				if isSelector(n, "time", "Now") && !called[n] {
					t.report("clock", s, n.Pos(), "time.Now", "time.Now is handed around as a value: %s", why)
				}
				if isSelector(n, "context", "TO"+"DO") {
					t.report("promise", s, n.Pos(), n.Sel.Name, "a context that somebody should have handed in: pass the caller's")
				}
			case *ast.FuncType:
				if tellsTime(n) && !declared[n] {
					t.report("clock", s, n.Pos(), "func() time.Time", "a clock to be handed in: %s", why)
				}
			}
			return true
		})
	}
}

func tellsTime(fn *ast.FuncType) bool {
	if fn.Params.NumFields() != 0 || fn.Results.NumFields() != 1 {
		return false
	}
	sel, ok := fn.Results.List[0].Type.(*ast.SelectorExpr)
	return ok && isSelector(sel, "time", "Time")
}

func isSelector(sel *ast.SelectorExpr, pkg, name string) bool {
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg && sel.Sel.Name == name
}
