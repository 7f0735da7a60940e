package architecture

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers is the order in which imports go: a package may import what stands in a later line, never
// a sibling in its own line or what stands above it. A package below another's directory is that
// one's own: it stands beside it, and nobody else imports it.
var layers = [][]string{
	{"main"},
	{"libcontainer"},
	{"libcontainer/internal/initproc", "libcontainer/internal/criu"},
	{"libcontainer/internal/spawn", "libcontainer/internal/syncpipe", "libcontainer/internal/program", "libcontainer/internal/foreground"},
	{
		"libcontainer/internal/rootfs", "libcontainer/internal/cgroups", "libcontainer/internal/seccomp", "libcontainer/internal/process",
		"libcontainer/internal/capabilities", "libcontainer/internal/lsm", "libcontainer/internal/console", "libcontainer/internal/netdev",
		"libcontainer/internal/rdt", "libcontainer/internal/sdnotify", "libcontainer/internal/sysctl",
	},
	{
		"libcontainer/internal/state", "libcontainer/internal/selfexe", "libcontainer/internal/idmap", "libcontainer/internal/namespaces",
		"libcontainer/internal/fdsocket", "libcontainer/internal/calls",
	},
	{"specconv", "hooks"},
	{"internal/cli", "internal/logfile", "internal/configure"},
	{"internal/oncejson"},
	{"internal/linux", "internal/files", "internal/thread"},
	{"internal/entry", "internal/mainstack", "internal/crash", "internal/excerpt", "internal/spelling", "internal/ere", "internal/screen", "internal/trace"},
	{"internal/log"},
}

// everywhere are the modules that all packages may import: the configuration's types, and the
// system calls.
var everywhere = []string{"github.com/opencontainers/runtime-spec", "golang.org/x/sys"}

// confined lists every other module that the binary is made of, with the only packages that may
// import it, so that the rest doesn't grow around it.
var confined = []struct {
	module string
	to     []string
	reason string
}{
	{"github.com/urfave/cli", []string{"internal/cli"}, "building the command tree costs time that init must not pay"},
}

// layerOf is the line of a package, or of the one whose own it is; -1 if it has none.
func layerOf(pkg string) int {
	for {
		for i, layer := range layers {
			if slices.Contains(layer, pkg) {
				return i
			}
		}
		if pkg = path.Dir(pkg); pkg == "." || pkg == "libcontainer" { // no package's own
			return -1
		}
	}
}

// listed tells if a package stands in layers itself.
func listed(pkg string) bool {
	return slices.ContainsFunc(layers, func(layer []string) bool { return slices.Contains(layer, pkg) })
}

// allowed tells if one package may import another.
func allowed(from, to string) bool {
	if !listed(to) { // another's own
		return strings.HasPrefix(to, from+"/") && layerOf(to) == layerOf(from)
	}
	return layerOf(to) > layerOf(from)
}

func TestImportsGoOneWay(t *testing.T) {
	for _, s := range shipped(t) {
		if layerOf(s.pkg) < 0 {
			t.Errorf("%s: package %q has no place in the order of imports (tests/architecture/imports_test.go)", s.path, s.pkg)
			continue
		}
		for _, spec := range s.file.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			if ours, ok := strings.CutPrefix(target, module+"/"); ok && !allowed(s.pkg, ours) {
				t.Errorf("%s: %s may not import %s: imports go down the order of layers", s.at(spec), s.pkg, ours)
			}
		}
	}
}

func TestEachLayersPackageExists(t *testing.T) {
	there := map[string]bool{}
	for _, s := range shipped(t) {
		there[s.pkg] = true
	}
	for _, pkg := range slices.Concat(layers...) {
		if !there[pkg] {
			t.Errorf("layers has a package %q that the tree has not", pkg)
		}
	}
}

func TestModulesAreConfined(t *testing.T) {
	used := map[string]bool{} // "module package"
	for _, s := range shipped(t) {
		for _, spec := range s.file.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			first, _, _ := strings.Cut(target, "/")
			if !strings.Contains(first, ".") || slices.ContainsFunc(everywhere, func(m string) bool { return within(target, m) }) {
				continue
			}
			ruled := false
			for _, rule := range confined {
				if !within(target, rule.module) {
					continue
				}
				ruled = true
				used[rule.module+" "+s.pkg] = true
				if !slices.Contains(rule.to, s.pkg) {
					t.Errorf("%s: %s may not import %s, only %s may: %s", s.at(spec), s.pkg, target, strings.Join(rule.to, ", "), rule.reason)
				}
			}
			if !ruled {
				t.Errorf("%s: imports %s, which no rule in confined knows: which one package's subject is it?", s.at(spec), target)
			}
		}
	}
	for _, rule := range confined {
		for _, pkg := range rule.to {
			if !used[rule.module+" "+pkg] {
				t.Errorf("confined allows %s to import %s, which it doesn't: take it out", pkg, rule.module)
			}
		}
	}
}

// within tells whether an import path is a module's, or of a package in it.
func within(target, module string) bool {
	return target == module || strings.HasPrefix(target, module+"/")
}

// The benchmark and the demo are run on machines that have nothing, and measure nothing of ours
// from inside.
func TestBenchAndDemoNeedNoModule(t *testing.T) {
	for _, s := range tree(t) {
		if !strings.HasPrefix(s.path, "bench/") && !strings.HasPrefix(s.path, "tests/demo/") {
			continue
		}
		for _, spec := range s.file.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			if first, _, _ := strings.Cut(target, "/"); strings.Contains(first, ".") && !strings.HasPrefix(target, "golang.org/x/sys/") {
				t.Errorf("%s: imports %s: only the standard library and x/sys", s.at(spec), target)
			}
		}
	}
}
