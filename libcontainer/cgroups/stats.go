package cgroups

import (
	"strconv"
	"strings"

	lib "github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/fs"
	"github.com/opencontainers/cgroups/fs2"
)

// Stats is what `events` prints as the data of an event of type "stats". Names and shapes are runc's (go-runc's Stats reads
// them); burst, events, rdma and misc are added.
type Stats struct {
	CPU               CPUStats                `json:"cpu"`
	CPUSet            CPUSetStats             `json:"cpuset"`
	Memory            MemoryStats             `json:"memory"`
	Pids              PidsStats               `json:"pids"`
	Blkio             BlkioStats              `json:"blkio"`
	Hugetlb           map[string]HugetlbStats `json:"hugetlb"`
	IntelRdt          any                     `json:"intel_rdt"`          // for the caller to fill in; {} else
	NetworkInterfaces []struct{}              `json:"network_interfaces"` // always empty: engines made the interfaces
	Rdma              *RdmaStats              `json:"rdma,omitempty"`
	Misc              map[string]MiscStats    `json:"misc,omitempty"`
}

// CPUStats counts CPU time in nanoseconds.
type CPUStats struct {
	Usage struct {
		Total        uint64   `json:"total,omitempty"`
		Percpu       []uint64 `json:"percpu,omitempty"`
		PercpuKernel []uint64 `json:"percpu_kernel,omitempty"`
		PercpuUser   []uint64 `json:"percpu_user,omitempty"`
		Kernel       uint64   `json:"kernel"`
		User         uint64   `json:"user"`
	} `json:"usage"`
	Throttling struct {
		Periods          uint64 `json:"periods,omitempty"`
		ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
		ThrottledTime    uint64 `json:"throttledTime,omitempty"`
	} `json:"throttling"`
	Burst struct {
		Periods uint64 `json:"periods,omitempty"`
		Time    uint64 `json:"time,omitempty"`
	} `json:"burst,omitzero"`
	PSI *PSIStats `json:"psi,omitempty"`
}

// PSIStats is pressure stall information (Documentation/accounting/psi.rst): percentages, and microseconds in total.
type PSIStats = lib.PSIStats

// CPUSetStats are the files of a v1 cpuset.
type CPUSetStats struct {
	CPUs                  []uint16 `json:"cpus,omitempty"`
	CPUExclusive          uint64   `json:"cpu_exclusive"`
	Mems                  []uint16 `json:"mems,omitempty"`
	MemHardwall           uint64   `json:"mem_hardwall"`
	MemExclusive          uint64   `json:"mem_exclusive"`
	MemoryMigrate         uint64   `json:"memory_migrate"`
	MemorySpreadPage      uint64   `json:"memory_spread_page"`
	MemorySpreadSlab      uint64   `json:"memory_spread_slab"`
	MemoryPressure        uint64   `json:"memory_pressure"`
	SchedLoadBalance      uint64   `json:"sched_load_balance"`
	SchedRelaxDomainLevel int64    `json:"sched_relax_domain_level"`
}

// MemoryEntry is a counter of bytes with its limit.
type MemoryEntry struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// MemoryStats counts bytes. Events are how often the cgroup met one of its limits: the fields of memory.events (v2) or
// memory.oom_control (v1) that aren't 0. (Scripts look for the word oom to see one.)
type MemoryStats struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     MemoryEntry       `json:"usage"`
	Swap      MemoryEntry       `json:"swap"`
	Kernel    MemoryEntry       `json:"kernel"`
	KernelTCP MemoryEntry       `json:"kernelTCP"`
	Raw       map[string]uint64 `json:"raw,omitempty"`
	Events    map[string]uint64 `json:"events,omitempty"`
	PSI       *PSIStats         `json:"psi,omitempty"`
}

// PidsStats counts processes and threads; a limit of 0 is none.
type PidsStats struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// BlkioEntry is a counter of a block device.
type BlkioEntry struct {
	Major uint64 `json:"major,omitempty"`
	Minor uint64 `json:"minor,omitempty"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value,omitempty"`
}

// BlkioStats are the counters of block I/O, in v1's names.
type BlkioStats struct {
	IoServiceBytesRecursive []BlkioEntry `json:"ioServiceBytesRecursive,omitempty"`
	IoServicedRecursive     []BlkioEntry `json:"ioServicedRecursive,omitempty"`
	IoQueuedRecursive       []BlkioEntry `json:"ioQueueRecursive,omitempty"`
	IoServiceTimeRecursive  []BlkioEntry `json:"ioServiceTimeRecursive,omitempty"`
	IoWaitTimeRecursive     []BlkioEntry `json:"ioWaitTimeRecursive,omitempty"`
	IoMergedRecursive       []BlkioEntry `json:"ioMergedRecursive,omitempty"`
	IoTimeRecursive         []BlkioEntry `json:"ioTimeRecursive,omitempty"`
	SectorsRecursive        []BlkioEntry `json:"sectorsRecursive,omitempty"`
	PSI                     *PSIStats    `json:"psi,omitempty"`
}

// HugetlbStats counts bytes of one size of huge pages.
type HugetlbStats struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// RdmaStats are the objects of RDMA devices in use and their limits.
type RdmaStats struct {
	Current []lib.RdmaEntry `json:"current,omitempty"`
	Limit   []lib.RdmaEntry `json:"limit,omitempty"`
}

