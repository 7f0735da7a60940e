package architecture

import (
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// An exported name is a promise to other packages. One that none of them uses promises nothing, and
// makes its package harder to learn and to change. Who uses libcontainer are the command, tests
// and the examples; a user of the package below it is whoever may import it.
//
// Fields are left out: many are exported for encoders, which see no others.
func TestExportedNamesAreUsedElsewhere(t *testing.T) {
	if testing.Short() {
		t.Skip("checks the types of all packages")
	}
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	l := load(t)
	exported, reached, asked := l.exported(), l.reached(), l.asked()
	grouped := l.grouped(reached)
	for _, at := range slices.Sorted(maps.Keys(exported)) {
		if !l.used[at] && !reached[at] && !grouped[at] && !asked[at] {
			p := l.set.Position(at)
			name := strings.TrimPrefix(p.Filename, top+"/")
			t.Errorf("%s:%d: %s is exported, and no other package uses it: unexport it, or take it out", name, p.Line, exported[at])
		}
	}
	found := map[string]bool{} // so that a search that finds nothing doesn't pass
	for at, name := range exported {
		found[name] = l.used[at]
	}
	for _, name := range []string{"libcontainer.Factory", "libcontainer.Container.Kill", "internal/linux.Openat2"} {
		if !found[name] {
			t.Errorf("%s is not found among what other packages use", name)
		}
	}
}

// exported gives the names that the tree's packages export, with the methods of their types, by the
// position of the declaration; not those of main, which nobody can import.
func (l *loaded) exported() map[token.Pos]string {
	all := map[token.Pos]string{}
	for path, p := range l.packages {
		for _, object := range objects(p) {
			pkg := strings.TrimPrefix(path, module+"/")
			if !object.Exported() || p.Name() == "main" {
				continue
			}
			name := pkg + "."
			if f, ok := object.(*types.Func); ok && f.Signature().Recv() != nil {
				name += receiver(f) + "."
			}
			all[object.Pos()] = name + object.Name()
		}
	}
	return all
}

func receiver(method *types.Func) string {
	t := method.Signature().Recv().Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	return t.(*types.Named).Obj().Name()
}

// reached gives what others meet without a name for it: the types in a signature that they use, and
// of the fields of a type that they have; and the constants of such a type.
func (l *loaded) reached() map[token.Pos]bool {
	w := walk{}
	for _, p := range l.packages {
		for _, object := range objects(p) {
			if l.used[object.Pos()] {
				w.through(object.Type())
			}
		}
	}
	reached := map[token.Pos]bool{}
	for typ := range w {
		if named, ok := typ.(*types.Named); ok {
			reached[named.Obj().Pos()] = true
		}
	}
	for _, p := range l.packages {
		for _, object := range objects(p) {
			named, ok := object.Type().(*types.Named)
			if _, isConst := object.(*types.Const); isConst && ok && w[named] && named.Obj().Pkg() == p {
				reached[object.Pos()] = true
			}
		}
	}
	return reached
}

// grouped gives the constants of a group of which others use one, or whose type they meet: a list
// of alternatives is exported as a whole.
func (l *loaded) grouped(reached map[token.Pos]bool) map[token.Pos]bool {
	grouped := map[token.Pos]bool{}
	for _, file := range l.files {
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			var names []*ast.Ident
			for _, spec := range group.Specs {
				names = append(names, spec.(*ast.ValueSpec).Names...)
			}
			if slices.ContainsFunc(names, func(n *ast.Ident) bool { return l.used[n.Pos()] || reached[n.Pos()] }) {
				for _, n := range names {
					grouped[n.Pos()] = true
				}
			}
		}
	}
	return grouped
}

// walk has the types that were met.
type walk map[types.Type]bool

// through goes through what a type is made of.
func (w walk) through(typ types.Type) {
	if w[typ] {
		return
	}
	w[typ] = true
	switch typ := typ.(type) {
	case *types.Named:
		if p := typ.Obj().Pkg(); p != nil && ours(p.Path()) {
			w.through(typ.Underlying())
		}
		for a := range typ.TypeArgs().Types() {
			w.through(a)
		}
	case *types.Alias:
		w.through(types.Unalias(typ))
	case *types.Signature:
		w.through(typ.Params())
		w.through(typ.Results())
	case *types.Tuple:
		for v := range typ.Variables() {
			w.through(v.Type())
		}
	case *types.Struct:
		for f := range typ.Fields() {
			if f.Exported() {
				w.through(f.Type())
			}
		}
	case *types.Map:
		w.through(typ.Key())
		w.through(typ.Elem())
	case interface{ Elem() types.Type }: // pointer, slice, array, channel
		w.through(typ.Elem())
	}
}

// asked gives the methods that a type has because an interface asks for them: one that the tree or
// a package that it imports has, or error; and what package errors looks for.
func (l *loaded) asked() map[token.Pos]bool {
	interfaces := []*types.Interface{types.Universe.Lookup("error").Type().Underlying().(*types.Interface)}
	known := map[string]*types.Package{}
	for path, p := range l.packages {
		known[path] = p
		for _, i := range p.Imports() {
			known[i.Path()] = i
		}
	}
	for _, p := range known {
		for _, name := range p.Scope().Names() {
			if named := declared(p.Scope().Lookup(name)); named != nil {
				if i, ok := named.Underlying().(*types.Interface); ok {
					interfaces = append(interfaces, i)
				}
			}
		}
	}
	asked := map[token.Pos]bool{}
	for _, p := range l.packages {
		for _, object := range objects(p) {
			if named := declared(object); named != nil {
				for m := range named.Methods() {
					asked[m.Pos()] = slices.Contains(wellKnownMethods, m.Name()) || slices.ContainsFunc(interfaces, func(i *types.Interface) bool {
						return hasMethods(named, i) && lookUp(i, m.Name()) != nil
					})
				}
			}
		}
	}
	return asked
}

// hasMethods tells whether a type has the methods of an interface, by their names: those of a
// generic interface have other parameters in each instance.
func hasMethods(named *types.Named, i *types.Interface) bool {
	for m := range i.Methods() {
		if lookUp(types.NewPointer(named), m.Name()) == nil {
			return false
		}
	}
	return true
}

func lookUp(t types.Type, method string) types.Object {
	object, _, _ := types.LookupFieldOrMethod(t, false, nil, method)
	return object
}
