package cgroups

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// These tests make cgroups named oci-run-test-* below the roots of the hierarchies and remove them.
// To see the v1 and v2 views of a hybrid host, run the test binary in a mount namespace that has
// only these mounted.

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the effective user id is not 0")
	}
	if isType(mountRoot, unix.TMPFS_MAGIC) || CurrentMode() == V2 {
		return
	}
	t.Skip(mountRoot + " holds no cgroup file systems")
}

// newCreation makes a Creation for a spec with a fresh absolute cgroupsPath, and destroys its
// cgroups at the end.
func newCreation(t *testing.T, r *specs.LinuxResources) *Creation {
	t.Helper()
	needRoot(t)
	name := "oci-run-test-" + strings.ReplaceAll(t.Name(), "/", "-")
	spec := &specs.Spec{Linux: &specs.Linux{CgroupsPath: "/" + name, Resources: r}}
	m, err := New(spec, Options{ID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Kill(); err != nil {
			t.Error(err)
		}
		if err := m.Destroy(5 * time.Second); err != nil {
			t.Error(err)
		}
		for _, h := range m.Hierarchies() {
			if _, err := os.Stat(h.Dir()); err == nil {
				t.Errorf("%s is left", h.Dir())
			}
		}
	})
	return m
}

// sleeper starts a process that lives until the test ends or somebody kills it.
func sleeper(t *testing.T) (pid int, died chan error) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	died = make(chan error, 1)
	go func() { died <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd.Process.Pid, died
}

func TestLifecycle(t *testing.T) {
	r := &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: new(int64(64 << 20))},
		CPU:    &specs.LinuxCPU{Shares: new(uint64(512)), Quota: new(int64(50000)), Period: new(uint64(100000))},
		Pids:   &specs.LinuxPids{Limit: new(int64(0))},
	}
	if CurrentMode() == V2 { // this host gives its controllers to v1
		r = nil
	}
	m := newCreation(t, r)
	t.Logf("mode %s, %d hierarchies", m.Mode(), len(m.Hierarchies()))
	pid, died := sleeper(t)
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"create", m.Create}, {"configure", m.Configure}, {"join", func() error { return m.Join(pid) }}, {"limit", m.Limit},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
	}
	if r != nil {
		for file, want := range map[string]string{
			"memory/memory.limit_in_bytes": "67108864",
			"cpu/cpu.shares":               "512",
			"cpu/cpu.cfs_quota_us":         "50000",
			"pids/pids.max":                "1",
		} {
			controller, name := filepath.Split(file)
			got, err := readFile(m.Path(strings.Trim(controller, "/")) + "/" + name)
			if err != nil || got != want {
				t.Errorf("%s: %q, %v; want %q", file, got, err, want)
			}
		}
	}
	for _, h := range m.Hierarchies() {
		if pids, err := pidsIn(h.Dir()); err != nil || len(pids) != 1 || pids[0] != pid {
			t.Errorf("%s: pids %v, %v", h.Dir(), pids, err)
		}
	}
	again, err := Open(m.Record())
	if err != nil {
		t.Fatal(err)
	}
	if again.Mode() != m.Mode() {
		t.Errorf("mode %q, was %q", again.Mode(), m.Mode())
	}
	if err := again.Freeze(); err != nil {
		t.Fatal(err)
	}
	if frozen, err := again.Frozen(); !frozen || err != nil {
		t.Errorf("frozen: %v, %v", frozen, err)
	}
	if err := again.Kill(); err != nil { // a frozen one
		t.Fatal(err)
	}
	select {
	case <-died:
	case <-time.After(30 * time.Second):
		t.Fatal("the process lives on")
	}
}

func TestCreateRefuses(t *testing.T) {
	m := newCreation(t, nil)
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	another := func() error { // a container with the same cgroupsPath
		m, err := New(&specs.Spec{Linux: &specs.Linux{CgroupsPath: m.Hierarchies()[0].Path}}, Options{ID: "y"})
		if err != nil {
			return err
		}
		return m.Create()
	}
	if err := another(); err != nil {
		t.Errorf("an empty cgroup is not taken over: %v", err)
	}
	if err := m.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := another(); !errors.Is(err, errFrozen) {
		t.Errorf("frozen cgroup: error %v", err)
	}
	if err := m.Thaw(); err != nil {
		t.Fatal(err)
	}
	pid, _ := sleeper(t)
	if err := m.Join(pid); err != nil {
		t.Fatal(err)
	}
	if err := another(); !errors.Is(err, errNotEmpty) {
		t.Errorf("cgroup with a process: error %v", err)
	}
}

func TestDestroyBelow(t *testing.T) {
	m := newCreation(t, nil)
	if err := m.Create(); err != nil {
		t.Fatal(err)
	}
	for _, h := range m.Hierarchies() {
		if err := os.MkdirAll(h.Dir()+"/a/b", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(h.Dir()+"/c", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Destroy(5 * time.Second); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkCycle(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("not root")
	}
	spec := &specs.Spec{Linux: &specs.Linux{CgroupsPath: "/oci-run-test-bench"}}
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var t [6]time.Duration
	for b.Loop() {
		now := time.Now()
		lap := func(i int) { t[i] += time.Since(now); now = time.Now() }
		m, err := New(spec, Options{ID: "x"})
		lap(0)
		if err == nil {
			err = m.Create()
			lap(1)
		}
		if err == nil {
			err = m.Configure()
			lap(2)
		}
		if err == nil {
			err = m.Join(cmd.Process.Pid)
			lap(3)
		}
		if err != nil {
			b.Fatal(err)
		}
		for _, h := range m.Hierarchies() {
			if err := writeFile(h.Mount+"/cgroup.procs", strconv.Itoa(cmd.Process.Pid)); err != nil {
				b.Fatal(err)
			}
		}
		lap(4)
		if err := m.Destroy(5 * time.Second); err != nil {
			b.Fatal(err)
		}
		lap(5)
	}
	for i, name := range []string{"new", "create", "configure", "join", "", "destroy"} {
		if name != "" {
			b.ReportMetric(float64(t[i].Microseconds())/float64(b.N), name+"-µs")
		}
	}
}
