package architecture

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers is the order in which imports go: a package may import what stands in a later line, never a sibling in its own
// line or what stands above it. A package below another's directory is that one's own: it stands beside it, and nobody else
// imports it.
var layers = [][]string{
	{"main"},
	{"libcontainer"},
	{"libcontainer/initproc", "libcontainer/criu"},
	{"libcontainer/spawn", "libcontainer/syncpipe", "libcontainer/foreground"},
	{
		"libcontainer/rootfs", "libcontainer/cgroups", "libcontainer/seccomp", "libcontainer/process",
		"libcontainer/capabilities", "libcontainer/lsm", "libcontainer/console", "libcontainer/netdev",
		"libcontainer/rdt", "libcontainer/sdnotify", "libcontainer/sysctl",
	},
	{
		"libcontainer/state", "libcontainer/selfexe", "libcontainer/idmap", "libcontainer/namespaces", "libcontainer/wire",
		"libcontainer/fdsocket", "libcontainer/batch",
	},
	{"specconv", "hooks"},
	{"libcontainer/linux", "libcontainer/oncejson", "libcontainer/mainstack", "internal/cli", "internal/logfile"},
	{"internal/excerpt"},
}

// confined names the packages that alone may import a module, so that the rest doesn't grow around it.
var confined = []struct {
	module string
	to     []string
	reason string
}{
	{"github.com/opencontainers/cgroups", []string{"libcontainer/cgroups"}, "its types are no config of ours, and its weight is paid in one place"},
	{"github.com/coreos/go-systemd", []string{"libcontainer/cgroups"}, "only the systemd cgroup driver talks to D-Bus"},
	{"github.com/godbus/dbus", []string{"libcontainer/cgroups"}, "only the systemd cgroup driver talks to D-Bus"},
	{"github.com/sirupsen/logrus", nil, "the project logs through log/slog; a stand-in in libcontainer/cgroups/logrus is for a module that brings it along"},
	{"github.com/urfave/cli", []string{"internal/cli"}, "building the command tree costs time that init must not pay"},
	{"github.com/vishvananda/netlink", []string{"libcontainer/netdev"}, "28,000 lines for one subject"},
	{"github.com/opencontainers/selinux", []string{"libcontainer/lsm"}, "labels are one package's subject"},
	{"github.com/moby/sys/capability", []string{"libcontainer/capabilities"}, "capabilities are one package's subject"},
	{"github.com/containerd/console", []string{"libcontainer/console"}, "terminals are one package's subject"},
}

// layerOf is the line of a package, or of the one whose own it is; -1 if it has none.
func layerOf(pkg string) int {
	for {
		for i, layer := range layers {
			if slices.Contains(layer, pkg) {
				return i
			}
		}
		if pkg = path.Dir(pkg); pkg == "." || pkg == "libcontainer" { // whose directory holds all, not its own
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

func TestModulesAreConfined(t *testing.T) {
	for _, s := range shipped(t) {
		for _, spec := range s.file.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			for _, rule := range confined {
				if strings.HasPrefix(target, rule.module) && !slices.Contains(rule.to, s.pkg) {
					t.Errorf("%s: %s may not import %s, only %s may: %s", s.at(spec), s.pkg, target, strings.Join(rule.to, ", "), rule.reason)
				}
			}
		}
	}
}

// The benchmark and the demo are run on machines that have nothing, and measure nothing of ours from inside.
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
