package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listedPackage is what `go list -json` tells of a package.
type listedPackage struct {
	ImportPath, Dir, Export                            string
	GoFiles, TestGoFiles, XTestGoFiles, IgnoredGoFiles []string
}

// loaded is the tree with its types. A name is known by the position of its declaration, which is
// the same in a package with its tests and without them: each file is parsed once.
type loaded struct {
	t        *testing.T
	set      *token.FileSet
	files    map[string]*ast.File
	listed   map[string]listedPackage
	others   types.Importer            // packages that aren't the tree's
	packages map[string]*types.Package // the tree's, without their tests
	used     map[token.Pos]bool        // what another package than its own uses
}

// load checks the types of all packages, and of their tests, in this module and in that of the
// oracles.
func load(t *testing.T) *loaded {
	t.Helper()
	l := &loaded{
		t: t, set: token.NewFileSet(), files: map[string]*ast.File{}, listed: map[string]listedPackage{},
		packages: map[string]*types.Package{}, used: map[token.Pos]bool{},
	}
	l.others = importer.ForCompiler(l.set, "gc", func(path string) (io.ReadCloser, error) {
		if l.listed[path].Export == "" {
			return nil, fmt.Errorf("go list gives no export data for %q", path)
		}
		return os.Open(l.listed[path].Export)
	})
	for _, dir := range []string{root, filepath.Join(root, "tests/oracle")} {
		l.list(dir)
	}
	for path, p := range l.listed {
		if ours(path) {
			l.uses(path, p.Dir, slices.Concat(p.GoFiles, p.TestGoFiles))
			l.uses(path+"_test", p.Dir, p.XTestGoFiles)
		}
	}
	for path, p := range l.listed {
		if ours(path) {
			for _, name := range p.IgnoredGoFiles {
				l.guess(filepath.Join(p.Dir, name))
			}
		}
	}
	return l
}

func ours(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

// list asks the go command for the packages below a directory, and for compiled forms of what they
// import of others. The tree's own need none.
func (l *loaded) list(dir string) {
	var others []string
	for _, p := range l.ask(dir, "-test", "-deps", "./...") {
		switch path := p.ImportPath; {
		case strings.Contains(path, " ") || strings.HasSuffix(path, ".test"): // made for tests only: "p [q.test]", "q.test"
		case !ours(path):
			others = append(others, path)
		case l.listed[path].ImportPath == "":
			l.listed[path] = p
		}
	}
	for _, p := range l.ask(dir, append([]string{"-export"}, others...)...) {
		if l.listed[p.ImportPath].ImportPath == "" {
			l.listed[p.ImportPath] = p
		}
	}
}

// ask runs go list.
func (l *loaded) ask(dir string, args ...string) (all []listedPackage) {
	cmd := exec.Command("go", append([]string{
		"list", "-tags=urfave_cli_no_template", "-json=ImportPath,Dir,Export,GoFiles,TestGoFiles,XTestGoFiles,IgnoredGoFiles",
	}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		l.t.Fatalf("go list in %s: %v\n%s", dir, err, stderr.Bytes())
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			l.t.Fatal(err)
		}
		all = append(all, p)
	}
}

// Import gives a package without its tests. The tree's are checked from their sources, so that the
// positions of names are theirs.
func (l *loaded) Import(path string) (*types.Package, error) {
	switch {
	case path == "unsafe":
		return types.Unsafe, nil
	case !ours(path):
		return l.others.Import(path)
	case l.packages[path] == nil:
		p := l.listed[path]
		l.packages[path] = l.check(path, p.Dir, p.GoFiles, nil)
	}
	return l.packages[path], nil
}

// check checks the types of a package that is made of these files.
func (l *loaded) check(path, dir string, names []string, info *types.Info) *types.Package {
	var files []*ast.File
	for _, name := range names {
		files = append(files, l.parse(filepath.Join(dir, name)))
	}
	config := types.Config{Importer: l, Sizes: types.SizesFor("gc", "amd64")}
	p, err := config.Check(path, l.set, files, info)
	if err != nil {
		l.t.Fatalf("%s: %v", path, err)
	}
	return p
}

func (l *loaded) parse(name string) *ast.File {
	file := l.files[name]
	if file == nil {
		var err error
		if file, err = parser.ParseFile(l.set, name, nil, parser.SkipObjectResolution); err != nil {
			l.t.Fatal(err)
		}
		l.files[name] = file
	}
	return file
}

// uses notes what a package uses of others.
func (l *loaded) uses(path, dir string, names []string) {
	if len(names) == 0 {
		return
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	l.check(path, dir, names, info)
	for _, object := range info.Uses {
		if p := object.Pkg(); p != nil && ours(p.Path()) && p.Path() != path {
			l.used[object.Pos()] = true
		}
	}
}

// guess notes what a file may use of others that isn't built here, but for another architecture or
// with a tag. Its types aren't checked.
func (l *loaded) guess(name string) {
	file := l.parse(name)
	for _, spec := range file.Imports {
		p := l.packages[strings.Trim(spec.Path.Value, `"`)]
		if p == nil {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if object := p.Scope().Lookup(s.Sel.Name); object != nil {
					l.used[object.Pos()] = true
				}
			}
			return true
		})
	}
}

// objects lists what a package declares, with the methods of its types.
func objects(p *types.Package) []types.Object {
	var all []types.Object
	for _, name := range p.Scope().Names() {
		object := p.Scope().Lookup(name)
		all = append(all, object)
		if named := declared(object); named != nil {
			for m := range named.Methods() {
				all = append(all, m)
			}
		}
	}
	return all
}

// declared gives the type that a name is declared for, or nil.
func declared(object types.Object) *types.Named {
	named, ok := object.Type().(*types.Named)
	if _, isType := object.(*types.TypeName); !isType || !ok || named.Obj() != object {
		return nil
	}
	return named
}
