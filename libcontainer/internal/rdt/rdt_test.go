package rdt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/specconv"
)

// These tests run on a scratch directory: there is no resctrl filesystem without a processor that
// partitions its caches. It shows which files are written, in which order and when groups are made
// and removed; what the kernel makes of it, and that it fills a new group's directory, it does not.

const id = "container"

// mounted is a directory like resctrl's, with the given groups.
func mounted(t *testing.T, groups ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, g := range append(groups, ".", "info") {
		fill(t, filepath.Join(root, g))
	}
	return root
}

// fill makes the files that the kernel shows in a group.
func fill(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "mon_groups"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"tasks": "", "schemata": "    L3:0=7ff;1=7ff\n    MB:0=100;1=100\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// pointed is the place in the config that an error names.
func pointed(err error) string {
	if f, ok := errors.AsType[*specconv.FieldError](err); ok {
		return f.Pointer
	}
	return ""
}

func TestNothing(t *testing.T) {
	g, err := New(nil, id, "/nonexistent")
	if g != nil || err != nil {
		t.Errorf("New: %v, %v", g, err)
	}
	if g.Makes() != "" || g.Leaves() != "" || g.Create(1) != nil || Join(nil, id, "/nonexistent", 1) != nil || Remove("") != nil {
		t.Error("no group does something")
	}
}

func TestWhatIsMadeAndRemoved(t *testing.T) {
	for _, test := range []struct {
		name          string
		config        specs.LinuxIntelRdt
		exists        []string
		makes, leaves string
	}{
		{"group of its own", specs.LinuxIntelRdt{MemBwSchema: "MB:0=20"}, nil, id, id},
		{"group of its own without schema", specs.LinuxIntelRdt{}, nil, id, id},
		{"group with its name exists", specs.LinuxIntelRdt{}, []string{id}, "", ""},
		{"group with its name exists, monitored", specs.LinuxIntelRdt{EnableMonitoring: true}, []string{id}, id + "/mon_groups/" + id, id + "/mon_groups/" + id},
		{"monitored group of its own", specs.LinuxIntelRdt{EnableMonitoring: true}, nil, id, id},
		{"named group", specs.LinuxIntelRdt{ClosID: "gold", Schemata: []string{"L3:0=f"}}, nil, "gold", ""},
		{"named group, monitored", specs.LinuxIntelRdt{ClosID: "gold", Schemata: []string{"L3:0=f"}, EnableMonitoring: true}, nil, "gold", "gold/mon_groups/" + id},
		{"named group exists", specs.LinuxIntelRdt{ClosID: "gold"}, []string{"gold"}, "", ""},
		{"default group", specs.LinuxIntelRdt{ClosID: "/"}, nil, "", ""},
		{"default group, monitored", specs.LinuxIntelRdt{ClosID: "/", EnableMonitoring: true}, nil, "mon_groups/" + id, "mon_groups/" + id},
	} {
		root := mounted(t, test.exists...)
		g, err := New(&test.config, id, root)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		relative := func(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, root), "/") }
		if diff := cmp.Diff([]string{test.makes, test.leaves}, []string{relative(g.Makes()), relative(g.Leaves())}); diff != "" {
			t.Errorf("%s: makes, leaves (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestRefused(t *testing.T) {
	root := mounted(t, "gold")
	for _, test := range []struct {
		config  specs.LinuxIntelRdt
		pointer string
	}{
		{specs.LinuxIntelRdt{ClosID: "silver"}, pointer + "/closID"},
		{specs.LinuxIntelRdt{ClosID: "silver", EnableMonitoring: true}, pointer + "/closID"},
		{specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=7fe"}, pointer + "/l3CacheSchema"},
		{specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=7ff", MemBwSchema: "MB:1=90"}, pointer + "/memBwSchema"},
		{specs.LinuxIntelRdt{ClosID: "/", MemBwSchema: "MB:2=100"}, pointer + "/memBwSchema"},
	} {
		if _, err := New(&test.config, id, root); pointed(err) != test.pointer {
			t.Errorf("%+v: %v", test.config, err)
		}
	}
}

func TestNoResctrl(t *testing.T) {
	if path, err := mountPoint(); err == nil {
		t.Skipf("resctrl is mounted on %q", path)
	}
	_, err := New(&specs.LinuxIntelRdt{}, id, "")
	if pointed(err) != pointer || !errors.Is(err, errNoResctrl) {
		t.Errorf("New: %v", err)
	}
}

func TestCreateInExistingGroup(t *testing.T) {
	root := mounted(t, "gold", "gold/mon_groups/"+id)
	config := specs.LinuxIntelRdt{ClosID: "gold", Schemata: []string{"L3:0=1", "MB:0=10"}, EnableMonitoring: true}
	g, err := New(&config, id, root)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Create(4711); err != nil {
		t.Fatal(err)
	}
	if got := read(t, root, "gold/schemata"); !strings.HasPrefix(got, "L3:0=1\nMB:0=10\n") {
		t.Errorf("schemata: %q", got)
	}
	for _, group := range []string{"gold", "gold/mon_groups/" + id} {
		if got := read(t, root, group, "tasks"); got != "4711\n" {
			t.Errorf("%s/tasks: %q", group, got)
		}
	}
}

func TestNothingIsWrittenWithoutSchema(t *testing.T) {
	root := mounted(t)
	g, err := New(&specs.LinuxIntelRdt{ClosID: "/"}, id, root)
	if err != nil {
		t.Fatal(err)
	}
	before := read(t, root, "schemata")
	if err := g.Create(1); err != nil || read(t, root, "schemata") != before || read(t, root, "tasks") != "1\n" {
		t.Errorf("Create: %v; schemata %q", err, read(t, root, "schemata"))
	}
}

func TestJoin(t *testing.T) {
	root := mounted(t, id, id+"/mon_groups/"+id)
	if err := Join(&specs.LinuxIntelRdt{EnableMonitoring: true, L3CacheSchema: "L3:0=1"}, id, root, 12); err != nil {
		t.Fatal(err)
	}
	for _, group := range []string{id, id + "/mon_groups/" + id} {
		if got := read(t, root, group, "tasks"); got != "12\n" {
			t.Errorf("%s/tasks: %q", group, got)
		}
	}
}

func TestSet(t *testing.T) {
	root := mounted(t, id)
	config := &specs.LinuxIntelRdt{Schemata: []string{"L3:0=f"}}
	undo, err := Set(config, id, root, "", "MB:0=70")
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, root, id, "schemata"); !strings.HasPrefix(got, "MB:0=70\n") {
		t.Errorf("schemata: %q", got)
	}
	if err := undo(); err != nil {
		t.Error(err)
	}
	if got := read(t, root, id, "schemata"); !strings.HasPrefix(got, "L3:0=7ff;1=7ff\n    MB:0=100;1=100\n") {
		t.Errorf("schemata: %q", got)
	}
}

// TestWriteOrder sees the order in what a fifo gets.
func TestWriteOrder(t *testing.T) {
	root := mounted(t, "gold")
	config := specs.LinuxIntelRdt{ClosID: "gold", L3CacheSchema: "L3:0=7ff\nL3:1=7ff\n", MemBwSchema: "MB:0=100", Schemata: []string{"L3:0=3", "MB:1=50"}}
	g, err := New(&config, id, root)
	if err != nil {
		t.Fatal(err)
	}
	got := recordWrites(t, filepath.Join(root, "gold/schemata"), g.write)
	if diff := cmp.Diff("L3:0=7ff\nL3:1=7ff\nMB:0=100\nL3:0=3\nMB:1=50\n", got); diff != "" {
		t.Error(diff)
	}
}

func TestExplain(t *testing.T) {
	root := mounted(t, "gold")
	if err := os.WriteFile(filepath.Join(root, "info/last_cmd_status"), []byte("out of CLOSIDs\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	g := &Group{config: &specs.LinuxIntelRdt{ClosID: "x/y", Schemata: []string{"L3:0=3"}}, id: id, root: root, owned: true}
	if err := g.Create(1); err == nil || !strings.Contains(err.Error(), "(out of CLOSIDs)") {
		t.Errorf("Create: %v", err)
	}
	if g.Makes() != "" {
		t.Errorf("a group that could not be made is to be removed: %q", g.Makes())
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir() + "/x"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Remove(dir); err != nil {
			t.Error(err)
		}
	}
}

func TestHolds(t *testing.T) {
	const file = "    L3:0=007ff;1=00001\n    MB:0= 100;1=  10\nL3CODE:0=f\n"
	for schema, want := range map[string]bool{
		"L3:0=7ff;1=1":      true,
		"L3:1=0x1":          true,
		"L3:0=7ff;1=1;2=1":  false,
		"L3:0=7fe":          false,
		"MB:0=100;1=10":     true,
		"MB:0=64":           false, // 100 in hexadecimal
		"L3CODE:0=F":        true,
		"L2:0=f":            false,
		"L3":                false,
		"L3:":               false,
		"L3:0":              false,
		"L3:0=7ff;1=1\nX:1": false,

		"L3:0=7ff;1=1\nMB:0=100\n": true,
		"L3:0=7ff;1=1\nMB:0=90":    false,
		"L3:0=7ff\n\nL3:1=1":       false, // an empty line is none
	} {
		if got := holds(file, schema); got != want {
			t.Errorf("holds(%q) = %v", schema, got)
		}
	}
}

func TestResctrlAt(t *testing.T) {
	for line, want := range map[string]string{
		`36 25 0:31 / /sys/fs/resctrl rw,relatime shared:9 - resctrl resctrl rw`: "/sys/fs/resctrl",
		`36 25 0:31 / /mnt/a\040b rw - resctrl resctrl rw`:                       "/mnt/a b",
		`36 25 0:31 / /mnt/c\134040 rw - resctrl resctrl rw`:                     `/mnt/c\040`,
		`36 25 0:31 / /resctrl rw - tmpfs resctrl rw`:                            "",
		`36 25 - resctrl `: "",
		``:                 "",
	} {
		if got, _ := resctrlAt(line); got != want {
			t.Errorf("resctrlAt(%q) = %q", line, got)
		}
	}
}

// FuzzResctrlAt: a line that mountinfo has for a place leads to that place.
func FuzzResctrlAt(f *testing.F) {
	f.Add("/sys/fs/resctrl")
	f.Add("/a b\\040\t\nc")
	f.Fuzz(func(t *testing.T, place string) {
		if !strings.HasPrefix(place, "/") || strings.ContainsAny(place, "\x00\v\f\r\u0085\u00a0") {
			return
		}
		escaped := strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`).Replace(place)
		if len(strings.Fields(escaped)) != 1 {
			return // blanks of Unicode, which the kernel leaves alone
		}
		if got, found := resctrlAt("30 25 0:27 / " + escaped + " rw,relatime shared:1 - resctrl resctrl rw"); !found || got != place {
			t.Errorf("%q: %q, %v", place, got, found)
		}
		_, _ = resctrlAt(place) // whatever is there
	})
}
