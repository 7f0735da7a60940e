package systemd

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]int{
		"252.39-1~deb12u1": 252, "v256-rc3": 256, "247": 247, "257~rc1-2": 257, "249.11-0ubuntu3.12": 249, "239 (239-82.el8)": 239,
		"": 0, "v": 0, "devel": 0, "-3": 0, "99999999999999999999": 0,
	} {
		if got, err := parseVersion(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func TestYoungerIsSorted(t *testing.T) {
	if !slices.IsSortedFunc(younger[:], func(a, b needs) int { return strings.Compare(a.name, b.name) }) {
		t.Error("it is not")
	}
}

// A systemd is told what it knows. What it doesn't know is left out, or, if it was asked for by
// name, an error.
func TestOldSystemd(t *testing.T) {
	properties := []Property{
		{Name: "OOMPolicy", Value: "kill"}, {Name: "MemoryZSwapMax", Value: uint64(1)}, {Name: "CPUWeight", Value: uint64(0)},
		{Name: "TasksMax", Value: uint64(5)},
	}
	for version, want := range map[string][]string{
		"247.3-7+deb11u7": {"TasksMax"}, "252.39-1~deb12u1": {"CPUWeight", "TasksMax"},
		"257.9-1~deb13u1": {"CPUWeight", "MemoryZSwapMax", "OOMPolicy", "TasksMax"},
	} {
		both(t, func(t *testing.T, m *manager) {
			m.version = version
			c := m.dial()
			if _, err := c.StartUnit("a.scope", 7, properties); err != nil {
				t.Fatal(err)
			}
			if err := c.SetProperties("a.scope", properties); err != nil {
				t.Error(err)
			}
			old, err := c.Properties("a.scope", properties)
			var names []string
			for _, p := range old {
				names = append(names, p.Name)
			}
			slices.Sort(names)
			if d := cmp.Diff(want, names); d != "" || err != nil {
				t.Errorf("%v, %s", err, d)
			}
			if m.count("Get") > 8 {
				t.Error("the version is asked too often")
			}
			asked := Property{Name: "OOMPolicy", Value: "kill", At: "/annotations/x"}
			var e *OldError
			if err := c.SetProperties("a.scope", []Property{asked}); (version[:3] < "253") != (errors.As(err, &e) && e.At == "/annotations/x") {
				t.Errorf("%v", err)
			}
		})
	}
}

// The version is not asked for as long as nothing depends on it.
func TestVersionIsNotAsked(t *testing.T) {
	m := newManager(t, false)
	c := m.dial()
	if _, err := c.StartUnit("a.scope", 7, []Property{{Name: "CPUWeight", Value: uint64(9)}, {Name: "AllowedCPUs", Value: []byte{1}}}); err != nil {
		t.Fatal(err)
	}
	if n := m.count("Get"); n != 1 { // the invocation id
		t.Errorf("%d questions", n)
	}
}

// FuzzParseVersion: a version begins with the number that is found in it.
func FuzzParseVersion(f *testing.F) {
	for _, seed := range []string{"252.39-1~deb12u1", "v256-rc3", "247-13.fc34", "", "v", "-1", "99999999999999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseVersion(text)
		if err == nil && (n <= 0 || !strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(text, "v"), "0"), strconv.Itoa(n))) {
			t.Errorf("%q has the version %d", text, n)
		}
	})
}
