package cgroups

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// needControllers skips a test of v2 on hosts that give the controllers to v1.
func needControllers(t *testing.T) {
	t.Helper()
	needRoot(t)
	have, _ := readFile(mountRoot + "/cgroup.controllers")
	for _, c := range []string{"memory", "pids", "cpu", "cpuset", "io"} {
		if CurrentMode() != V2 || !strings.Contains(" "+have+" ", " "+c+" ") {
			t.Skipf("cgroup v2 has no controller %s here", c)
		}
	}
}

func values2(t *testing.T, m *Manager, want map[string]string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for name := range want {
		text, err := readFile(m.Path("") + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		got[name] = text
	}
	if got["cpu.idle"] == "1" {
		got["cpu.weight"] = "idle" // 0 or 1, as the kernel's version has it
	}
	return got
}

func TestLimitsV2(t *testing.T) {
	needControllers(t)
	made := newCreation(t, parseResources(t, `{
		"memory": {"limit": 33554432, "swap": 50331648, "reservation": 16777216},
		"cpu": {"shares": 1024, "quota": 50000, "burst": 1000, "cpus": "0"}, "pids": {"limit": 20}, "blockIO": {"weight": 500},
		"unified": {"memory.high": "30000000", "cpu.max": "60000 100000", "cgroup.max.depth": "3"}}`))
	pid, _ := sleeper(t)
	for _, err := range []error{made.Create(), made.Configure(), made.Join(pid), made.Limit()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{
		"memory.max": "33554432", "memory.swap.max": "16777216", "memory.low": "16777216", "memory.high": "29999104",
		"cpu.weight": "100", "cpu.max": "60000 100000", "cpu.max.burst": "1000", "cpuset.cpus": "0", "pids.max": "20",
		"io.weight": "default 4950", "cgroup.max.depth": "3", "cpu.idle": "0",
	}
	if d := cmp.Diff(want, values2(t, made.Manager, want)); d != "" {
		t.Error(d)
	}
	m, err := Open(made.Record())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change string
		want   map[string]string // nil: refused
	}{
		{`{"memory":{"limit":40000000},"cpu":{"quota":5},"pids":{"limit":3},"unified":{"memory.high":"max"}}`, nil},
		{`{"pids":{"limit":3},"unified":{"memory.nonsense":"1"}}`, nil},
		{`{"pids":{"limit":3},"unified":{"cpu.max":"garbage"}}`, nil},
		{`{"memory":{"limit":41943040}}`, map[string]string{"memory.max": "41943040", "memory.swap.max": "8388608"}},
		{`{"memory":{"swap":83886080}}`, map[string]string{"memory.swap.max": "41943040"}},
		{`{"cpu":{"period":50000}}`, map[string]string{"cpu.max": "60000 50000"}},
		{`{"cpu":{"quota":-1}}`, map[string]string{"cpu.max": "max 50000"}},
		{`{"cpu":{"idle":1,"shares":512}}`, map[string]string{"cpu.idle": "1", "cpu.weight": "idle"}},
		{`{"cpu":{"shares":1024}}`, map[string]string{"cpu.idle": "0", "cpu.weight": "100"}},
		{`{"unified":{"cpu.idle":"1","cpu.weight":"8"}}`, map[string]string{"cpu.idle": "1", "cpu.weight": "idle"}},
		{`{"unified":{"cpu.weight":"8"}}`, map[string]string{"cpu.idle": "0", "cpu.weight": "8"}},
		{`{"pids":{"limit":-1},"memory":{"limit":-1}}`, map[string]string{"pids.max": "max", "memory.max": "max", "memory.swap.max": "max"}},
	} {
		err := m.Set(parseResources(t, c.change))
		if (err == nil) != (c.want != nil) {
			t.Errorf("%s: %v", c.change, err)
		}
		maps.Copy(want, c.want)
		if d := cmp.Diff(want, values2(t, m, want)); d != "" {
			t.Errorf("%s: %s", c.change, d)
		}
	}
}

func TestOOMV2(t *testing.T) {
	needControllers(t)
	m := newCreation(t, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: new(int64(8 << 20)), Swap: new(int64(8 << 20))}})
	pid, eat := eater(t)
	for _, err := range []error{m.Create(), m.Configure(), m.Join(pid), m.Limit()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w, err := m.WatchOOM()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	eat()
	deadline := time.Now().Add(30 * time.Second)
	if oom, err := w.Wait(deadline); !oom || err != nil {
		t.Fatalf("oom: %v, %v", oom, err)
	}
	if _, err := w.Wait(deadline); !errors.Is(err, ErrGone) {
		t.Errorf("after the end of the process: %v", err)
	}
	if err := m.ExplainOOM(); err == nil || !strings.Contains(err.Error(), "the limit is 8 MiB") {
		t.Errorf("explanation: %v", err)
	}
}

// TestTightV2 sets a limit below what the process has used already: it must live on, and the error
// say so.
func TestTightV2(t *testing.T) {
	needControllers(t)
	m := newCreation(t, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: new(int64(4096)), Swap: new(int64(4096))}})
	if b := m.Birth(); b.Unified != nil {
		t.Error("a process with a tight limit would be born into it")
	}
	pid, _ := sleeper(t)
	for _, err := range []error{m.Create(), m.Join(pid)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_ = m.Limit() // moved with its memory left behind, the process may need next to nothing here
	if err := unix.Kill(pid, 0); err != nil {
		t.Errorf("the process: %v", err)
	}
}
