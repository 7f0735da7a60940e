package cgroups

import (
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseMembership(t *testing.T) {
	got, err := parseMembership("9:name=systemd:/\n3:cpu,cpuacct:/a/b:c\n0::/x\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []membership{
		{[]string{"name=systemd"}, "/"},
		{[]string{"cpu", "cpuacct"}, "/a/b:c"},
		{nil, "/x"},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(membership{})); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"x", "1:cpu", "1:cpu:relative"} {
		if _, err := parseMembership(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func FuzzParseMembership(f *testing.F) {
	f.Add("9:name=systemd:/\n0::/x\n")
	f.Fuzz(func(t *testing.T, text string) {
		ms, err := parseMembership(text)
		for _, m := range ms {
			if err == nil && m.path[0] != '/' {
				t.Errorf("path %q", m.path)
			}
		}
	})
}

func TestParseMounts(t *testing.T) {
	got := parseMounts(`25 30 0:23 / /sys rw,nosuid shared:7 - sysfs sysfs rw
31 25 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw,nsdelegate
34 25 0:30 /docker/x /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:16 - cgroup cgroup rw,cpu,cpuacct
35 25 0:31 / /sys/fs/cgroup/with\040space rw - cgroup cgroup rw,xattr,name=systemd
garbage
`)
	want := []mount{
		{true, "/", "/sys/fs/cgroup/unified", []string{"rw", "nsdelegate"}},
		{false, "/docker/x", "/sys/fs/cgroup/cpu,cpuacct", []string{"rw", "cpu", "cpuacct"}},
		{false, "/", "/sys/fs/cgroup/with space", []string{"rw", "xattr", "name=systemd"}},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(mount{})); d != "" {
		t.Error(d)
	}
	if !got[1].holds(&membership{controllers: []string{"cpuacct", "cpu"}}) || got[1].holds(&membership{}) ||
		!got[0].holds(&membership{}) {
		t.Error("holds")
	}
}

func FuzzParseMounts(f *testing.F) {
	f.Add(`35 25 0:31 / /a\040b rw - cgroup cgroup rw`)
	f.Fuzz(func(_ *testing.T, table string) { parseMounts(table) })
}

func TestPlanPaths(t *testing.T) {
	needRoot(t)
	own, err := readMembership("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	mode := CurrentMode()
	byName := func(path, id string) map[string]string {
		hs, err := planPaths(mode, path, id)
		if err != nil {
			t.Fatal(err)
		}
		if len(hs) == 0 {
			t.Fatal("no hierarchy found")
		}
		out := map[string]string{}
		for _, h := range hs {
			out[h.Name()] = h.Path
		}
		return out
	}
	for name, path := range byName("/a/../b//c/", "id") {
		if path != "/b/c" {
			t.Errorf("absolute: %s has path %q", name, path)
		}
	}
	absent, relative := byName("", "id"), byName("../../id", "x")
	if d := cmp.Diff(absent, relative); d != "" {
		t.Error(d)
	}
	for _, o := range own {
		if skipHierarchy(mode, &o) {
			continue
		}
		want := o.parent(mode, true) + "/id"
		if o.parent(mode, true) == "/" {
			want = "/id"
		}
		for _, name := range o.mountNames(mode) {
			if got, ok := absent[(&Hierarchy{Mount: mountRoot + name}).Name()]; ok && got != want {
				t.Errorf("relative: %s has path %q, want %q", name, got, want)
			}
		}
	}
}

// FuzzSubDir: no --cgroup of an exec leads out of the container's cgroup.
func FuzzSubDir(f *testing.F) {
	f.Fuzz(func(t *testing.T, sub string) {
		const dir = "/sys/fs/cgroup/cpu/a"
		got, err := subDir(dir, sub)
		if err != nil {
			return
		}
		if got != path.Clean(got) || got != dir && !strings.HasPrefix(got, dir+"/") || strings.Contains(got, "\x00") {
			t.Errorf("%q is %q", sub, got)
		}
	})
}
