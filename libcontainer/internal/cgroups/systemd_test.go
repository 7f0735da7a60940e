package cgroups

import (
	"errors"
	"math"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/cgroups/systemd"
	"oci-run/specconv"
)

func TestParseUnitPath(t *testing.T) {
	for _, c := range []struct {
		path, slice, unit string
		ok                bool
	}{
		{"", "", "oci-run-ID.scope", true},
		{"machine.slice:libpod:abc", "machine.slice", "libpod-abc.scope", true},
		{":p:n", "", "p-n.scope", true},
		{"a.slice::n", "a.slice", "n.scope", true},
		{"/docker/abc", "", "", false},
		{"a:b", "", "", false},
		{"a.slice:p:n/../m", "", "", false},
		{"a.slice:p:n.slice", "", "", false},
		{"a.slice::", "", "", false},
	} {
		slice, unit, err := parseUnitPath(c.path, "ID")
		if slice != c.slice || unit != c.unit || (err == nil) != c.ok {
			t.Errorf("%q: %q, %q, %v", c.path, slice, unit, err)
		}
	}
}

func TestExpandSlice(t *testing.T) {
	for slice, want := range map[string]string{
		"-.slice":        "/",
		"system.slice":   "/system.slice",
		"test-a-b.slice": "/test.slice/test-a.slice/test-a-b.slice",
		"a--b.slice":     "",
		"-a.slice":       "",
		".slice":         "",
		"a/b.slice":      "",
		"a":              "",
	} {
		if got, err := expandSlice(slice); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", slice, got, err, want)
		}
	}
}

func TestProperties(t *testing.T) {
	m := managerOf(Record{Mode: V2})
	l := newLimits(&specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: new(int64(100)), Swap: new(int64(100))},
		CPU:    &specs.LinuxCPU{Shares: new(uint64(1024)), Quota: new(int64(12345)), Period: new(uint64(100000)), Cpus: "0-2,9"},
		Pids:   &specs.LinuxPids{Limit: new(int64(-1))},
		Unified: map[string]string{
			"cgroup.freeze": "0", "memory.high": "max", "memory.low": " 7 ", "pids.max": "0",
		},
	})
	got, err := m.properties(l)
	if err != nil {
		t.Fatal(err)
	}
	want := []systemd.Property{
		{Name: "MemoryMax", Value: uint64(100)}, {Name: "MemorySwapMax", Value: uint64(0)}, {Name: "CPUWeight", Value: uint64(100)},
		{Name: "CPUQuotaPeriodUSec", Value: uint64(100000)}, {Name: "CPUQuotaPerSecUSec", Value: uint64(130000)},
		{Name: "TasksMax", Value: uint64(math.MaxUint64)}, {Name: "AllowedCPUs", Value: []byte{7, 2}},
		{Name: "MemoryHigh", Value: uint64(math.MaxUint64)}, {Name: "MemoryLow", Value: uint64(7)}, {Name: "TasksMax", Value: uint64(1)},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if *l.CPU.Quota != 13000 {
		t.Errorf("quota %d", *l.CPU.Quota)
	}
}

func TestAnnotatedProperties(t *testing.T) {
	got, err := annotatedProperties(map[string]string{
		"other": "x", "org.systemd.property.KillSignal": "15", "org.systemd.property.TimeoutStopSec": "1.5",
		"org.systemd.property.CollectMode": "'inactive'", "org.systemd.property.After": "['a.service', \"b.service\"]",
	})
	want := []systemd.Property{
		{Name: "After", Value: []string{"a.service", "b.service"}, At: "/annotations/org.systemd.property.After"},
		{Name: "CollectMode", Value: "inactive", At: "/annotations/org.systemd.property.CollectMode"},
		{Name: "KillSignal", Value: int32(15), At: "/annotations/org.systemd.property.KillSignal"},
		{Name: "TimeoutStopUSec", Value: uint64(1500000), At: "/annotations/org.systemd.property.TimeoutStopSec"},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v, %s", err, d)
	}
	for _, bad := range []string{"ExecStart", "PIDs", "Slice", "Delegate", "", "Sec"} {
		if _, err := annotatedProperties(map[string]string{annotationPrefix + bad: "1"}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// FuzzAnnotations: whatever annotations say, the scope gets properties of the list only, or an
// error that names the annotation.
func FuzzAnnotations(f *testing.F) {
	f.Fuzz(func(t *testing.T, key, value string) {
		got, err := annotatedProperties(map[string]string{key: value, annotationPrefix + key: value})
		if fe := (*specconv.FieldError)(nil); err != nil && !errors.As(err, &fe) {
			t.Errorf("%v names no field", err)
		}
		for _, p := range got {
			if !slices.Contains(annotated[:], p.Name) {
				t.Errorf("%q sets %q", key, p.Name)
			}
		}
	})
}

func TestAnnotatedIsSorted(t *testing.T) {
	for i := 1; i < len(annotated); i++ {
		if annotated[i-1] >= annotated[i] {
			t.Errorf("%s before %s", annotated[i-1], annotated[i])
		}
	}
}

func TestDisabled(t *testing.T) {
	r := &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: new(int64(5))}}
	m, err := New(&specs.Spec{Linux: &specs.Linux{Resources: r}}, Options{ID: "x", Driver: DriverDisabled})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{m.Create(), m.Configure(), m.Join(1), m.Limit(), m.Set(r), m.Thaw(), m.Kill(), m.Destroy(5 * time.Second)} {
		if err != nil {
			t.Error(err)
		}
	}
	if len(m.Hierarchies()) > 0 || m.Path("pids") != "" {
		t.Error("there is a cgroup")
	}
	if _, err := New(&specs.Spec{}, Options{ID: "x", Driver: "magic"}); err == nil {
		t.Error("an unknown driver is accepted")
	}
}

// FuzzParseUnitPath: what a cgroupsPath names is a scope in a directory of its own, whatever it is.
func FuzzParseUnitPath(f *testing.F) {
	for _, seed := range []string{"", "machine.slice:web:one", "a-b.slice::x", "x.slice:p:../y", "a--b.slice:p:n", "-.slice:p:n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		slice, unit, err := parseUnitPath(text, "id")
		if err != nil {
			return
		}
		if strings.ContainsAny(unit, "/\x00") || !strings.HasSuffix(unit, ".scope") || len(unit) > 255 {
			t.Errorf("%q is the unit %q", text, unit)
		}
		dir, err := expandSlice(slice)
		if err == nil && (dir != path.Clean(dir) || !path.IsAbs(dir) || dir != "/" && path.Base(dir) != slice) {
			t.Errorf("%q is in %q", text, dir)
		}
	})
}
