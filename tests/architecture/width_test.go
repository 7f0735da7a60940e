package architecture

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// widest is how many columns a line of comment may reach, with tabs of four.
const widest = 100

// wide bounds, by directory, the lines that are still wider. The numbers go down; nothing is added.
var wide = map[string]int{
	".":                                 20,
	"bench":                             1,
	"hooks":                             50,
	"internal/cli":                      1,
	"internal/excerpt":                  2,
	"internal/logfile":                  1,
	"libcontainer/batch/asm":            1,
	"libcontainer/batch":                30,
	"libcontainer/cgroups/devices":      50,
	"libcontainer/cgroups/systemd/dbus": 30,
	"libcontainer/cgroups/systemd":      60,
	"libcontainer/cgroups":              260,
	"libcontainer/criu":                 1,
	"libcontainer/foreground":           2,
	"libcontainer/initproc":             30,
	"libcontainer/linux":                1,
	"libcontainer/process":              160,
	"libcontainer/rdt":                  1,
	"libcontainer/rootfs":               200,
	"libcontainer/seccomp":              3,
	"libcontainer/spawn":                30,
	"libcontainer/state":                50,
	"libcontainer/syncpipe":             20,
	"libcontainer":                      90,
	"specconv":                          100,
	"tests/schema":                      3,
	"tests/security/racer":              1,
	"tests/terminal":                    1,
}

func TestCommentsAreNotWide(t *testing.T) {
	found := map[string][]string{}
	for _, s := range tree(t) {
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				begin := s.set.Position(c.Pos())
				for i, line := range strings.Split(c.Text, "\n") {
					columns := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    "))
					if i == 0 {
						columns += begin.Column - 1 // a tab counts for one here: nobody has to break a line for it
					}
					if columns > widest && !strings.HasPrefix(line, "//go:") && !strings.Contains(line, "://") {
						found[path.Dir(s.path)] = append(found[path.Dir(s.path)], s.at(c))
					}
				}
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(found)) {
		if n := len(found[dir]); n > wide[dir] {
			t.Errorf("%s: %d lines of comment are wider than %d columns, %d may still be: %s", dir, n, widest, wide[dir], strings.Join(found[dir][:min(n, 10)], " "))
		}
	}
	for dir, n := range wide {
		if len(found[dir]) == 0 {
			t.Errorf("%s: no line of comment is wide any more, the list says %d: take it out", dir, n)
		}
	}
}
