// Package architecture holds the rules of the tree that a compiler doesn't: who may import whom,
// what may not be in the binary, how long a function may get, what an error may say.
// docs/design/architecture.md explains them; a rule that has to change is changed there and here,
// together.
package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.." // of the tree, from here
	module = "oci-run"
)

// source is one Go file of the tree.
type source struct {
	path string // from the root of the tree: "libcontainer/internal/rootfs/plan.go"
	pkg  string // the directory: "libcontainer/internal/rootfs"; "main" at the top
	test bool   // a _test.go file, in tests/, or of a program of its own: not in the binary
	file *ast.File
	set  *token.FileSet
}

// at is the "file:line" of a node.
func (s source) at(n ast.Node) string {
	return s.path + ":" + strconv.Itoa(s.set.Position(n.Pos()).Line)
}

// lines counts the lines that a node covers.
func (s source) lines(n ast.Node) int {
	return s.set.Position(n.End()).Line - s.set.Position(n.Pos()).Line + 1
}

// imported maps the name that each import has in the file to its path.
func (s source) imported() map[string]string {
	names := make(map[string]string, len(s.file.Imports))
	for _, spec := range s.file.Imports {
		target, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(target)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = target
	}
	return names
}

// tree parses each Go file of the tree.
func tree(t *testing.T) []source {
	t.Helper()
	var all []source
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		if entry.IsDir() && skipped(rel) {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(rel, ".go") {
			return nil
		}
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg := path.Dir(rel)
		if pkg == "." {
			pkg = "main"
		}
		tool := file.Name.Name == "main" && pkg != "main" // a generator, say
		test := tool || strings.HasSuffix(rel, "_test.go") || strings.HasPrefix(rel, "tests/")
		all = append(all, source{rel, pkg, test, file, set})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// skipped tells of a directory that its Go files, if any, aren't the tree's: what was built, what
// tests read, what begins with a dot, and a module of its own, which stands for one of somebody
// else's.
func skipped(dir string) bool {
	name := path.Base(dir)
	return dir != "." && (dir == "bin" || name == "testdata" || strings.HasPrefix(name, ".") || exists(path.Join(dir, "go.mod")))
}

// shipped is the part of the tree that is in the binary.
func shipped(t *testing.T) []source {
	t.Helper()
	var kept []source
	for _, s := range tree(t) {
		if !s.test {
			kept = append(kept, s)
		}
	}
	return kept
}

func exists(name string) bool {
	_, err := os.Stat(filepath.Join(root, name))
	return err == nil
}
