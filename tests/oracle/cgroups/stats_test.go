package cgroups

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	lib "github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
	"github.com/opencontainers/runtime-spec/specs-go"

	"oci-run/libcontainer/internal/cgroups"
)

// container makes cgroups with limits and a process in them that sleeps.
func container(t *testing.T, r *specs.LinuxResources) *cgroups.Manager {
	t.Helper()
	m, err := cgroups.New(&specs.Spec{Linux: &specs.Linux{CgroupsPath: "/oci-run-oracle-stats", Resources: r}}, cgroups.Options{ID: "x"})
	if err != nil {
		t.Fatal(err)
	}
	sleep := exec.Command("sleep", "1000")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = sleep.Process.Kill()
		_ = sleep.Wait()
		if err := m.Destroy(time.Second); err != nil {
			t.Error(err)
		}
	})
	if err := m.Create(); err != nil {
		t.Skipf("make cgroups: %v", err)
	}
	for _, step := range []func() error{m.Configure, func() error { return m.Join(sleep.Process.Pid) }, m.Limit} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return m.Manager
}

// The library's statistics of a real cgroup, in another way, are the same.
func TestSameStats(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the effective user id is not 0")
	}
	r := &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: new(int64(64 << 20))}, Pids: &specs.LinuxPids{Limit: new(int64(20))}}
	have, _ := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	if cgroups.CurrentMode() == cgroups.V2 && !strings.Contains(string(have), "memory") {
		r = nil
	}
	m := container(t, r)
	stats := func() *cgroups.Stats {
		s, err := m.Stats()
		if err != nil {
			t.Fatal(err)
		}
		s.Memory.Events = nil // the library has none
		return s
	}
	for range 50 {
		before, library, after := stats(), libraryStats(t, m), stats()
		if !cmp.Equal(before, after) { // the process is still busy
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if d := cmp.Diff(library, after); d != "" {
			t.Errorf("(-library +here)\n%s", d)
		}
		if r != nil && (after.Pids.Limit != 20 || after.Memory.Usage.Limit != 64<<20) {
			t.Errorf("%+v", after)
		}
		return
	}
	t.Error("the counters of a sleeping process change all the time")
}

func libraryStats(t *testing.T, m *cgroups.Manager) *cgroups.Stats {
	t.Helper()
	var manager interface{ GetStats() (*lib.Stats, error) }
	var err error
	cg := &lib.Cgroup{Resources: &lib.Resources{}}
	if m.Mode() == cgroups.V2 {
		manager, err = fs2.NewManager(cg, m.Path(""))
	} else {
		manager, err = fs.NewManager(cg, paths(m.Record()))
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := manager.GetStats()
	if err != nil {
		t.Fatal(err)
	}
	out := cgroups.NoStats()
	u, c := &s.CpuStats.CpuUsage, &out.CPU
	c.Usage.Total, c.Usage.Kernel, c.Usage.User = u.TotalUsage, u.UsageInKernelmode, u.UsageInUsermode
	c.Usage.Percpu, c.Usage.PercpuKernel, c.Usage.PercpuUser = u.PercpuUsage, u.PercpuUsageInKernelmode, u.PercpuUsageInUsermode
	throttled := &s.CpuStats.ThrottlingData
	c.Throttling.Periods, c.Throttling.ThrottledPeriods, c.Throttling.ThrottledTime =
		throttled.Periods, throttled.ThrottledPeriods, throttled.ThrottledTime
	c.Burst.Periods, c.Burst.Time = s.CpuStats.BurstData.BurstsPeriods, s.CpuStats.BurstData.BurstTime
	out.CPUSet, out.Pids = cgroups.CPUSetStats(s.CPUSetStats), cgroups.PidsStats(s.PidsStats)
	memory := &s.MemoryStats
	out.Memory = cgroups.MemoryStats{
		Cache: memory.Cache, Raw: memory.Stats, Usage: libraryMemory(memory.Usage), Swap: libraryMemory(memory.SwapUsage),
		Kernel: libraryMemory(memory.KernelUsage), KernelTCP: libraryMemory(memory.KernelTCPUsage), PSI: libraryPSI(memory.PSI),
	}
	out.CPU.PSI, out.Blkio.PSI = libraryPSI(s.CpuStats.PSI), libraryPSI(s.BlkioStats.PSI)
	for _, e := range s.BlkioStats.IoServiceBytesRecursive {
		out.Blkio.IoServiceBytesRecursive = append(out.Blkio.IoServiceBytesRecursive, cgroups.BlkioEntry(e))
	}
	for _, e := range s.BlkioStats.IoServicedRecursive {
		out.Blkio.IoServicedRecursive = append(out.Blkio.IoServicedRecursive, cgroups.BlkioEntry(e))
	}
	for size, h := range s.HugetlbStats {
		out.Hugetlb[size] = cgroups.HugetlbStats{Usage: h.Usage, Max: h.MaxUsage, Failcnt: h.Failcnt}
	}
	return out
}

func libraryMemory(d lib.MemoryData) cgroups.MemoryEntry {
	return cgroups.MemoryEntry{Limit: d.Limit, Usage: d.Usage, Max: d.MaxUsage, Failcnt: d.Failcnt}
}

func libraryPSI(s *lib.PSIStats) *cgroups.PSIStats {
	if s == nil {
		return nil
	}
	return &cgroups.PSIStats{Some: cgroups.PSIData(s.Some), Full: cgroups.PSIData(s.Full)}
}
