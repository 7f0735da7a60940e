package architecture

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What separates code that is loved from code that is endured is not its median but its tail: the
// one function and the one file that everybody has to edit.
const (
	longestFunction = 60  // lines, none above
	usualFunction   = 30  // lines, nine in ten at most that long
	longestFile     = 500 // lines
	mostMethods     = 30  // of a type
	usualShare      = 0.9
	fewestToCompare = 20 // below so many functions a share says nothing
	forbiddenNouns  = `(?i)^(utils?|common|helpers?|misc|system|base|shared|lib)(_.*)?$`
)

func TestFunctionsAreShort(t *testing.T) {
	type function struct {
		where string
		lines int
	}
	var all []function
	for _, s := range shipped(t) {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				all = append(all, function{s.at(f) + ": " + f.Name.Name, s.lines(f)})
			}
		}
	}
	usual := 0
	for _, f := range all {
		if f.lines <= usualFunction {
			usual++
		}
		if f.lines > longestFunction {
			t.Errorf("%s has %d lines, more than %d", f.where, f.lines, longestFunction)
		}
	}
	if len(all) < fewestToCompare || float64(usual) >= usualShare*float64(len(all)) {
		return
	}
	t.Errorf("only %d of %d functions have %d lines or fewer; the longest:", usual, len(all), usualFunction)
	slices.SortFunc(all, func(a, b function) int { return cmp.Compare(b.lines, a.lines) })
	for _, f := range all[:10] {
		t.Logf("%3d lines: %s", f.lines, f.where)
	}
}

func TestFilesAreShort(t *testing.T) {
	for _, s := range shipped(t) {
		text, err := os.ReadFile(filepath.Join(root, s.path))
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(text, []byte("\n")); n > longestFile && !ast.IsGenerated(s.file) {
			t.Errorf("%s has %d lines, more than %d: which second subject is in it?", s.path, n, longestFile)
		}
	}
}

// manyMethods are the types that may have more than mostMethods, and how many: about what they had
// when the rule came. The first is the public face, whose verbs are its methods; the others are
// candidates for a cut.
var manyMethods = map[string]int{
	"libcontainer.Container":                     85,
	"libcontainer/internal/calls.List":           40,
	"libcontainer/internal/cgroups/systemd.Conn": 40,
	"libcontainer/internal/initproc.container":   45, // a step is a method
	"libcontainer/internal/state.Dir":            45,
}

// A method may use each field of its type, so whoever reads one has to know all that others may
// have done to them. A type grows by one method at a time, and nobody sees it: rootfs.FS had come
// to 88.
func TestTypesHaveFewMethods(t *testing.T) {
	methods := map[string]int{}
	for _, s := range shipped(t) {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil {
				methods[s.pkg+"."+receiverName(f.Recv)]++
			}
		}
	}
	for name, n := range methods {
		if most := max(mostMethods, manyMethods[name]); n > most {
			t.Errorf("%s has %d methods, more than %d: which of them live how long, and need which fields?", name, n, most)
		}
	}
	for name, most := range manyMethods {
		if n := methods[name]; n <= mostMethods {
			t.Errorf("%s has %d methods: it needs no line in manyMethods, which gives it %d", name, n, most)
		}
	}
}

// A name that fits everything ends up holding everything.
func TestNamesAreNouns(t *testing.T) {
	forbidden := regexp.MustCompile(forbiddenNouns)
	for _, s := range tree(t) {
		names := append(strings.Split(path.Dir(s.path), "/"), strings.TrimSuffix(path.Base(s.path), ".go"), s.file.Name.Name)
		for _, name := range names {
			if forbidden.MatchString(name) {
				t.Errorf("%s: %q names no subject", s.path, name)
			}
		}
	}
}

func TestExportedSymbolsAreDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range shipped(t) {
		documented[s.pkg] = documented[s.pkg] || s.file.Doc != nil
		if s.pkg == "main" {
			continue
		}
		for _, decl := range s.file.Decls {
			for _, name := range undocumented(decl) {
				t.Errorf("%s: %s has no comment", s.at(name), name.Name)
			}
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no comment that says what it is for", pkg)
		}
	}
}

// wellKnownMethods say by their name which interface they are for.
var wellKnownMethods = []string{"Error", "String", "Unwrap", "Is", "Close", "Len", "Less", "Swap"}

// undocumented lists the exported names of a declaration that no comment covers. A group's comment
// covers its members.
func undocumented(decl ast.Decl) []*ast.Ident {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		known := slices.Contains(wellKnownMethods, d.Name.Name)
		if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv) && !known) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		if d.Doc != nil || d.Tok == token.IMPORT {
			return nil
		}
		var names []*ast.Ident
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Doc == nil && s.Comment == nil && s.Name.IsExported() {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				if s.Doc == nil && s.Comment == nil && s.Names[0].IsExported() {
					names = append(names, s.Names[0])
				}
			}
		}
		return names
	}
	return nil
}

func exportedReceiver(list *ast.FieldList) bool { return ast.IsExported(receiverName(list)) }

// receiverName names the type of a method.
func receiverName(list *ast.FieldList) string {
	expr := list.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr: // T[P]
			expr = e.X
		case *ast.IndexListExpr: // T[P, Q]
			expr = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}
