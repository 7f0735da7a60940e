package architecture

import (
	"go/ast"
	"strings"
	"testing"
)

// Each package's tests run apart from whoever calls them (tests/isolation), or they pass in a
// terminal and fail under nohup(1).
func TestTestsAreIsolated(t *testing.T) {
	isolated := map[string]bool{}
	for _, s := range tree(t) {
		if !strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		isolated[s.pkg] = isolated[s.pkg] || isolates(s)
	}
	for pkg, ok := range isolated {
		if !ok {
			t.Errorf("%s has no TestMain that calls fdleak.Main or isolation.Main", pkg)
		}
	}
}

// isolates tells whether a file has a TestMain that leaves the tests to one of the two.
func isolates(s source) bool {
	imported, found := s.imported(), false
	for _, decl := range s.file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Name.Name != "TestMain" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				pkg, ok := n.X.(*ast.Ident)
				if ok && n.Sel.Name == "Main" {
					target := imported[pkg.Name]
					found = found || target == module+"/tests/fdleak" || target == module+"/tests/isolation"
				}
			case *ast.CallExpr: // from the two packages themselves
				name, ok := n.Fun.(*ast.Ident)
				found = found || ok && name.Name == "Main"
			}
			return true
		})
	}
	return found
}