// MiscStats is a scalar resource of the misc controller, such as SEV address space ids.
type MiscStats struct {
	Usage  uint64 `json:"usage"`
	Events uint64 `json:"events"`
}

// Stats reads the counters of the container's cgroups.
func (m *Manager) Stats() (*Stats, error) {
	var s *lib.Stats
	var err error
	cg := &lib.Cgroup{Resources: &lib.Resources{}, Rootless: m.record.Rootless}
	if m.record.Mode == V2 {
		manager, merr := fs2.NewManager(cg, m.Path(""))
		if merr != nil {
			return nil, merr
		}
		s, err = manager.GetStats()
	} else {
		manager, merr := fs.NewManager(cg, m.paths())
		if merr != nil {
			return nil, merr
		}
		s, err = manager.GetStats()
	}
	if err != nil {
		return nil, err
	}
	out := convertStats(s)
	out.Memory.Events = m.memoryEvents()
	return out, nil
}

// paths gives the directory of each v1 controller.
func (m *Manager) paths() map[string]string {
	paths := make(map[string]string, len(m.record.Hierarchies))
	for i := range m.record.Hierarchies {
		h := &m.record.Hierarchies[i]
		for _, c := range h.Controllers {
			paths[c] = h.Dir()
		}
	}
	return paths
}

// memoryEvents gives the counters of memory.events or memory.oom_control that are not 0; nil if there is no such file.
func (m *Manager) memoryEvents() map[string]uint64 {
	file := m.memoryEventsFile()
	text, err := readFile(file)
	if file == "" || err != nil {
		return nil
	}
	out := map[string]uint64{}
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, " ")
		if n, err := strconv.ParseUint(value, 10, 64); err == nil && n > 0 {
			out[name] = n
		}
	}
	return out
}

func (m *Manager) memoryEventsFile() string {
	dir := m.Path("memory")
	switch {
	case dir == "":
		return ""
	case m.record.Mode == V2:
		return dir + "/memory.events"
	}
	return dir + "/memory.oom_control"
}

// NoStats are those of a container without a cgroup of its own: nobody counts for it.
func NoStats() *Stats { return convertStats(lib.NewStats()) }

func convertStats(s *lib.Stats) *Stats {
	out := &Stats{IntelRdt: struct{}{}, CPUSet: CPUSetStats(s.CPUSetStats), Pids: PidsStats(s.PidsStats)}
	u := &s.CpuStats.CpuUsage
	c := &out.CPU
	c.Usage.Total, c.Usage.Kernel, c.Usage.User = u.TotalUsage, u.UsageInKernelmode, u.UsageInUsermode
	c.Usage.Percpu, c.Usage.PercpuKernel, c.Usage.PercpuUser = u.PercpuUsage, u.PercpuUsageInKernelmode, u.PercpuUsageInUsermode
	t := &s.CpuStats.ThrottlingData
	c.Throttling.Periods, c.Throttling.ThrottledPeriods, c.Throttling.ThrottledTime = t.Periods, t.ThrottledPeriods, t.ThrottledTime
	c.Burst.Periods, c.Burst.Time = s.CpuStats.BurstData.BurstsPeriods, s.CpuStats.BurstData.BurstTime
	c.PSI = s.CpuStats.PSI
	m := &s.MemoryStats
	out.Memory = MemoryStats{
		Cache: m.Cache, Usage: memoryEntry(m.Usage), Swap: memoryEntry(m.SwapUsage), Kernel: memoryEntry(m.KernelUsage),
		KernelTCP: memoryEntry(m.KernelTCPUsage), Raw: m.Stats, PSI: m.PSI,
	}
	b := &s.BlkioStats
	out.Blkio = BlkioStats{
		IoServiceBytesRecursive: blkioEntries(b.IoServiceBytesRecursive), IoServicedRecursive: blkioEntries(b.IoServicedRecursive),
		IoQueuedRecursive: blkioEntries(b.IoQueuedRecursive), IoServiceTimeRecursive: blkioEntries(b.IoServiceTimeRecursive),
		IoWaitTimeRecursive: blkioEntries(b.IoWaitTimeRecursive), IoMergedRecursive: blkioEntries(b.IoMergedRecursive),
		IoTimeRecursive: blkioEntries(b.IoTimeRecursive), SectorsRecursive: blkioEntries(b.SectorsRecursive), PSI: b.PSI,
	}
	out.Hugetlb = make(map[string]HugetlbStats, len(s.HugetlbStats))
	for size, h := range s.HugetlbStats {
		out.Hugetlb[size] = HugetlbStats{Usage: h.Usage, Max: h.MaxUsage, Failcnt: h.Failcnt}
	}
	if r := &s.RdmaStats; len(r.RdmaCurrent)+len(r.RdmaLimit) > 0 {
		out.Rdma = &RdmaStats{Current: r.RdmaCurrent, Limit: r.RdmaLimit}
	}
	for name, v := range s.MiscStats {
		if out.Misc == nil {
			out.Misc = make(map[string]MiscStats, len(s.MiscStats))
		}
		out.Misc[name] = MiscStats(v)
	}
	return out
}

func memoryEntry(d lib.MemoryData) MemoryEntry {
	return MemoryEntry{Limit: d.Limit, Usage: d.Usage, Max: d.MaxUsage, Failcnt: d.Failcnt}
}

func blkioEntries(list []lib.BlkioStatEntry) []BlkioEntry {
	var out []BlkioEntry
	for _, e := range list {
		out = append(out, BlkioEntry(e))
	}
	return out
}
